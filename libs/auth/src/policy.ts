import { createMongoAbility, type MongoAbility } from '@casl/ability';
import { DomainError, type Role } from '@cabstand/contracts';
import { In, IsNull, type FindOptionsWhere } from 'typeorm';
import type { Principal } from './principal.ts';

type Scalar = string | number | boolean;

/** Equality (null too) or membership, on columns of one row: exactly what SQL and memory decide alike. */
export type Conditions<Row> = {
  [Column in keyof Row]?: Row[Column] extends Scalar | null ? Row[Column] | readonly NonNullable<Row[Column]>[] : never;
};

export interface PolicyRule<Row, Action extends string = string> {
  role: Role;
  can: readonly Action[];
  /** Which rows; all of them when left out. */
  when?: (me: Principal) => Conditions<Row>;
}

/** Who may do what with which rows of one kind. What no rule grants is refused. */
export interface Policy<Row, Action extends string = string> {
  readonly name: string;
  /** Whether the role may do it to any row at all: what the guard asks before anything is loaded. */
  grants(role: Role, action: Action): boolean;
  allows(me: Principal, action: Action, row: Row): boolean;
  /** @throws DomainError NOT_FOUND when there is no row or it isn't theirs: the answer doesn't tell which. */
  check<Found extends Row>(me: Principal, action: Action, row: Found | null | undefined): asserts row is Found;
  /**
   * The same decision as a filter for lists.
   * @throws DomainError ROLE_FORBIDDEN where no rule grants anything: TypeORM takes an empty filter for "all"
   */
  where(me: Principal, action: Action): FindOptionsWhere<Row>[];
}

/**
 * Declares the policy of one kind of row, as data. State the constant's type: TypeScript wants it where
 * `check` narrows, and infers the rest from it.
 *
 * ```ts
 * const tripPolicy: Policy<Trip, 'read' | 'cancel'> = definePolicy('Trip', [
 *   { role: 'passenger', can: ['read', 'cancel'], when: (me) => ({ passengerIssuer: me.issuer, passengerId: me.subject }) },
 *   { role: 'operator', can: ['read'] },
 * ]);
 * ```
 */
export function definePolicy<Row extends object, Action extends string = string>(
  name: string,
  rules: readonly PolicyRule<NoInfer<Row>, NoInfer<Action>>[],
): Policy<Row, Action> {
  // A principal lives as long as its request, and is asked about more than one row in lists and streams.
  const abilities = new WeakMap<Principal, MongoAbility>();
  const rulesFor = (role: Role, action: Action) =>
    rules.filter((rule) => rule.role === role && rule.can.includes(action));

  const abilityOf = (me: Principal): MongoAbility => {
    let ability = abilities.get(me);
    if (!ability) {
      ability = createMongoAbility(
        rules
          .filter((rule) => rule.role === me.role)
          .map((rule) => ({
            action: [...rule.can],
            subject: name,
            conditions: rule.when && toQuery(conditionsOf(rule, me)),
          })),
        { detectSubjectType: () => name },
      );
      abilities.set(me, ability);
    }
    return ability;
  };

  const allows = (me: Principal, action: Action, row: Row) => abilityOf(me).can(action, row);

  return {
    name,
    grants: (role, action) => rulesFor(role, action).length > 0,
    allows,
    check(me, action, row) {
      if (!row || !allows(me, action, row)) throw new DomainError('NOT_FOUND');
    },
    where(me, action) {
      const granted = rulesFor(me.role, action);
      if (granted.length === 0) throw new DomainError('ROLE_FORBIDDEN');
      const alternatives = granted.map((rule) => (rule.when ? conditionsOf(rule, me) : []));
      // Beside others TypeORM would drop the alternative that says nothing, which is the one that allows everything.
      return alternatives.some((conditions) => conditions.length === 0) ? [{}] : alternatives.map(toWhere<Row>);
    },
  };
}

function conditionsOf<Row, Action extends string>(rule: PolicyRule<Row, Action>, me: Principal): [string, unknown][] {
  const entries = Object.entries(rule.when!(me));
  for (const [column, value] of entries)
    // An undefined condition would match every row; a rule that has conditions must state them.
    if (value === undefined) throw new TypeError(`a policy's condition on ${column} is undefined`);
  if (entries.length === 0) throw new TypeError('a policy rule with `when` states no condition');
  return entries;
}

const toQuery = (conditions: [string, unknown][]) =>
  Object.fromEntries(
    conditions.map(([column, value]) => [column, Array.isArray(value) ? { $in: value } : { $eq: value }]),
  );

function toWhere<Row>(conditions: [string, unknown][]): FindOptionsWhere<Row> {
  return Object.fromEntries(
    conditions.map(([column, value]) => [column, Array.isArray(value) ? In(value) : value === null ? IsNull() : value]),
  ) as FindOptionsWhere<Row>;
}
