import { claimedRole } from './claimed-role.ts';
import type { TrustedIssuer } from './variables.ts';

const OURS: TrustedIssuer = { issuer: 'https://a.test', algorithm: 'ES256', roles: ['operator', 'driver'] };
const KEYCLOAK: TrustedIssuer = {
  ...OURS,
  roleClaim: 'realm_access.roles',
  roleNames: { 'fleet-desk': 'operator', desk: 'operator', cabbie: 'driver', rider: 'passenger' },
};
const AUTH0: TrustedIssuer = { ...OURS, roleClaim: 'https://a.test/roles' };
const roles = (...names: unknown[]) => ({ realm_access: { roles: names } });

describe('the role that claims say', () => {
  it.each([
    ['the name itself', OURS, { role: 'operator' }, 'operator'],
    ['one that the issuer may not grant', OURS, { role: 'passenger' }, undefined],
    ['a list where a name belongs', OURS, { role: ['operator'] }, undefined],
    ['nothing', OURS, {}, undefined],
    ['inherited', OURS, Object.create({ role: 'operator' }) as object, undefined],
    ['by their name, in a list, at a path', KEYCLOAK, roles('offline_access', 'fleet-desk'), 'operator'],
    ['by their name, alone', KEYCLOAK, { realm_access: { roles: 'cabbie' } }, 'driver'],
    ['two names for one role', KEYCLOAK, roles('desk', 'fleet-desk'), 'operator'],
    ['two roles', KEYCLOAK, roles('desk', 'cabbie'), undefined],
    ['our own name, which is not theirs', KEYCLOAK, roles('operator'), undefined],
    ['a name for a role that they may not grant', KEYCLOAK, roles('rider'), undefined],
    ['the name of what every object has', KEYCLOAK, roles('constructor', '__proto__'), undefined],
    ['no names', KEYCLOAK, roles({ desk: 1 }, 7, null), undefined],
    ['in a claim beside the path', KEYCLOAK, { role: 'operator' }, undefined],
    ['a path through text', KEYCLOAK, { realm_access: 'desk' }, undefined],
    ['in a claim that is named like a URL', AUTH0, { 'https://a.test/roles': ['operator'] }, 'operator'],
  ])('%s', (_, issuer, claims, role) => {
    expect(claimedRole(issuer, claims)).toBe(role);
  });
});
