import { randomUUIDv7 } from 'node:crypto';
import { eventually } from '@cabstand/testing';
import { PASSWORD, startPlatform, type Person, type Platform } from './harness.ts';

let platform: Platform;
beforeAll(async () => {
  platform = await startPlatform();
});
afterAll(() => platform.stop());

interface Profile {
  id: string;
  email: string;
  name: string;
  phone: string;
  createdAt: string;
  rating: number | null;
}

const problem = (status: number, code: string) => ({
  status,
  body: {
    status,
    code,
    title: expect.any(String) as string,
    traceId: expect.stringMatching(/^[0-9a-f]{32}$/) as string,
  },
});
const person = (changes: object = {}) => ({
  email: `${randomUUIDv7()}@example.com`,
  password: PASSWORD,
  name: 'Ann Lee',
  phone: '+49 151 2345678',
  ...changes,
});
const register = (body: object, headers = {}) => platform.call<Profile>('POST', '/v1/passengers', { body, headers });
const me = (token?: string) => platform.call<Profile>('GET', '/v1/passengers/me', { token });

describe('registering', () => {
  it('answers the passenger, and tells the others the first name only', async () => {
    const { password, ...given } = person({ email: ` Mixed.${randomUUIDv7()}@Example.com` });
    const { status, body } = await register({ password, ...given });
    expect(status).toBe(201);
    expect(body).toEqual({
      ...given,
      email: given.email.trim().toLowerCase(),
      id: expect.stringMatching(/^[0-9a-f-]{14}7/) as string,
      createdAt: expect.stringMatching(/Z$/) as string,
    });
    expect(await platform.messages.untilCount(body.id, 1)).toEqual([
      {
        type: 'passenger.registered',
        subject: body.id,
        sequence: 1,
        payload: { passengerId: body.id, firstName: 'Ann' },
      },
    ]);
  });

  it('wants an e-mail of its own, whatever its case: 409', async () => {
    const first = person();
    await register(first);
    const answer = await register(person({ email: first.email.toUpperCase() }));
    expect(answer).toMatchObject(problem(409, 'EMAIL_TAKEN'));
    expect(JSON.stringify(answer.body)).not.toContain(first.email);
  });

  it('lets one of 20 at once have the e-mail', async () => {
    const body = person();
    const statuses = (await Promise.all(Array.from({ length: 20 }, () => register(body)))).map(({ status }) => status);
    expect(statuses.sort()).toEqual([201, ...Array<number>(19).fill(409)]);
  });

  it('may be repeated with the same idempotency key', async () => {
    const body = person();
    const headers = { 'idempotency-key': randomUUIDv7() };
    const [first, again] = [await register(body, headers), await register(body, headers)];
    expect(first.status).toBe(201);
    expect(again).toMatchObject({ status: 201, body: first.body });
    expect(await register({ ...body, name: 'Eve' }, headers)).toMatchObject(problem(422, 'IDEMPOTENCY_KEY_REUSED'));
  });

  it.each([
    ['an unknown field', { role: 'operator' }, 'role'],
    ['an id', { id: randomUUIDv7() }, 'id'],
    ['no e-mail', { email: undefined }, 'email'],
    ['an e-mail that is none', { email: 'ann' }, 'email'],
    ['an e-mail that is a list', { email: ['a@example.com'] }, 'email'],
    ['a short password', { password: 'seven77' }, 'password'],
    ['an endless password', { password: 'x'.repeat(257) }, 'password'],
    ['a common password', { password: 'Password123' }, 'password'],
    ['an empty name', { name: ' ' }, 'name'],
    ['a name with a line break', { name: 'Ann\nLee' }, 'name'],
    ['a phone that is text', { phone: 'call me' }, 'phone'],
    ['a phone that is a number', { phone: 491512345678 }, 'phone'],
  ])('refuses %s: 400', async (_, changes, path) => {
    const answer = await register(person(changes));
    expect(answer).toMatchObject(problem(400, 'REQUEST_INVALID'));
    expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/);
    const { errors } = answer.body as unknown as { errors: { path: string }[] };
    expect(errors.map((error) => error.path)).toContain(path);
  });
});

it('the e-mail is no password: 400, when registering and when changing it', async () => {
  const { email, password } = person();
  expect(await register(person({ email, password: email }))).toMatchObject(problem(400, 'REQUEST_INVALID'));
  await register(person({ email }));
  const { accessToken: token } = (await platform.signIn(email)).body;
  const body = { currentPassword: password, newPassword: email.split('@')[0] };
  expect(await platform.call('PUT', '/v1/passengers/me/password', { token, body })).toMatchObject(
    problem(400, 'REQUEST_INVALID'),
  );
  expect((await platform.signIn(email)).status).toBe(201);
});

it('a flood of registrations holds no database connection while it waits in line, idempotency keys or not', async () => {
  const { accessToken: token } = await platform.register();
  let answered = 0;
  const flood = Promise.all(
    Array.from({ length: 60 }, async () => {
      const { status } = await register(person(), { 'idempotency-key': randomUUIDv7() });
      answered++;
      return status;
    }),
  );
  for (let i = 0; i < 10; i++) expect((await me(token)).status).toBe(200);
  // Each of the ten needed a connection, one after the other.
  expect(answered).toBeLessThan(30);
  expect(new Set(await flood)).toEqual(new Set([201]));
});

describe('the profile', () => {
  it('is read and changed; the others hear of a new first name', async () => {
    const { id, email, accessToken: token } = await platform.register();
    const before = await me(token);
    expect(before).toMatchObject({ status: 200, body: { id, email, name: 'Ann Lee', rating: null } });
    const patch = (body: object) => platform.call<Profile>('PATCH', '/v1/passengers/me', { token, body });
    expect(await patch({ name: 'Zoë Lee' })).toMatchObject({ status: 200, body: { ...before.body, name: 'Zoë Lee' } });
    expect(await patch({ phone: '030 123456', name: 'Zoë Miller' })).toMatchObject({ body: { phone: '030 123456' } });
    expect((await me(token)).body).toEqual({ ...before.body, name: 'Zoë Miller', phone: '030 123456' });
    expect(await patch({})).toMatchObject({ status: 200 });
    const [, updated] = await platform.messages.untilCount(id, 2);
    expect(updated).toMatchObject({
      type: 'passenger.updated',
      sequence: 2,
      payload: { passengerId: id, firstName: 'Zoë' },
    });
  });

  it.each([
    ['another e-mail', { email: 'new@example.com' }],
    ['a rating', { rating: 5 }],
    ['a password', { password: 'new password' }],
    ['no name at all', { name: null }],
  ])('does not take %s: 400', async (_, body) => {
    const { accessToken: token } = await platform.register();
    expect(await platform.call('PATCH', '/v1/passengers/me', { token, body })).toMatchObject(
      problem(400, 'REQUEST_INVALID'),
    );
  });

  it('is exported whole', async () => {
    const { id, email, accessToken: token } = await platform.register();
    const { status, body } = await platform.call<Record<string, unknown>>('GET', '/v1/passengers/me/export', { token });
    expect(status).toBe(200);
    expect(body).toMatchObject({
      passenger: { id, email },
      suspendedAt: null,
      sessions: [{ endedAt: null }],
      tripIds: [],
    });
    expect(JSON.stringify(body)).not.toContain('argon2');
  });
});

describe('the password', () => {
  const change = (token: string, body: object) => platform.call('PUT', '/v1/passengers/me/password', { token, body });
  const newPassword = 'battery staple';

  it('is changed with the current one, which ends the other sessions', async () => {
    const passenger = await platform.register();
    const other = (await platform.signIn(passenger.email)).body;
    expect(await change(passenger.accessToken, { currentPassword: PASSWORD, newPassword })).toMatchObject({
      status: 204,
    });
    expect((await me(passenger.accessToken)).status).toBe(200);
    expect(await me(other.accessToken)).toMatchObject(problem(401, 'TOKEN_INVALID'));
    const refresh = { body: { refreshToken: other.refreshToken } };
    expect(await platform.call('POST', '/v1/sessions/refresh', refresh)).toMatchObject(
      problem(401, 'REFRESH_TOKEN_INVALID'),
    );
    expect(await platform.signIn(passenger.email)).toMatchObject(problem(401, 'CREDENTIALS_INVALID'));
    expect((await platform.signIn(passenger.email, newPassword)).status).toBe(201);
  });

  it('stays when the current one is wrong or the new one is none', async () => {
    const { accessToken, email } = await platform.register();
    const wrong = await change(accessToken, { currentPassword: 'wrong horse', newPassword });
    expect(wrong).toMatchObject(problem(401, 'CREDENTIALS_INVALID'));
    expect(wrong.headers.get('www-authenticate')).toBe('Bearer');
    const short = await change(accessToken, { currentPassword: PASSWORD, newPassword: 'short' });
    expect(short).toMatchObject(problem(400, 'REQUEST_INVALID'));
    expect((await platform.signIn(email)).status).toBe(201);
  });

  it('is changed by one of two at once', async () => {
    const { accessToken } = await platform.register();
    const answers = await Promise.all(
      ['first password', 'second password'].map((next) =>
        change(accessToken, { currentPassword: PASSWORD, newPassword: next }),
      ),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([204, 401]);
  });
});

describe('suspending', () => {
  const standing = (action: string, id: string, token = platform.operator) =>
    platform.call('POST', `/v1/passengers/${id}/${action}`, { token });

  it('ends the sessions, bars sign-in, and is undone', async () => {
    const passenger = await platform.register();
    expect(await standing('suspend', passenger.id)).toMatchObject({
      status: 200,
      body: { id: passenger.id, suspended: true },
    });
    expect((await standing('suspend', passenger.id)).status).toBe(200);
    expect(await me(passenger.accessToken)).toMatchObject(problem(401, 'TOKEN_INVALID'));
    expect(await platform.signIn(passenger.email)).toMatchObject(problem(403, 'ACCOUNT_SUSPENDED'));
    expect(await standing('reinstate', passenger.id)).toMatchObject({ status: 200, body: { suspended: false } });
    expect((await platform.signIn(passenger.email)).status).toBe(201);
    const events = await platform.messages.untilCount(passenger.id, 3);
    expect(events.map(({ type, sequence }) => [type, sequence])).toEqual([
      ['passenger.registered', 1],
      ['passenger.suspended', 2],
      ['passenger.reinstated', 3],
    ]);
  });

  it('is for operators, and for passengers that exist', async () => {
    const { id, accessToken } = await platform.register();
    for (const action of ['suspend', 'reinstate']) {
      expect(await standing(action, id, accessToken)).toMatchObject(problem(403, 'ROLE_FORBIDDEN'));
      expect(await standing(action, randomUUIDv7())).toMatchObject(problem(404, 'NOT_FOUND'));
      expect(await standing(action, 'not-a-uuid')).toMatchObject(problem(400, 'REQUEST_INVALID'));
    }
  });
});

describe('erasing', () => {
  it('removes the person, ends the sessions and tells the others', async () => {
    const passenger = await platform.register({ name: 'Marguerite Vanishing' });
    const token = passenger.accessToken;
    expect((await platform.call('DELETE', '/v1/passengers/me', { token })).status).toBe(204);
    expect(await me(token)).toMatchObject(problem(401, 'TOKEN_INVALID'));
    expect(await platform.signIn(passenger.email)).toMatchObject(problem(401, 'CREDENTIALS_INVALID'));
    const refresh = { body: { refreshToken: passenger.refreshToken } };
    expect(await platform.call('POST', '/v1/sessions/refresh', refresh)).toMatchObject(
      problem(401, 'REFRESH_TOKEN_INVALID'),
    );
    const [, erased] = await platform.messages.untilCount(passenger.id, 2);
    expect(erased).toEqual({
      type: 'passenger.erased',
      subject: passenger.id,
      sequence: 2,
      payload: { passengerId: passenger.id },
    });
    await eventually(async () => expect(await leftovers(passenger, 'Vanishing')).toEqual([]));
    expect((await register(person({ email: passenger.email }))).status).toBe(201);
  });
});

/** Every table with a row in which one of the texts still stands. */
async function leftovers(passenger: Person, ...texts: string[]): Promise<string[]> {
  const tables = await platform.rows<{ name: string }>(
    `SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'`,
  );
  const found: string[] = [];
  for (const { name } of tables) {
    const patterns = [passenger.email, ...texts].map((text) => `%${text}%`);
    const rows = await platform.rows(`SELECT FROM "${name}" t WHERE t::text LIKE ANY($1)`, [patterns]);
    if (rows.length > 0) found.push(name);
  }
  return found;
}

describe('who may call', () => {
  const routes: [string, string][] = [
    ['GET', '/v1/passengers/me'],
    ['PATCH', '/v1/passengers/me'],
    ['DELETE', '/v1/passengers/me'],
    ['PUT', '/v1/passengers/me/password'],
    ['GET', '/v1/passengers/me/export'],
    ['DELETE', '/v1/sessions/current'],
    ['POST', `/v1/passengers/${randomUUIDv7()}/suspend`],
    ['POST', `/v1/passengers/${randomUUIDv7()}/reinstate`],
  ];
  it.each(routes)('%s %s: nobody without a good token', async (method, path) => {
    const missing = await platform.call(method, path);
    expect(missing).toMatchObject(problem(401, 'TOKEN_MISSING'));
    expect(missing.headers.get('www-authenticate')).toBe('Bearer');
    const foreign = await platform.issuer.token('passenger', randomUUIDv7());
    for (const token of ['x', foreign]) {
      const invalid = await platform.call(method, path, { token });
      expect(invalid).toMatchObject(problem(401, 'TOKEN_INVALID'));
      expect(invalid.headers.get('www-authenticate')).toBe('Bearer error="invalid_token"');
    }
  });

  it.each(routes.slice(0, 6))('%s %s: no operator', async (method, path) => {
    const body =
      method === 'PATCH' ? {} : method === 'PUT' ? { currentPassword: 'x', newPassword: PASSWORD } : undefined;
    const answer = await platform.call(method, path, { token: platform.operator, body });
    expect(answer).toMatchObject(problem(403, 'ROLE_FORBIDDEN'));
  });
});
