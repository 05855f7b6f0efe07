import { createHash, randomBytes } from 'node:crypto';
import { createLocalJWKSet, decodeJwt, exportJWK, generateKeyPair, jwtVerify, type JWK } from 'jose';
import { freePort } from '../../infra/ports.ts';
import { startIdentityProvider } from './identity-provider.ts';

const WEB = 'http://localhost:4200';
const CLIENT = 'cabstand-web';
let issuer: string;
let publicKey: JWK;
let stop: () => Promise<void>;

beforeAll(async () => {
  const pair = await generateKeyPair('ES256', { extractable: true });
  const key = { ...(await exportJWK(pair.privateKey)), kid: 'development', alg: 'ES256', use: 'sig' };
  publicKey = { ...(await exportJWK(pair.publicKey)), kid: 'development', alg: 'ES256' };
  issuer = `http://localhost:${await freePort()}`;
  ({ stop } = await startIdentityProvider({ issuer, key, webUrl: WEB }));
});
afterAll(() => stop());

const verifier = randomBytes(32).toString('base64url');
const GOOD = {
  client_id: CLIENT,
  redirect_uri: `${WEB}/`,
  response_type: 'code',
  scope: 'openid',
  state: 'x',
  code_challenge: createHash('sha256').update(verifier).digest('base64url'),
  code_challenge_method: 'S256',
};

/** A browser: keeps cookies and follows redirects until they lead to the pages, or nowhere. */
class Browser {
  readonly #cookies = new Map<string, string>();

  async authorize(changes: Record<string, string | undefined> = {}): Promise<URLSearchParams> {
    const wanted = Object.entries({ ...GOOD, ...changes }).filter((entry): entry is [string, string] => !!entry[1]);
    let next = new URL(`${issuer}/auth?${new URLSearchParams(wanted)}`);
    while (next.origin === issuer) {
      const cookie = [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ');
      const response = await fetch(next, { redirect: 'manual', headers: { cookie } });
      for (const set of response.headers.getSetCookie()) {
        const [, name, value] = /^([^=]+)=([^;]*)/.exec(set)!;
        this.#cookies.set(name!, value!);
      }
      const location = response.headers.get('location');
      if (!location) return new URLSearchParams({ error: `status ${response.status}` });
      next = new URL(location, next);
    }
    expect(next.origin + next.pathname).toBe(`${WEB}/`);
    return next.searchParams;
  }
}

const exchange = (form: Record<string, string>, origin = WEB) =>
  fetch(`${issuer}/token`, {
    method: 'POST',
    headers: { origin },
    body: new URLSearchParams({ client_id: CLIENT, ...form }),
  });
const redeem = (code: string, codeVerifier = verifier, origin = WEB) =>
  exchange({ grant_type: 'authorization_code', redirect_uri: `${WEB}/`, code, code_verifier: codeVerifier }, origin);

it('signs the local operator in without a question, and again from the session', async () => {
  const browser = new Browser();
  // Nothing to be silent about yet.
  expect((await browser.authorize({ prompt: 'none' })).get('error')).toBe('login_required');
  const first = await browser.authorize();
  const answer = await redeem(first.get('code')!);
  expect(answer.headers.get('access-control-allow-origin')).toBe(WEB);
  const { access_token: token, refresh_token: refreshToken } = (await answer.json()) as Record<string, string>;
  const { payload, protectedHeader } = await jwtVerify(token!, createLocalJWKSet({ keys: [publicKey] }), { issuer });
  expect(protectedHeader).toMatchObject({ typ: 'at+jwt', alg: 'ES256', kid: 'development' });
  expect(payload).toMatchObject({
    ...{ aud: ['passenger', 'driver', 'trip'], role: 'operator', client_id: CLIENT },
    ...{ sub: '00000000-0000-7000-8000-000000000001', jti: expect.any(String) as string },
  });

  const renewed = await exchange({ grant_type: 'refresh_token', refresh_token: refreshToken! });
  const { access_token: second } = (await renewed.json()) as Record<string, string>;
  expect(decodeJwt(second!)).toMatchObject({ aud: payload.aud, role: 'operator', sub: payload.sub });
  expect((await browser.authorize({ prompt: 'none' })).get('code')).toEqual(expect.any(String));
});

it.each([
  ['without PKCE', { code_challenge: undefined, code_challenge_method: undefined }, 'invalid_request'],
  ['with a bare challenge', { code_challenge_method: 'plain' }, 'invalid_request'],
  ['as another client', { client_id: 'mallory' }, 'status 400'],
  ['to be sent elsewhere', { redirect_uri: 'http://localhost:9/' }, 'status 400'],
])('lets nobody sign in %s', async (_, changes, error) => {
  expect((await new Browser().authorize(changes)).get('error')).toBe(error);
});

it('gives a code away to nobody else', async () => {
  const code = async () => (await new Browser().authorize()).get('code')!;
  expect((await redeem(await code(), randomBytes(32).toString('base64url'))).status).toBe(400);
  const elsewhere = await redeem(await code(), verifier, 'http://localhost:9');
  expect(elsewhere.headers.get('access-control-allow-origin')).toBeNull();
});
