import fc from 'fast-check';
import { EARTH_RADIUS_M, greatCircleM } from './geo.ts';

const point = fc.record({
  lat: fc.double({ min: -90, max: 90, noNaN: true }),
  lng: fc.double({ min: -180, max: 180, noNaN: true }),
});
const HALF_ROUND_THE_EARTH_M = Math.PI * EARTH_RADIUS_M;

describe('the great-circle distance', () => {
  it('agrees with published distances', () => {
    const berlin = { lat: 52.52, lng: 13.405 };
    const paris = { lat: 48.8566, lng: 2.3522 };
    expect(greatCircleM(berlin, paris) / 1_000).toBeCloseTo(877.5, 0);
    // A minute of latitude is about a nautical mile.
    expect(greatCircleM({ lat: 0, lng: 0 }, { lat: 1 / 60, lng: 0 })).toBeCloseTo(1_853.3, 0);
  });

  it('goes the short way over the date line', () => {
    expect(greatCircleM({ lat: 0, lng: 179.9 }, { lat: 0, lng: -179.9 })).toBeCloseTo(22_239, 0);
  });

  it('goes over the pole', () => {
    expect(greatCircleM({ lat: 89.5, lng: 0 }, { lat: 89.5, lng: 180 })).toBeCloseTo(111_195, 0);
  });

  it('is half way round between antipodes, where rounding goes over the edge of what asin takes', () => {
    const distanceM = greatCircleM({ lat: 50.35, lng: -166.13 }, { lat: -50.35, lng: -166.13 + 180 });
    expect(distanceM).toBeCloseTo(HALF_ROUND_THE_EARTH_M, 0);
  });

  it('is symmetric, never negative, and at most half way round', () => {
    fc.assert(
      fc.property(point, point, (a, b) => {
        const distanceM = greatCircleM(a, b);
        expect(distanceM).toBeGreaterThanOrEqual(0);
        expect(distanceM).toBeLessThanOrEqual(HALF_ROUND_THE_EARTH_M + 1);
        expect(greatCircleM(b, a)).toBeCloseTo(distanceM, 3);
      }),
    );
  });
});
