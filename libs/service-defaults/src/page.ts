import { z } from 'zod';
import { RequestInvalid } from './problem.ts';

export interface Page<Item> {
  items: Item[];
  /** Pass it back as `cursor` for what follows; null on the last page. */
  nextCursor: string | null;
}

/** Query of every list: `@Query({ schema: PageQuery }) query: PageQuery`. */
export const PageQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(100).default(20),
  cursor: z.string().min(1).max(500).optional(),
});
export type PageQuery = z.infer<typeof PageQuery>;

/** The answer's shape, for OpenAPI. */
export const pageOf = <Item extends z.ZodType>(item: Item) =>
  z.strictObject({ items: z.array(item), nextCursor: z.string().nullable() });

/**
 * Makes a page of up to `limit` items from `found`, for which the caller asked the database for `limit + 1`
 * rows: the one too many only tells that there is more. `cursorOf` gives the position of an item in the order.
 */
export function page<Item>(found: Item[], limit: number, cursorOf: (item: Item) => string): Page<Item> {
  const items = found.slice(0, limit);
  const last = items.at(-1);
  const more = found.length > limit && last !== undefined;
  return { items, nextCursor: more ? Buffer.from(cursorOf(last)).toString('base64url') : null };
}

/**
 * The position that `page` put into a cursor, checked by `schema` (for a UUID: `z.uuid()`), or undefined for
 * the first page.
 * @throws RequestInvalid for anything else: clients must not be able to put their own things into a query.
 */
export function positionOf<Schema extends z.ZodType>(query: PageQuery, schema: Schema): z.infer<Schema> | undefined {
  if (query.cursor === undefined) return undefined;
  const parsed = schema.safeParse(Buffer.from(query.cursor, 'base64url').toString());
  if (parsed.success) return parsed.data;
  throw new RequestInvalid([{ path: 'cursor', message: 'is not a cursor of this list' }]);
}
