import type { DomainError } from '@cabstand/contracts';
import { In, IsNull } from 'typeorm';
import { definePolicy, type Policy } from './policy.ts';
import type { Principal } from './principal.ts';

interface Parcel {
  ownerIssuer: string;
  ownerId: string;
  courierId: string | null;
  state: 'packed' | 'sent' | 'lost';
}

const parcelPolicy: Policy<Parcel, 'read' | 'send' | 'adopt' | 'burn'> = definePolicy('Parcel', [
  { role: 'passenger', can: ['read', 'send'], when: (me) => ({ ownerIssuer: me.issuer, ownerId: me.subject }) },
  { role: 'passenger', can: ['read'], when: () => ({ state: 'lost' }) },
  { role: 'driver', can: ['read'], when: (me) => ({ courierId: me.subject, state: ['packed', 'sent'] }) },
  { role: 'driver', can: ['adopt'], when: () => ({ courierId: null }) },
  { role: 'operator', can: ['read'] },
]);

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
  ] as const)('%s', (_, me, action, row, expected) => {
    expect(parcelPolicy.allows(me, action, row)).toBe(expected);
  });

  it('answers for absent and foreign rows alike', () => {
    const eve = principal('passenger', 'eve');
    for (const row of [null, undefined, parcel()]) {
      const check: () => void = () => parcelPolicy.check(eve, 'read', row);
      expect(check).toThrow(expect.objectContaining({ code: 'NOT_FOUND' }) as DomainError);
    }
    expect(() => parcelPolicy.check(principal('passenger'), 'read', parcel())).not.toThrow();
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
  });

  it('has no filter for those whom no rule grants anything', () => {
    // `[]` would be TypeORM's "everything".
    expect(() => parcelPolicy.where(principal('operator'), 'burn')).toThrow(
      expect.objectContaining({ code: 'ROLE_FORBIDDEN' }) as DomainError,
    );
  });

  it('refuses conditions that would silently match everything', () => {
    const me = principal('passenger');
    const careless = (condition: { ownerId?: string }): Policy<Parcel> =>
      definePolicy('Parcel', [{ role: 'passenger', can: ['read'], when: () => condition }]);
    for (const condition of [{ ownerId: undefined }, {}]) {
      expect(() => careless(condition).where(me, 'read')).toThrow(TypeError);
      expect(() => careless(condition).allows(me, 'read', parcel())).toThrow(TypeError);
    }
  });
});
