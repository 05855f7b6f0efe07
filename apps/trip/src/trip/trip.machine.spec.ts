import { TripStatus } from '@cabstand/contracts';
import fc from 'fast-check';
import { transition, UNDER_WAY, type TripAction } from './trip.machine.ts';

const ACTIONS: TripAction[] = ['accept', 'arrive', 'start', 'complete', 'cancel', 'giveUp'];

/** Every step that platform.md names, and therefore every step that there may be. */
const LEGAL = [
  ['requested', 'accept', 'accepted'],
  ['requested', 'cancel', 'cancelled'],
  ['requested', 'giveUp', 'unfulfilled'],
  ['accepted', 'arrive', 'arrived'],
  ['accepted', 'cancel', 'cancelled'],
  ['arrived', 'start', 'in_progress'],
  ['arrived', 'cancel', 'cancelled'],
  ['in_progress', 'complete', 'completed'],
] as const;

describe('the trip machine', () => {
  it.each(LEGAL)('leads from %s by %s to %s', (from, action, to) => {
    expect(transition(from, action)).toBe(to);
  });

  const illegal = TripStatus.options.flatMap((from) =>
    ACTIONS.filter((action) => !LEGAL.some(([f, a]) => f === from && a === action)).map(
      (action) => [from, action] as const,
    ),
  );
  it.each(illegal)('refuses, for a trip that is %s, to %s', (from, action) => {
    expect(() => transition(from, action)).toThrow(expect.objectContaining({ code: 'TRIP_TRANSITION_INVALID' }));
  });

  it('never comes back to a state, whatever is tried', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...ACTIONS), { maxLength: 40 }), (actions) => {
        let status: TripStatus = 'requested';
        const seen: TripStatus[] = [status];
        for (const action of actions) {
          try {
            status = transition(status, action);
          } catch {
            continue;
          }
          expect(seen).not.toContain(status);
          seen.push(status);
        }
      }),
    );
  });

  it('has a driver on the trip in every state that only an acceptance leads to, until it is over', () => {
    const states = LEGAL.filter(([from]) => from !== 'requested').map(([from]) => from);
    expect(UNDER_WAY).toEqual([...new Set(states)]);
  });
});
