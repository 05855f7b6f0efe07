import { TripStatus } from '@cabstand/contracts';
import fc from 'fast-check';
import { isOver, transition, UNDER_WAY, type TripAction } from './trip.machine.ts';

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

  it('ends, whatever is tried, in a state that nothing leads on from, and never comes back to a state', () => {
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
          expect(isOver(seen.at(-1)!)).toBe(false);
          expect(seen).not.toContain(status);
          seen.push(status);
        }
      }),
    );
  });

  it('never cancels a trip once the passenger is on board', () => {
    expect(() => transition('in_progress', 'cancel')).toThrow();
    expect(() => transition('completed', 'cancel')).toThrow();
  });

  it('has a driver on the trip from acceptance until it is over', () => {
    expect(TripStatus.options.filter(isOver)).toEqual(['completed', 'cancelled', 'unfulfilled']);
    expect(TripStatus.options.filter((status) => status !== 'requested' && !isOver(status))).toEqual(UNDER_WAY);
  });
});
