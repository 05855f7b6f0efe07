import type { DomainError } from '@cabstand/contracts';
import { And, In, IsNull, LessThan, MoreThanOrEqual } from 'typeorm';
import type { Conditions } from './conditions.ts';
import { AccessDenied, definePolicy, type Policy } from './policy.ts';
import type { Principal } from './principal.ts';

interface Parcel {
  ownerIssuer: string;
  ownerId: string;
  courierId: string | null;
  state: 'packed' | 'sent' | 'lost';
  weightG: number | null;
  sentAt: Date | null;
  label?: { street: string; place: { lat: number; lng: number } };
}
type Field = 'street' | 'place' | 'weightG';
const DAY_MS = 86_400_000;
const NOW = new Date('2026-03-01T12:00:00Z');
const ago = (ms: number) => new Date(NOW.getTime() - ms);

type Action = 'read' | 'send' | 'adopt' | 'burn' | 'weigh' | 'trace';
const parcelPolicy: Policy<Parcel, Action, Field> = definePolicy<Parcel, Action, Field>(
  'Parcel',
  [
    { role: 'passenger', can: ['read', 'send'], when: (me) => ({ ownerIssuer: me.issuer, ownerId: me.subject }) },
    { role: 'passenger', can: ['read'], when: () => ({ state: 'lost' }) },
    { role: 'driver', can: ['read'], when: (me) => ({ courierId: me.subject, state: ['packed', 'sent'] }) },
    { role: 'driver', can: ['adopt'], when: () => ({ courierId: null }) },
    { role: 'operator', can: ['read'] },
    { role: 'operator', can: ['weigh'], when: () => ({ weightG: { gte: 100, lt: 200 } }) },
    { role: 'operator', can: ['trace'], when: (_, now) => ({ sentAt: { gte: new Date(now.getTime() - DAY_MS) } }) },
  ],
  [
    { role: 'passenger', sees: ['street', 'place'], when: (me) => ({ ownerId: me.subject }) },
    {
      role: 'driver',
      sees: ['street', 'place'],
      when: (_, now) => ({ sentAt: { gte: new Date(now.getTime() - DAY_MS) } }),
    },
    { role: 'driver', sees: ['place'], as: 'coarse' },
    { role: 'operator', sees: ['street'], as: 'masked' },
    { role: 'operator', sees: ['street', 'place'], withReason: true },
  ],
);

const principal = (role: Principal['role'], subject = 'ann', issuer = 'https://a.test'): Principal => ({
  issuer,
  subject,
  role,
  sessionId: null,
  clientId: 'test',
  expiresAt: new Date(0),
});
const parcel = (changes: Partial<Parcel> = {}): Parcel => ({
  ownerIssuer: 'https://a.test',
  ownerId: 'ann',
  courierId: 'bob',
  state: 'packed',
  weightG: null,
  sentAt: null,
  ...changes,
});

describe('a policy', () => {
  it.each([
    ['the owner reads', principal('passenger'), 'read', parcel(), true],
    ['the owner acts', principal('passenger'), 'send', parcel(), true],
    ['another of the same role does not', principal('passenger', 'eve'), 'read', parcel(), false],
    [
      'the same id from another issuer does not',
      principal('passenger', 'ann', 'https://b.test'),
      'read',
      parcel(),
      false,
    ],
    ['a second rule adds rows', principal('passenger', 'eve'), 'read', parcel({ state: 'lost' }), true],
    ['but only for its own actions', principal('passenger', 'eve'), 'send', parcel({ state: 'lost' }), false],
    ['membership holds', principal('driver', 'bob'), 'read', parcel({ state: 'sent' }), true],
    ['membership fails', principal('driver', 'bob'), 'read', parcel({ state: 'lost' }), false],
    ['every condition has to hold', principal('driver', 'bob'), 'read', parcel({ courierId: 'dan' }), false],
    ['null equals null', principal('driver', 'bob'), 'adopt', parcel({ courierId: null }), true],
    ['a value is not null', principal('driver', 'bob'), 'adopt', parcel(), false],
    ['no conditions: every row', principal('operator'), 'read', parcel(), true],
    ['what no rule grants is refused', principal('operator'), 'burn', parcel(), false],
    ['another role has no rule', principal('driver', 'ann'), 'send', parcel(), false],
    ['a bound that is included', principal('operator'), 'weigh', parcel({ weightG: 100 }), true],
    ['a bound that is not', principal('operator'), 'weigh', parcel({ weightG: 200 }), false],
    ['within no bounds: null', principal('operator'), 'weigh', parcel(), false],
    ['not yet too long ago', principal('operator'), 'trace', parcel({ sentAt: ago(DAY_MS) }), true],
    ['too long ago', principal('operator'), 'trace', parcel({ sentAt: ago(DAY_MS + 1) }), false],
  ] as const)('%s', (_, me, action, row, expected) => {
    expect(parcelPolicy.allows(me, action, row, NOW)).toBe(expected);
  });

  it.each<[string, Principal, Partial<Parcel>, unknown, unknown]>([
    ['the owner sees all of it', principal('passenger'), {}, 'Elm St', { lat: 52.51628, lng: 13.37771 }],
    ['another sees nothing', principal('passenger', 'eve'), {}, undefined, undefined],
    [
      'the courier sees it while it is fresh',
      principal('driver'),
      { sentAt: NOW },
      'Elm St',
      { lat: 52.51628, lng: 13.37771 },
    ],
    [
      'and roughly where it was afterwards',
      principal('driver'),
      { sentAt: ago(2 * DAY_MS) },
      undefined,
      { lat: 52.52, lng: 13.38 },
    ],
    ['an operator sees that there is something', principal('operator'), {}, '***', undefined],
    [
      'and what, with a reason',
      { ...principal('operator'), accessReason: 'a lost one' },
      {},
      'Elm St',
      { lat: 52.51628, lng: 13.37771 },
    ],
    [
      'a reason helps nobody else',
      { ...principal('passenger', 'eve'), accessReason: 'curious' },
      {},
      undefined,
      undefined,
    ],
  ])('shows fields: %s', (_, me, changes, street, place) => {
    const show = parcelPolicy.view(me, parcel(changes), NOW);
    expect([show('street', 'Elm St'), show('place', { lat: 52.51628, lng: 13.37771 }), show('weightG', 1)]).toEqual([
      street,
      place,
      undefined,
    ]);
  });

  it('shows nothing where a policy asks for a form that the value has not', () => {
    const show = parcelPolicy.view(principal('operator'), parcel());
    expect(() => show('street', 4711)).toThrow(TypeError);
    expect(show('street', null)).toBeNull();
  });

  it('answers for absent and foreign rows alike', () => {
    const eve = principal('passenger', 'eve');
    for (const row of [null, undefined, parcel()]) {
      const check: () => void = () => parcelPolicy.check(eve, 'read', row);
      expect(check).toThrow(expect.objectContaining({ code: 'NOT_FOUND' }) as DomainError);
    }
    expect(() => parcelPolicy.check(principal('passenger'), 'read', parcel())).not.toThrow();
    // Only the second is somebody's trying: that is how denials are counted.
    expect(() => parcelPolicy.check(eve, 'read', null)).not.toThrow(AccessDenied);
    expect(() => parcelPolicy.check(eve, 'read', parcel())).toThrow(AccessDenied);
  });

  it('tells the guard which roles have any business there', () => {
    expect(parcelPolicy.grants('driver', 'adopt')).toBe(true);
    expect(parcelPolicy.grants('driver', 'send')).toBe(false);
  });

  it('becomes a filter for lists: one alternative for each rule', () => {
    expect(parcelPolicy.where(principal('passenger'), 'read')).toEqual([
      { ownerIssuer: 'https://a.test', ownerId: 'ann' },
      { state: 'lost' },
    ]);
    expect(parcelPolicy.where(principal('driver', 'bob'), 'read')).toEqual([
      { courierId: 'bob', state: In(['packed', 'sent']) },
    ]);
    expect(parcelPolicy.where(principal('driver'), 'adopt')).toEqual([{ courierId: IsNull() }]);
    expect(parcelPolicy.where(principal('operator'), 'read')).toEqual([{}]);
    expect(parcelPolicy.where(principal('operator'), 'weigh')).toEqual([
      { weightG: And(MoreThanOrEqual(100), LessThan(200)) },
    ]);
    expect(parcelPolicy.where(principal('operator'), 'trace', NOW)).toEqual([
      { sentAt: And(MoreThanOrEqual(ago(DAY_MS))) },
    ]);
  });

  it('has no filter for those whom no rule grants anything', () => {
    // `[]` would be TypeORM's "everything".
    expect(() => parcelPolicy.where(principal('operator'), 'burn')).toThrow(
      expect.objectContaining({ code: 'ROLE_FORBIDDEN' }) as DomainError,
    );
  });

  it('refuses conditions that would silently match everything', () => {
    const me = principal('passenger');
    const careless = (condition: object): Policy<Parcel> =>
      definePolicy('Parcel', [{ role: 'passenger', can: ['read'], when: () => condition as Conditions<Parcel> }]);
    const bounds = [{}, { lte: undefined }, { lte: null }, { gt: 'a' }, { gt: new Date(Number.NaN) }, { above: 1 }];
    for (const condition of [{ ownerId: undefined }, {}, ...bounds.map((weightG) => ({ weightG }))]) {
      expect(() => careless(condition).where(me, 'read')).toThrow(TypeError);
      expect(() => careless(condition).allows(me, 'read', parcel({ weightG: 1 }))).toThrow(TypeError);
    }
  });
});
