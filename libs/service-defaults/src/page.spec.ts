import fc from 'fast-check';
import { z } from 'zod';
import { page, positionOf } from './page.ts';

test('walks through every item once, in order, for any length and limit', () => {
  fc.assert(
    fc.property(fc.nat(60), fc.integer({ min: 1, max: 20 }), (length, limit) => {
      const items = Array.from({ length }, (_, index) => index + 1);
      const seen: number[] = [];
      let cursor: string | null | undefined;
      do {
        const after = Number(positionOf({ limit, cursor: cursor ?? undefined }, z.string()) ?? 0);
        const answer = page(items.slice(after, after + limit + 1), limit, String);
        expect(answer.items.length).toBeLessThanOrEqual(limit);
        seen.push(...answer.items);
        cursor = answer.nextCursor;
      } while (cursor !== null);
      expect(seen).toEqual(items);
    }),
  );
});

test('refuses a cursor that it didn’t make', () => {
  expect(() => positionOf({ limit: 1, cursor: 'x' }, z.uuid())).toThrow(
    expect.objectContaining({ code: 'REQUEST_INVALID' }),
  );
});
