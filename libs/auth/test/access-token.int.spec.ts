import { createHmac } from 'node:crypto';
import { request } from 'node:http';
import { Transactions } from '@cabstand/messaging';
import {
  createTestBroker,
  createTestDatabase,
  eventually,
  type TestBroker,
  type TestDatabase,
} from '@cabstand/testing';
import type { DataSource } from 'typeorm';
import { RevokedSessions } from '../src/index.ts';
import { IssuerKeys } from '../src/issuer-keys.ts';
import { openDatabase, startService, type TestedService } from './service.ts';
import { claimsOf, createKey, encode, headerOf, publish, signRaw } from './tokens.ts';

const A = 'https://a.test';
const B = 'https://b.test';
const R = 'https://r.test';
const a = createKey();
const b = createKey();
const r = createKey('RS256');
const stranger = createKey();

let database: TestDatabase;
let broker: TestBroker;
let dataSource: DataSource;
let service: TestedService;
const published = [publish(A, ['passenger'], a), publish(B, ['driver', 'operator'], b), publish(R, ['passenger'], r)];

beforeAll(async () => {
  [database, broker] = await Promise.all([createTestDatabase('auth'), createTestBroker()]);
  dataSource = await openDatabase(database.url);
  const trustedIssuers = published.map(({ trusted }) => trusted);
  service = await startService({ dataSource, amqpUrl: broker.urlFor('passenger'), issues: false, trustedIssuers });
});

afterAll(async () => {
  await service.app.close();
  await dataSource.destroy();
  await Promise.all([database.drop(), broker.drop()]);
  for (const { drop } of published) drop();
});

/** A raw request, because `fetch` would fold two headers of one name into one. */
function get(path: string, authorization: string[]): Promise<{ status: number; challenge?: string; body: string }> {
  const headers = ['host', new URL(service.url).host, ...authorization.flatMap((value) => ['authorization', value])];
  return new Promise((resolve, reject) => {
    const call = request(`${service.url}${path}`, { agent: false, headers }, (response) => {
      let body = '';
      response.on('data', (chunk: Buffer) => (body += chunk.toString()));
      response.on('end', () =>
        resolve({ status: response.statusCode!, challenge: response.headers['www-authenticate'], body }),
      );
    });
    call.on('error', reject);
    call.end();
  });
}

const good = (changes: object = {}, header: object = {}) => signRaw(a, headerOf(a, header), claimsOf(A, changes));
const now = () => Math.floor(Date.now() / 1000);
const without = (claim: string) => signRaw(a, headerOf(a), { ...claimsOf(A), [claim]: undefined });
const parts = (token: string) => token.split('.') as [string, string, string];

const truncated = (token: string) => token.slice(0, -10);
const withPayload = (token: string, payload: object) => {
  const [header, , signature] = parts(token);
  return `${header}.${encode(payload)}.${signature}`;
};

/** The object's JSON with one member written a second time. */
const twice = (object: object, name: string) => `{${JSON.stringify(name)}:"first",${JSON.stringify(object).slice(1)}`;

describe('a good token', () => {
  it('tells who is asking', async () => {
    const claims = claimsOf(A);
    const answer = await get('/notes', [`Bearer ${signRaw(a, headerOf(a), claims)}`]);
    expect(answer.status).toBe(200);
    expect(JSON.parse(answer.body)).toEqual({
      issuer: A,
      subject: claims.sub,
      role: 'passenger',
      sessionId: claims.sid,
      clientId: 'test',
      expiresAt: new Date(claims.exp * 1000).toISOString(),
    });
  });

  it.each([
    ['a single audience', () => good({ aud: 'passenger' })],
    ['claims we know nothing of', () => good({ email_verified: true })],
    ['another issuer, another role', () => signRaw(b, headerOf(b), claimsOf(B, { role: 'driver' }))],
    [
      'an operator whose issuer has no sessions and no UUIDs',
      () => {
        return signRaw(b, headerOf(b), claimsOf(B, { role: 'operator', sub: 'ops|7', sid: undefined }));
      },
    ],
    ['an issuer that signs with RSA', () => signRaw(r, headerOf(r), claimsOf(R))],
  ])('may have %s', async (_, token) => {
    expect((await get('/notes', [`Bearer ${token()}`])).status).toBe(200);
    expect((await get('/notes', [`bearer ${token()}`])).status).toBe(200);
  });
});

describe('a request is refused', () => {
  it.each([
    ['without a token', '/notes', []],
    ['with another scheme', '/notes', ['Basic YTpi']],
    ['with a token of no scheme', '/notes', ['abc']],
    ['with an empty token', '/notes', ['Bearer ']],
  ])('%s: TOKEN_MISSING', async (_, path, authorization) => {
    const answer = await get(path, authorization);
    expect(answer).toEqual({ status: 401, challenge: 'Bearer', body: '{"code":"TOKEN_MISSING"}' });
  });

  it('with two Authorization headers, whichever of them is good', async () => {
    for (const headers of [
      [`Bearer ${good()}`, `Bearer ${good()}`],
      [`Bearer ${good()}`, 'Bearer x'],
      ['Basic YTpi', `Bearer ${good()}`],
    ])
      expect((await get('/notes', headers)).body).toBe('{"code":"TOKEN_INVALID"}');
  });

  it('with a token in the query', async () => {
    expect((await get(`/notes?access_token=${good()}`, [])).status).toBe(401);
    expect((await get(`/notes?access_token=${good()}`, [`Bearer ${good()}`])).status).toBe(401);
  });

  const cases: [string, () => string][] = [
    // Signature
    ['alg none', () => `${encode(headerOf(a, { alg: 'none' }))}.${encode(claimsOf(A))}.`],
    [
      'alg none with the old signature',
      () => `${encode(headerOf(a, { alg: 'none' }))}.${parts(good()).slice(1).join('.')}`,
    ],
    [
      'HMAC with the public key as secret',
      () => {
        const input = `${encode(headerOf(a, { alg: 'HS256' }))}.${encode(claimsOf(A))}`;
        const secret = a.publicKey.export({ format: 'pem', type: 'spki' });
        return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
      },
    ],
    [
      'an algorithm that another issuer uses',
      () => signRaw({ ...r, kid: a.kid }, headerOf(r, { kid: a.kid }), claimsOf(A)),
    ],
    ["another issuer's key under its own id", () => signRaw(b, headerOf(b), claimsOf(A))],
    ["another issuer's key under this one's id", () => signRaw(b, headerOf(a), claimsOf(A))],
    ["a stranger's key under a known id", () => signRaw(stranger, headerOf(a), claimsOf(A))],
    ['an unknown key', () => signRaw(stranger, headerOf(stranger), claimsOf(A))],
    [
      'a key in the header',
      () => signRaw(stranger, headerOf(stranger, { jwk: stranger.publicKey.export({ format: 'jwk' }) }), claimsOf(A)),
    ],
    [
      'a key set URL in the header',
      () => signRaw(stranger, headerOf(stranger, { jku: 'https://evil.test/jwks' }), claimsOf(A)),
    ],
    ['no signature', () => `${parts(good()).slice(0, 2).join('.')}.`],
    [
      'an empty signature of the right length',
      () => `${parts(good()).slice(0, 2).join('.')}.${Buffer.alloc(64).toString('base64url')}`,
    ],
    ['a truncated signature', () => truncated(good())],
    ["another token's signature", () => `${parts(good()).slice(0, 2).join('.')}.${parts(good())[2]}`],
    ['a changed payload', () => withPayload(good(), claimsOf(A))],
    [
      'a DER signature',
      () => {
        const [header, payload] = parts(good());
        return `${header}.${payload}.${Buffer.from('3006020101020101', 'hex').toString('base64url')}`;
      },
    ],
    // Shape
    ['padding', () => `${good()}==`],
    ['a fourth part', () => `${good()}.x`],
    ['white space inside', () => good().replace('.', '. ')],
    ['9 KB', () => good({ filler: 'x'.repeat(9 * 1024) })],
    ['a claim said twice', () => signRaw(a, headerOf(a), twice(claimsOf(A), 'sub'))],
    ['a header said twice', () => signRaw(a, twice(headerOf(a), 'alg'), claimsOf(A))],
    ['typ in capitals', () => good({}, { typ: 'AT+JWT' })],
    ['typ JWT', () => good({}, { typ: 'JWT' })],
    ['typ of an ID token left out', () => good({}, { typ: undefined })],
    ['no kid', () => good({}, { kid: undefined })],
    ['a kid that is a path', () => good({}, { kid: '../../../dev/null' })],
    ['a kid that is SQL', () => good({}, { kid: "' OR '1'='1" })],
    ['a critical extension', () => good({}, { crit: ['exp'] })],
    ['an unencoded payload', () => good({}, { b64: false, crit: ['b64'] })],
    // Claims
    ['expired', () => good({ exp: now() - 1, iat: now() - 301 })],
    ['expiring now', () => good({ exp: now() })],
    ['no expiry', () => without('exp')],
    ['an expiry beyond all dates', () => good({ exp: 9e12 })],
    ['an expiry that is text', () => good({ exp: String(now() + 300) })],
    ['an expiry that is no number', () => good({ exp: null })],
    ['not valid yet', () => good({ nbf: now() + 30 })],
    ['issued in the future', () => good({ iat: now() + 120, exp: now() + 420 })],
    ['another audience', () => good({ aud: ['driver', 'trip'] })],
    ['no audience', () => without('aud')],
    ['an audience that begins like ours', () => good({ aud: 'passenger.evil' })],
    ['an issuer nobody trusts', () => good({ iss: 'https://evil.test' })],
    ['an issuer with a slash behind', () => good({ iss: `${A}/` })],
    ['no issuer', () => without('iss')],
    ['no subject', () => without('sub')],
    ['a subject that is no account', () => good({ sub: "1' OR 1=1" })],
    ['no token id', () => without('jti')],
    ['no time of issue', () => without('iat')],
    ['no client', () => without('client_id')],
    ['no session', () => without('sid')],
    ['no role', () => without('role')],
    ['an unknown role', () => good({ role: 'admin' })],
    ['several roles', () => good({ role: ['passenger', 'operator'] })],
    ["a driver's role, signed by the passengers' issuer", () => good({ role: 'driver' })],
    ["an operator's role, signed by the passengers' issuer", () => good({ role: 'operator' })],
    ["a passenger's role, signed by the drivers' issuer", () => signRaw(b, headerOf(b), claimsOf(B))],
  ];
  it.each(cases)('with a token that has: %s', async (_, token) => {
    const answer = await get('/notes', [`Bearer ${token()}`]);
    expect(answer).toMatchObject({ status: 401, body: expect.stringMatching(/TOKEN_(INVALID|MISSING)/) as string });
    expect(answer.challenge).toMatch(/^Bearer/);
  });

  it('for a role that has no business there: 403', async () => {
    const answer = await get('/notes/audit', [`Bearer ${good()}`]);
    expect(answer).toMatchObject({ status: 403, body: '{"code":"ROLE_FORBIDDEN"}' });
    const operator = signRaw(b, headerOf(b), claimsOf(B, { role: 'operator' }));
    expect((await get('/notes/audit', [`Bearer ${operator}`])).status).toBe(200);
  });
});

describe('a token that was verified before', () => {
  const statusOf = async (token: string) => (await get('/notes', [`Bearer ${token}`])).status;

  it('is verified once', async () => {
    const signatures = vi.spyOn(service.app.get(IssuerKeys, { strict: false }), 'find');
    const token = good();
    for (let i = 0; i < 5; i++) expect(await statusOf(token)).toBe(200);
    expect(signatures).toHaveBeenCalledTimes(1);
    signatures.mockRestore();
  });

  it('is refused once it has expired', async () => {
    const token = good({ exp: now() + 2 });
    expect(await statusOf(token)).toBe(200);
    await eventually(async () => expect(await statusOf(token)).toBe(401));
  });

  it('is refused once its session has been revoked', async () => {
    const claims = claimsOf(A);
    const token = signRaw(a, headerOf(a), claims);
    expect(await statusOf(token)).toBe(200);
    const entry = { issuer: A, sessionId: claims.sid, expiresAt: new Date(claims.exp * 1000) };
    await service.app
      .get(Transactions, { strict: false })
      .run((tx) => service.app.get(RevokedSessions, { strict: false }).add(tx, entry));
    expect(await statusOf(token)).toBe(401);
  });

  it('does not let another request in that presents it wrongly', async () => {
    const token = good();
    expect(await statusOf(token)).toBe(200);
    expect(await statusOf(`${token}=`)).toBe(401);
    expect((await get(`/notes?access_token=${token}`, [`Bearer ${token}`])).status).toBe(401);
    expect((await get('/notes', [`Bearer ${token}`, `Bearer ${token}`])).status).toBe(401);
  });
});
