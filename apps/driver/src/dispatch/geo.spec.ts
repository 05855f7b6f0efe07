import fc from 'fast-check';
import { greatCircleM } from '@cabstand/contracts';
import { boundingBox, contains } from './geo.ts';

const lat = fc.double({ min: -90, max: 90, noNaN: true });
const lng = fc.double({ min: -180, max: 180, noNaN: true });
const point = fc.record({ lat, lng });

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
