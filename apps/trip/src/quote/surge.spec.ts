import fc from 'fast-check';
import { surgeOf } from './surge.ts';

const people = fc.nat(10_000);
const max = fc.double({ min: 1, max: 5, noNaN: true });

it('is nothing while there is a driver for everybody, or when it is switched off', () => {
  fc.assert(
    fc.property(people, people, max, (a, b, any) => {
      expect(surgeOf(Math.min(a, b), Math.max(a, b), any)).toBeNull();
      expect(surgeOf(a, b, 1)).toBeNull();
    }),
  );
});

it('is more than nothing and never more than the cap', () => {
  fc.assert(
    fc.property(people, people, max, (passengers, free, any) => {
      const { multiplier } = surgeOf(passengers, free, any) ?? { multiplier: 1 };
      expect(multiplier).toBeGreaterThanOrEqual(1);
      expect(multiplier).toBeLessThanOrEqual(any);
    }),
  );
});

it('never falls when more ask, or fewer are free', () => {
  const of = (passengers: number, free: number) => surgeOf(passengers, free, 5)?.multiplier ?? 1;
  fc.assert(
    fc.property(people, people, (passengers, free) => {
      expect(of(passengers + 1, free)).toBeGreaterThanOrEqual(of(passengers, free));
      expect(of(passengers, free + 1)).toBeLessThanOrEqual(of(passengers, free));
    }),
  );
});

it('says why', () => {
  expect(surgeOf(9, 3, 2)).toEqual({
    multiplier: 1.5,
    reason: '9 passengers ask for a ride here, 3 drivers are free',
  });
});
