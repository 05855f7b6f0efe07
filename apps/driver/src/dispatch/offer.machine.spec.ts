import fc from 'fast-check';
import { answer, OUTCOME, type DriverAnswer, type OfferStatus } from './offer.machine.ts';

const expiresAt = new Date('2026-01-01T00:00:15Z');
const before = new Date('2026-01-01T00:00:14.999Z');

test.each<[OfferStatus, DriverAnswer, string]>([
  ['accepted', 'decline', 'OFFER_CLOSED'],
  ['declined', 'accept', 'OFFER_CLOSED'],
  ['expired', 'accept', 'OFFER_EXPIRED'],
  ['expired', 'decline', 'OFFER_EXPIRED'],
  ['withdrawn', 'accept', 'OFFER_WITHDRAWN'],
  ['withdrawn', 'decline', 'OFFER_WITHDRAWN'],
])('an offer that is %s refuses to %s with %s', (status, action, code) => {
  expect(() => answer({ status, expiresAt }, action, before)).toThrow(
    expect.objectContaining({ code, kind: 'conflict' }),
  );
});

test('an open offer takes the answer until its time is up, and then expires', () => {
  expect(answer({ status: 'open', expiresAt }, 'accept', before)).toBe('accept');
  expect(answer({ status: 'open', expiresAt }, 'decline', before)).toBe('decline');
  expect(answer({ status: 'open', expiresAt }, 'accept', expiresAt)).toBe('expire');
  expect(answer({ status: 'open', expiresAt }, 'decline', expiresAt)).toBe('expire');
});

test('whatever a driver answers, and however often, at most the first answer changes the offer', () => {
  const tries = fc.array(
    fc.record({
      action: fc.constantFrom<DriverAnswer>('accept', 'decline'),
      atMs: fc.integer({ min: 0, max: 30_000 }),
    }),
  );
  fc.assert(
    fc.property(tries, (answers) => {
      let status: OfferStatus = 'open';
      let changes = 0;
      for (const { action, atMs } of answers.toSorted((a, b) => a.atMs - b.atMs)) {
        const now = new Date(expiresAt.getTime() - 15_000 + atMs);
        try {
          const outcome = answer({ status, expiresAt }, action, now);
          if (outcome === null) expect(status).toBe(OUTCOME[action]);
          else {
            changes += 1;
            status = OUTCOME[outcome];
            if (outcome !== 'expire') expect(now < expiresAt).toBe(true);
          }
        } catch (error) {
          expect(error).toMatchObject({ kind: 'conflict' });
          expect(status).not.toBe('open');
        }
      }
      expect(changes).toBe(answers.length === 0 ? 0 : 1);
    }),
  );
});
