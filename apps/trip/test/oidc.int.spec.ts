import { decodeJwt, decodeProtectedHeader } from 'jose';
import { startPlatform, type Platform } from './harness.ts';
import { startOrganisation, type Organisation } from './oidc-provider.ts';

let organisation: Organisation;
let platform: Platform;

beforeAll(async () => {
  organisation = await startOrganisation({ olga: ['offline_access', 'fleet-desk'], dan: ['operator'], pam: [] });
  const trusted = {
    issuer: organisation.issuer,
    discovery: true,
    roles: ['operator'],
    roleClaim: 'realm_access.roles',
    roleNames: { 'fleet-desk': 'operator', cabbie: 'driver' },
  };
  platform = await startPlatform({ TRUSTED_ISSUERS: JSON.stringify([trusted]) });
});
afterAll(async () => {
  await platform.stop();
  await organisation.stop();
});

const OPERATORS_ROUTE = '/v1/ops/outbox';
const ask = (token: string, path = OPERATORS_ROUTE) => platform.call<{ code?: string }>('GET', path, { as: { token } });

it('somebody who signs in at the organisation’s own provider is an operator here', async () => {
  const { access_token: token } = await organisation.signIn('olga');
  expect(decodeProtectedHeader(token)).toMatchObject({ typ: 'at+jwt', alg: 'ES256' });
  expect(decodeJwt(token)).toMatchObject({ iss: organisation.issuer, aud: 'trip', sub: 'olga' });
  expect((await ask(token)).status).toBe(200);
  expect((await ask(token, '/v1/trips')).status).toBe(200);
});

it.each([
  ['has no role', 'pam'],
  ['has a role of our name, which is not theirs', 'dan'],
  ['nobody knows', 'eve'],
])('somebody who %s is nobody', async (_, login) => {
  const { access_token: token } = await organisation.signIn(login);
  expect(await ask(token)).toMatchObject({ status: 401, body: { code: 'TOKEN_INVALID' } });
});

it('an ID token is not an access token', async () => {
  const { id_token: token } = await organisation.signIn('olga');
  expect((await ask(token)).status).toBe(401);
});

it('a token for another resource is not one for us', async () => {
  const { access_token: token } = await organisation.signIn('olga', organisation.WEB);
  expect(decodeJwt(token).aud).toBe('web');
  expect((await ask(token)).status).toBe(401);
});

it('an opaque token says nothing', async () => {
  const { access_token: token } = await organisation.signIn('olga', null);
  expect((await ask(token)).status).toBe(401);
});

it('goes on while the provider is away', async () => {
  const { access_token: token } = await organisation.signIn('olga');
  await organisation.stop();
  expect((await ask(token)).status).toBe(200);
});
