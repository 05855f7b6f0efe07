import { estimateRide } from './distance.ts';

describe('an estimate', () => {
  it('stretches the straight line by the detour factor and divides by the average speed', () => {
    const ride = estimateRide({ lat: 0, lng: 0 }, { lat: 0.1, lng: 0 }, { detourFactor: 1.3, averageSpeedKmh: 30 });
    expect(ride).toEqual({ distanceM: 14_455, durationS: 1_735 });
  });

  it('is nothing for a ride to where one stands', () => {
    const here = { lat: 52.5, lng: 13.4 };
    expect(estimateRide(here, here, { detourFactor: 1.3, averageSpeedKmh: 30 })).toEqual({
      distanceM: 0,
      durationS: 0,
    });
  });
});
