import { randomUUID } from 'node:crypto';
import {
  createTestBroker,
  createTestDatabase,
  eventually,
  type TestBroker,
  type TestDatabase,
} from '@cabstand/testing';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import type { DataSource } from 'typeorm';
import { Passwords } from '../src/index.ts';
import { SessionJanitor } from '../src/session-janitor.ts';
import { ACCESS_TOKEN_TTL_MS, ISSUER, openDatabase, startService, type TestedService } from './service.ts';

interface Tokens {
  accessToken: string;
  refreshToken: string;
  tokenType: string;
  expiresIn: number;
}

const PASSWORD = 'correct horse';
let database: TestDatabase;
let broker: TestBroker;
let dataSource: DataSource;
let service: TestedService;
/** A second replica: whatever is decided on one holds on the other. */
let replica: TestedService;
let passwordHash: string;

beforeAll(async () => {
  [database, broker] = await Promise.all([createTestDatabase('auth'), createTestBroker()]);
  dataSource = await openDatabase(database.url);
  const start = () => startService({ dataSource, amqpUrl: broker.urlFor('passenger') });
  [service, replica] = await Promise.all([start(), start()]);
  passwordHash = await service.app.get(Passwords).hash(PASSWORD, 'nobody@example.com');
});

afterAll(async () => {
  await Promise.all([service.app.close(), replica.app.close()]);
  await dataSource.destroy();
  await Promise.all([database.drop(), broker.drop()]);
});

async function call(method: string, path: string, options: { body?: object; token?: string; on?: TestedService } = {}) {
  const { body, token, on = service } = options;
  const response = await fetch(`${on.url}${path}`, {
    method,
    headers: {
      ...(body ? { 'content-type': 'application/json' } : {}),
      ...(token ? { authorization: `Bearer ${token}` } : {}),
    },
    body: body && JSON.stringify(body),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: (text ? JSON.parse(text) : null) as unknown };
}

async function openAccount() {
  const account = { id: randomUUID(), email: `${randomUUID()}@example.com` };
  await dataSource.query('INSERT INTO accounts VALUES ($1, $2, $3, false)', [account.id, account.email, passwordHash]);
  return account;
}

async function signIn(account?: {
  id: string;
  email: string;
}): Promise<Tokens & { accountId: string; sessionId: string }> {
  const { id, email } = account ?? (await openAccount());
  const answer = await call('POST', '/v1/sessions', { body: { email, password: PASSWORD } });
  expect(answer.status).toBe(201);
  const tokens = answer.body as Tokens;
  return { ...tokens, accountId: id, sessionId: decodeJwt(tokens.accessToken).sid as string };
}

const refresh = (refreshToken: string, on = service) =>
  call('POST', '/v1/sessions/refresh', { body: { refreshToken }, on });
const refreshed = async (refreshToken: string) => {
  const answer = await refresh(refreshToken);
  expect(answer.status).toBe(200);
  return answer.body as Tokens;
};
const refused = { status: 401, body: { code: 'REFRESH_TOKEN_INVALID' } };
const reads = async (token: string, on = service) => (await call('GET', '/notes', { token, on })).status;

const eventsOf = (sessionId: string) =>
  dataSource.query<{ type: string; payload: Record<string, unknown>; sequence: number }[]>(
    'SELECT * FROM published WHERE subject = $1 ORDER BY sequence',
    [sessionId],
  );
/** The relay deletes what it has published; this keeps a copy of each outbox row as it is written. */
beforeAll(async () => {
  await dataSource.query(`
    CREATE TABLE published (type text, subject text, payload jsonb, sequence int);
    CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      INSERT INTO published VALUES (NEW.type, NEW.subject, NEW.payload::jsonb, NEW.sequence); RETURN NEW; END $$;
    CREATE TRIGGER keep AFTER INSERT ON outbox FOR EACH ROW EXECUTE FUNCTION keep()`);
});

describe('signing in', () => {
  it('answers a token in the profile of RFC 9068 that works here', async () => {
    const account = await openAccount();
    const answer = await call('POST', '/v1/sessions', {
      body: { email: ` ${account.email.toUpperCase()}`, password: PASSWORD },
    });
    expect(answer.status).toBe(201);
    expect(answer.headers.get('cache-control')).toBe('no-store');
    const tokens = answer.body as Tokens;
    expect(tokens).toEqual({
      accessToken: expect.any(String) as string,
      refreshToken: expect.stringMatching(/^[\w-]{43}$/) as string,
      tokenType: 'Bearer',
      expiresIn: ACCESS_TOKEN_TTL_MS / 1000,
    });
    expect(decodeProtectedHeader(tokens.accessToken)).toEqual({
      alg: 'ES256',
      typ: 'at+jwt',
      kid: expect.any(String) as string,
    });
    const claims = decodeJwt(tokens.accessToken);
    expect(claims).toMatchObject({
      iss: ISSUER,
      sub: account.id,
      aud: ['passenger', 'trip'],
      client_id: 'cabstand-passenger',
      role: 'passenger',
    });
    expect(claims.exp! - claims.iat!).toBe(tokens.expiresIn);
    expect(await reads(tokens.accessToken)).toBe(200);
    expect(await reads(tokens.accessToken, replica)).toBe(200);
  });

  it('publishes the key that signs, and nothing private', async () => {
    const { accessToken } = await signIn();
    const answers = await Promise.all([service, replica].map((on) => call('GET', '/.well-known/jwks.json', { on })));
    const [{ body, headers }] = answers as [(typeof answers)[0]];
    expect(headers.get('cache-control')).toBe('public, max-age=60');
    const { keys } = body as { keys: Record<string, string>[] };
    expect(keys).toHaveLength(1);
    expect(Object.keys(keys[0]!).sort()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y']);
    expect(keys[0]!.kid).toBe(decodeProtectedHeader(accessToken).kid);
    expect(answers[1]!.body).toEqual(body);
  });

  it('says the same of a wrong password and of nobody', async () => {
    const { email } = await openAccount();
    for (const body of [
      { email, password: 'wrong horse' },
      { email: 'nobody@example.com', password: PASSWORD },
    ])
      expect(await call('POST', '/v1/sessions', { body })).toMatchObject({
        status: 401,
        body: { code: 'CREDENTIALS_INVALID' },
      });
  });

  it('is refused while suspended, and only once the password was right', async () => {
    const { id, email } = await openAccount();
    await dataSource.query('UPDATE accounts SET suspended = true WHERE id = $1', [id]);
    expect(await call('POST', '/v1/sessions', { body: { email, password: PASSWORD } })).toMatchObject({
      status: 403,
      body: { code: 'ACCOUNT_SUSPENDED' },
    });
    expect(await call('POST', '/v1/sessions', { body: { email, password: 'wrong horse' } })).toMatchObject({
      status: 401,
    });
  });

  it.each([
    ['no body', undefined],
    ['no password', { email: 'a@example.com' }],
    ['a password that is a number', { email: 'a@example.com', password: 12345678 }],
    ['an e-mail that is none', { email: 'a', password: PASSWORD }],
    ['an unknown field', { email: 'a@example.com', password: PASSWORD, role: 'operator' }],
    ['an endless password', { email: 'a@example.com', password: 'x'.repeat(10_000) }],
  ])('wants %s: 400', async (_, body) => {
    expect((await call('POST', '/v1/sessions', { body })).status).toBe(400);
  });
});

describe('refreshing', () => {
  it('gives two new tokens each time, of the same session', async () => {
    const first = await signIn();
    const second = await refreshed(first.refreshToken);
    const third = await refreshed(second.refreshToken);
    expect(new Set([first, second, third].map(({ refreshToken }) => refreshToken)).size).toBe(3);
    expect(new Set([first, second, third].map(({ accessToken }) => accessToken)).size).toBe(3);
    expect(decodeJwt(third.accessToken).sid).toBe(first.sessionId);
    expect(await reads(third.accessToken)).toBe(200);
  });

  it('stores hashes only', async () => {
    const { refreshToken } = await signIn();
    const { refreshToken: successor } = await refreshed(refreshToken);
    const rows = await dataSource.query<{ row: string }[]>('SELECT t::text AS row FROM refresh_tokens t');
    const stored = rows.map(({ row }) => row).join('\n');
    for (const token of [refreshToken, successor]) {
      expect(stored).not.toContain(token);
      expect(stored).not.toContain(Buffer.from(token, 'base64url').toString('hex'));
    }
  });

  it('rotates once when 100 refresh at the same time, over two replicas, and gives all of them one successor', async () => {
    const { refreshToken, sessionId } = await signIn();
    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, i) => refresh(refreshToken, i % 2 ? service : replica)),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array(100).fill(200));
    const successors = new Set(answers.map(({ body }) => (body as Tokens).refreshToken));
    expect(successors.size).toBe(1);
    const tokens = await dataSource.query<unknown[]>('SELECT FROM refresh_tokens WHERE session_id = $1', [sessionId]);
    expect(tokens).toHaveLength(2);
    expect(await eventsOf(sessionId)).toEqual([]);
    await refreshed([...successors][0]!);
  });

  it('gives the lost answer again within ten seconds, while the successor is unused', async () => {
    const { refreshToken } = await signIn();
    const lost = await refreshed(refreshToken);
    const again = await refreshed(refreshToken);
    expect(again.refreshToken).toBe(lost.refreshToken);
    await refreshed(again.refreshToken);
  });

  it.each([
    [
      'its successor has been used',
      async (token: string) => void (await refreshed((await refreshed(token)).refreshToken)),
    ],
    [
      'ten seconds have passed',
      async (token: string) => {
        await refreshed(token);
        await dataSource.query(
          `UPDATE refresh_tokens SET used_at = used_at - interval '11 seconds' WHERE used_at IS NOT NULL`,
        );
      },
    ],
  ])('ends the whole family when a used token comes back and %s', async (_, use) => {
    const { refreshToken, accessToken, accountId, sessionId } = await signIn();
    const other = await signIn();
    await use(refreshToken);
    expect(await refresh(refreshToken)).toMatchObject(refused);
    expect(await reads(accessToken)).toBe(401);
    await eventually(async () => expect(await reads(accessToken, replica)).toBe(401));
    const alive = await dataSource.query<unknown[]>('SELECT FROM sessions WHERE id = $1 AND revoked_at IS NULL', [
      sessionId,
    ]);
    expect(alive).toEqual([]);
    expect(await eventsOf(sessionId)).toMatchObject([
      {
        type: 'session.revoked',
        sequence: 1,
        payload: { sessionId, issuer: ISSUER, accountId, reason: 'refresh-reused' },
      },
      { type: 'security.refresh-reused', sequence: 2, payload: { sessionId, issuer: ISSUER, accountId } },
    ]);
    // Nothing of the family works, and saying so again is no news.
    expect(await refresh(refreshToken)).toMatchObject(refused);
    expect(await eventsOf(sessionId)).toHaveLength(2);
    await refreshed(other.refreshToken);
  });

  it('ends the family once when a stolen token is used by 50 at once', async () => {
    const { refreshToken, sessionId } = await signIn();
    const second = await refreshed(refreshToken);
    const third = await refreshed(second.refreshToken);
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, i) =>
        refresh(i % 5 ? refreshToken : third.refreshToken, i % 2 ? service : replica),
      ),
    );
    expect(answers.filter(({ status }) => status === 401).length).toBeGreaterThanOrEqual(40);
    expect(await refresh(third.refreshToken)).toMatchObject(refused);
    expect((await eventsOf(sessionId)).map(({ type }) => type)).toEqual(['session.revoked', 'security.refresh-reused']);
  });

  it('is refused for a token that never was, one that has ended, and an account that is gone', async () => {
    expect(await refresh('x'.repeat(43))).toMatchObject(refused);
    const ended = await signIn();
    await dataSource.query(`UPDATE refresh_tokens SET expires_at = now() WHERE session_id = $1`, [ended.sessionId]);
    expect(await refresh(ended.refreshToken)).toMatchObject(refused);
    const gone = await signIn();
    await dataSource.query('DELETE FROM accounts WHERE id = $1', [gone.accountId]);
    expect(await refresh(gone.refreshToken)).toMatchObject(refused);
  });

  it('waits for whoever is suspended: the token is not used up', async () => {
    const { refreshToken, accountId } = await signIn();
    const suspend = (suspended: boolean) =>
      dataSource.query('UPDATE accounts SET suspended = $2 WHERE id = $1', [accountId, suspended]);
    await suspend(true);
    expect(await refresh(refreshToken)).toMatchObject({ status: 403, body: { code: 'ACCOUNT_SUSPENDED' } });
    await suspend(false);
    await refreshed(refreshToken);
  });
});

describe('signing out', () => {
  it('ends the session: its tokens are refused on every replica, others go on', async () => {
    const account = await openAccount();
    const [session, other] = [await signIn(account), await signIn(account)];
    expect((await call('DELETE', '/v1/sessions/current', { token: session.accessToken })).status).toBe(204);
    expect(await reads(session.accessToken)).toBe(401);
    expect(await refresh(session.refreshToken)).toMatchObject(refused);
    await eventually(async () => expect(await reads(session.accessToken, replica)).toBe(401));
    expect(await reads(other.accessToken)).toBe(200);
    const [event] = await eventsOf(session.sessionId);
    expect(event).toMatchObject({ type: 'session.revoked', sequence: 1, payload: { reason: 'logout' } });
    const expiresAt = decodeJwt(session.accessToken).exp! * 1000;
    expect(Date.parse(event!.payload.tokensExpireAt as string)).toBeGreaterThanOrEqual(expiresAt);
  });

  it('holds for a replica that starts afterwards', async () => {
    const { accessToken } = await signIn();
    await call('DELETE', '/v1/sessions/current', { token: accessToken });
    const late = await startService({ dataSource, amqpUrl: broker.urlFor('passenger') });
    expect(await reads(accessToken, late)).toBe(401);
    await late.app.close();
  });
});

it('what has ended is deleted, and what may still be reused is not', async () => {
  const [ended, alive] = [await signIn(), await signIn()];
  await refreshed(alive.refreshToken);
  await dataSource.query(`UPDATE sessions SET expires_at = now() WHERE id = $1`, [ended.sessionId]);
  await service.app.get(SessionJanitor).sweep();
  const left = await dataSource.query<{ sessionId: string; tokens: number }[]>(
    `SELECT session_id AS "sessionId", count(*)::int AS tokens FROM refresh_tokens WHERE session_id = ANY($1) GROUP BY 1`,
    [[ended.sessionId, alive.sessionId]],
  );
  expect(left).toEqual([{ sessionId: alive.sessionId, tokens: 2 }]);
});
