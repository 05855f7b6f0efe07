import fc from 'fast-check';
import { boundingBox, contains, greatCircleM } from './geo.ts';

const lat = fc.double({ min: -90, max: 90, noNaN: true });
const lng = fc.double({ min: -180, max: 180, noNaN: true });
const point = fc.record({ lat, lng });

test.each([
  ['Berlin to Paris', { lat: 52.52, lng: 13.405 }, { lat: 48.8566, lng: 2.3522 }, 877_465],
  ['across the antimeridian', { lat: 0, lng: 179.5 }, { lat: 0, lng: -179.5 }, 111_195],
  ['over the pole', { lat: 89.5, lng: 0 }, { lat: 89.5, lng: 180 }, 111_195],
  ['to the antipode', { lat: 0, lng: 0 }, { lat: 0, lng: 180 }, 20_015_114],
])('distance %s', (_, from, to, metres) => {
  expect(Math.round(greatCircleM(from, to))).toBe(metres);
  expect(greatCircleM(to, from)).toBe(greatCircleM(from, to));
});

test('a box holds every point of its circle, at the poles and the antimeridian too', () => {
  const places = fc.oneof(
    point,
    fc.record({ lat: fc.constantFrom(-90, -89.99, 89.95, 90), lng }),
    fc.record({ lat, lng: fc.constantFrom(-180, 179.99, 180) }),
  );
  const nearby = fc.record({
    lat: fc.double({ min: -0.3, max: 0.3, noNaN: true }),
    lng: fc.double({ min: -0.3, max: 0.3, noNaN: true }),
  });
  fc.assert(
    fc.property(places, nearby, fc.integer({ min: 1, max: 50_000 }), point, (centre, by, radiusM, anywhere) => {
      const box = boundingBox(centre, radiusM);
      const shiftedLng = centre.lng + by.lng;
      const near = {
        lat: Math.max(-90, Math.min(90, centre.lat + by.lat)),
        lng: shiftedLng > 180 ? shiftedLng - 360 : shiftedLng < -180 ? shiftedLng + 360 : shiftedLng,
      };
      for (const candidate of [near, anywhere]) {
        if (greatCircleM(centre, candidate) <= radiusM) expect(contains(box, candidate)).toBe(true);
      }
    }),
    { numRuns: 2_000 },
  );
});
