import fc from 'fast-check';
import { fareMinor, type Tariff } from './fare.ts';

const tariff: Tariff = { baseMinor: 250, perKmMinor: 120, perMinuteMinor: 30, minimumMinor: 500, currency: 'EUR' };
const minor = fc.integer({ min: 0, max: 100_000 });
const anyTariff = fc.record({
  baseMinor: minor,
  perKmMinor: minor,
  perMinuteMinor: minor,
  minimumMinor: minor,
  currency: fc.constant('EUR'),
});
const distanceM = fc.integer({ min: 0, max: 30_000_000 });
const durationS = fc.integer({ min: 0, max: 4_000_000 });

describe('a fare', () => {
  it('is base, kilometres and minutes', () => {
    expect(fareMinor(10_000, 1_200, tariff)).toBe(250 + 1_200 + 600);
  });

  it('counts parts of a kilometre and of a minute, and rounds once', () => {
    // 250 + 120 × 3.333 + 30 × 1.5 = 694.96
    expect(fareMinor(3_333, 90, tariff)).toBe(695);
  });

  it('is the minimum for a ride round the corner', () => {
    expect(fareMinor(100, 20, tariff)).toBe(500);
    expect(fareMinor(0, 0, tariff)).toBe(500);
  });

  it('is always a whole number of minor units and never below the minimum', () => {
    fc.assert(
      fc.property(distanceM, durationS, anyTariff, (metres, seconds, any) => {
        const fare = fareMinor(metres, seconds, any);
        expect(Number.isSafeInteger(fare)).toBe(true);
        expect(fare).toBeGreaterThanOrEqual(any.minimumMinor);
      }),
    );
  });

  it('never falls when the ride gets longer or slower', () => {
    fc.assert(
      fc.property(distanceM, distanceM, durationS, durationS, anyTariff, (a, b, s, t, any) => {
        const shorter = fareMinor(Math.min(a, b), Math.min(s, t), any);
        const longer = fareMinor(Math.max(a, b), Math.max(s, t), any);
        expect(longer).toBeGreaterThanOrEqual(shorter);
      }),
    );
  });
});
