import { And, In, IsNull, LessThan, LessThanOrEqual, MoreThan, MoreThanOrEqual, type FindOptionsWhere } from 'typeorm';

type Scalar = string | number | boolean;
type Comparable = number | Date;

/** Numbers and times only: databases order text by rules of their own. A null is within no bounds. */
export interface Bounds<Value extends Comparable = Comparable> {
  lt?: Value;
  lte?: Value;
  gt?: Value;
  gte?: Value;
}

type Condition<Value> =
  | (NonNullable<Value> extends Scalar ? Value | readonly NonNullable<Value>[] : never)
  | (NonNullable<Value> extends Comparable ? Bounds<NonNullable<Value>> | Extract<Value, null> : never);

/** Equality (null too), membership (a list) or bounds, on columns of one row: exactly what SQL and memory decide alike. */
export type Conditions<Row> = { [Column in keyof Row]?: Condition<Row[Column]> };

const BOUNDS = {
  lt: { holds: (value: Comparable, bound: Comparable) => value < bound, toWhere: LessThan },
  lte: { holds: (value: Comparable, bound: Comparable) => value <= bound, toWhere: LessThanOrEqual },
  gt: { holds: (value: Comparable, bound: Comparable) => value > bound, toWhere: MoreThan },
  gte: { holds: (value: Comparable, bound: Comparable) => value >= bound, toWhere: MoreThanOrEqual },
};

/**
 * Whether the row meets every condition.
 * @throws TypeError for what would silently match every row
 */
export function holds<Row extends object>(conditions: Conditions<Row>, row: Row): boolean {
  return stated(conditions).every(([column, condition]) => {
    const value = (row as Record<string, unknown>)[column] ?? null;
    if (Array.isArray(condition)) return condition.includes(value);
    if (!isBounds(condition)) return value === condition;
    return value !== null && bounds(condition).every(([name, bound]) => BOUNDS[name].holds(value as Comparable, bound));
  });
}

/** The same for SQL. */
export function toWhere<Row>(conditions: Conditions<Row>): FindOptionsWhere<Row> {
  return Object.fromEntries(
    stated(conditions).map(([column, condition]) => {
      if (Array.isArray(condition)) return [column, In(condition)];
      if (isBounds(condition))
        return [column, And(...bounds(condition).map(([name, bound]) => BOUNDS[name].toWhere(bound)))];
      return [column, condition === null ? IsNull() : condition];
    }),
  ) as FindOptionsWhere<Row>;
}

function stated<Row>(conditions: Conditions<Row>): [string, unknown][] {
  const entries = Object.entries(conditions);
  // An undefined condition would match every row; a rule that has conditions must state them.
  for (const [column, condition] of entries)
    if (condition === undefined) throw new TypeError(`a policy's condition on ${column} is undefined`);
  if (entries.length === 0) throw new TypeError('a policy rule with `when` states no condition');
  return entries;
}

const isBounds = (condition: unknown): condition is Bounds => typeof condition === 'object' && condition !== null;

function bounds(condition: Bounds): [keyof Bounds, Comparable][] {
  const entries = Object.entries(condition) as [keyof Bounds, unknown][];
  for (const [name, bound] of entries)
    if (!(name in BOUNDS) || !(typeof bound === 'number' || bound instanceof Date) || Number.isNaN(Number(bound)))
      throw new TypeError(`a policy's bound ${name} is neither a number nor a time`);
  if (entries.length === 0) throw new TypeError("a policy's bounds are empty");
  return entries as [keyof Bounds, Comparable][];
}
