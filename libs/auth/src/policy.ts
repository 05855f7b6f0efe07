import { Ability, fieldPatternMatcher, type MatchConditions } from '@casl/ability';
import { DomainError, type Role } from '@cabstand/contracts';
import type { FindOptionsWhere } from 'typeorm';
import { holds, toWhere, type Conditions } from './conditions.ts';
import { inForm, type Form } from './forms.ts';
import type { Principal } from './principal.ts';

export interface PolicyRule<Row, Action extends string = string> {
  role: Role;
  can: readonly Action[];
  /** Which rows; all of them when left out. */
  when?: (me: Principal, now: Date) => Conditions<Row>;
}

/** What one sees of a row that one may read. Where several rules hold, the form that shows most. */
export interface FieldRule<Row, Field extends string = string> {
  role: Role;
  sees: readonly Field[];
  /** In full when left out. */
  as?: Form;
  /** Only to who says why they look (`Principal.accessReason`). */
  withReason?: true;
  when?: (me: Principal, now: Date) => Conditions<Row>;
}

/** Who may do what with which rows of one kind, and sees what of them. What no rule grants is refused. */
export interface Policy<Row, Action extends string = string, Field extends string = never> {
  readonly name: string;
  /** Whether the role may do it to any row at all: what the guard asks before anything is loaded. */
  grants(role: Role, action: Action): boolean;
  /** Whether any role may: an action without a rule is a mistake that stops the start. */
  knows(action: Action): boolean;
  allows(me: Principal, action: Action, row: Row, now?: Date): boolean;
  /** @throws AccessDenied NOT_FOUND when there is no row or it isn't theirs: the answer doesn't tell which. */
  check<Found extends Row>(
    me: Principal,
    action: Action,
    row: Found | null | undefined,
    now?: Date,
  ): asserts row is Found;
  /**
   * The same decision as a filter for lists.
   * @throws AccessDenied ROLE_FORBIDDEN where no rule grants anything: TypeORM takes an empty filter for "all"
   */
  where(me: Principal, action: Action, now?: Date): FindOptionsWhere<Row>[];
  /** Shows each field of the row in the form that is theirs to see; undefined where they see nothing of it. */
  view(me: Principal, row: Row, now?: Date): <Value>(field: Field, value: Value) => Value | undefined;
}

/** A policy said no, to somebody who is known: a security event, unlike a request that is merely wrong. */
export class AccessDenied extends DomainError {}

/** What a decision is about. */
interface Question<Row> {
  me: Principal;
  row: Row;
  now: Date;
}
type Matcher<Row> = (question: Question<Row>) => boolean;
type RoleAbility<Row> = Ability<[string, string | Question<Row>], Matcher<Row>>;

const FORMS_BY_CANDOUR: readonly Form[] = ['masked', 'coarse', 'whole'];

/**
 * Declares the policy of one kind of row, as data. State the constant's type: TypeScript wants it where
 * `check` narrows, and infers the rest from it.
 *
 * ```ts
 * const tripPolicy: Policy<Trip, 'read' | 'cancel', 'pickup'> = definePolicy('Trip', [
 *   { role: 'passenger', can: ['read', 'cancel'], when: (me) => ({ passengerIssuer: me.issuer, passengerId: me.subject }) },
 *   { role: 'operator', can: ['read'] },
 * ], [
 *   { role: 'passenger', sees: ['pickup'] },
 *   { role: 'operator', sees: ['pickup'], as: 'coarse' },
 * ]);
 * ```
 */
export function definePolicy<Row extends object, Action extends string = string, Field extends string = never>(
  name: string,
  rules: readonly PolicyRule<NoInfer<Row>, NoInfer<Action>>[],
  fieldRules: readonly FieldRule<NoInfer<Row>, NoInfer<Field>>[] = [],
): Policy<Row, Action, Field> {
  // One for each role, for good: who asks, and when, is part of the question.
  const abilities = new Map<Role, RoleAbility<Row>>();
  const abilityOf = (role: Role): RoleAbility<Row> => {
    const ability = abilities.get(role) ?? createAbility(name, role, rules, fieldRules);
    abilities.set(role, ability);
    return ability;
  };
  const rulesFor = (role: Role, action: Action) =>
    rules.filter((rule) => rule.role === role && rule.can.includes(action));
  const allows = (me: Principal, action: Action, row: Row, now = new Date()) =>
    abilityOf(me.role).can(`do ${action}`, { me, row, now });

  return {
    name,
    grants: (role, action) => rulesFor(role, action).length > 0,
    knows: (action) => rules.some((rule) => rule.can.includes(action)),
    allows,
    check(me, action, row, now) {
      if (!row) throw new DomainError('NOT_FOUND');
      if (!allows(me, action, row, now)) throw new AccessDenied('NOT_FOUND');
    },
    where(me, action, now = new Date()) {
      const granted = rulesFor(me.role, action);
      if (granted.length === 0) throw new AccessDenied('ROLE_FORBIDDEN');
      // Beside others TypeORM would drop the alternative that says nothing, which is the one that allows everything.
      if (granted.some((rule) => !rule.when)) return [{}];
      return granted.map((rule) => toWhere(rule.when!(me, now)));
    },
    view(me, row, now = new Date()) {
      const ability = abilityOf(me.role);
      const forms = new Map<string, Form>();
      // Each rule is asked once for all its fields; the most candid comes last and stays.
      for (const form of FORMS_BY_CANDOUR)
        for (const rule of ability.possibleRulesFor(`see ${form}`, name))
          if (rule.matchesConditions({ me, row, now })) for (const field of rule.fields ?? []) forms.set(field, form);
      return (field, value) => {
        const form = forms.get(field);
        return form && inForm(form, value);
      };
    },
  };
}

function createAbility<Row extends object>(
  subject: string,
  role: Role,
  rules: readonly PolicyRule<Row>[],
  fieldRules: readonly FieldRule<Row>[],
): RoleAbility<Row> {
  const matcher =
    ({ when, withReason }: Pick<FieldRule<Row>, 'when' | 'withReason'>): Matcher<Row> =>
    ({ me, row, now }) =>
      (!withReason || me.accessReason !== undefined) && (!when || holds(when(me, now), row));
  return new Ability<[string, string | Question<Row>], Matcher<Row>>(
    [
      ...rules
        .filter((rule) => rule.role === role)
        .map((rule) => ({ action: rule.can.map((action) => `do ${action}`), subject, conditions: matcher(rule) })),
      ...fieldRules
        .filter((rule) => rule.role === role)
        .map((rule) => ({
          action: `see ${rule.as ?? 'whole'}`,
          subject,
          fields: [...rule.sees],
          conditions: matcher(rule),
        })),
    ],
    {
      // CASL's own type for what it asks about is any object; here it is always a question.
      conditionsMatcher: (matches: Matcher<Row>) => matches as unknown as MatchConditions,
      fieldMatcher: fieldPatternMatcher,
      detectSubjectType: () => subject,
    },
  );
}
