import type { TripStatus } from '@cabstand/contracts';
import fc from 'fast-check';
import { afterTripFact, nextLook, nextStep, offerExpiry, type DispatchStatus } from './dispatch.machine.ts';

const now = new Date('2026-01-01T00:00:00Z');
const inMs = (ms: number) => new Date(now.getTime() + ms);

test('the facts of a trip lead to the same end in any order, however often they are told', () => {
  const fact = fc.constantFrom<TripStatus>(
    'requested',
    'accepted',
    'arrived',
    'in_progress',
    'completed',
    'cancelled',
    'unfulfilled',
  );
  const from = fc.constantFrom<DispatchStatus>('searching', 'offered', 'accepted', 'exhausted', 'closed');
  const end = (status: DispatchStatus, facts: TripStatus[]) => facts.reduce(afterTripFact, status);
  fc.assert(
    fc.property(from, fc.array(fact), fc.infiniteStream(fc.nat()), (status, facts, random) => {
      const shuffled = [...facts, ...facts].map((value) => ({ value, key: random.next().value as number }));
      const order = shuffled.sort((a, b) => a.key - b.key).map(({ value }) => value);
      expect(end(status, order)).toBe(end(status, facts));
    }),
  );
});

test('nothing but the end of its trip ends an accepted dispatch, and nothing opens a closed one', () => {
  expect(afterTripFact('accepted', 'requested')).toBe('accepted');
  expect(afterTripFact('accepted', 'cancelled')).toBe('closed');
  expect(afterTripFact('closed', 'accepted')).toBe('closed');
  expect(afterTripFact('exhausted', 'requested')).toBe('exhausted');
});

test('refusals end the search before the deadline does, and the deadline counts to the millisecond', () => {
  expect(nextStep({ refusals: 4, deadlineAt: inMs(1) }, now, 5)).toBe('search');
  expect(nextStep({ refusals: 4, deadlineAt: now }, now, 5)).toBe('deadline');
  expect(nextStep({ refusals: 5, deadlineAt: inMs(1) }, now, 5)).toBe('refusals');
  expect(nextStep({ refusals: 5, deadlineAt: now }, now, 5)).toBe('refusals');
});

test('neither an offer nor a wait outlives the deadline', () => {
  expect(offerExpiry({ deadlineAt: inMs(20_000) }, now, 15_000)).toEqual(inMs(15_000));
  expect(offerExpiry({ deadlineAt: inMs(3_000) }, now, 15_000)).toEqual(inMs(3_000));
  expect(nextLook({ deadlineAt: inMs(20_000) }, now, 500)).toEqual(inMs(500));
  expect(nextLook({ deadlineAt: inMs(100) }, now, 500)).toEqual(inMs(100));
});
