import { connect, credentials, type SocketOptions } from 'amqplib';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import type { SecureContextOptions } from 'node:tls';
import pg from 'pg';
import {
  Authority,
  brokerUrls,
  certificateFiles,
  ensureServiceDatabases,
  installationAccounts,
  installationAuthority,
  Management,
  startTestRuntime,
  testFolder,
  type CertificateRequest,
  type TestRuntime,
} from '../index.ts';

const dir = testFolder(`-tls-${randomBytes(3).toString('hex')}`);
const accounts = installationAccounts(dir, true);
const password = accounts.passwordOf('trip');
const HOUR_MS = 60 * 60 * 1_000;

let runtime: TestRuntime & { stop(): Promise<void> };
let authority: Authority;
let ca: string;

beforeAll(async () => {
  runtime = await startTestRuntime(dir, undefined, { tls: true });
  // There are passwords here: it has to be the servers that refuse them.
  await ensureServiceDatabases(runtime.postgresUrl, accounts.passwordOf);
  await new Management(runtime.managementUrl).put('/api/users/trip', { password, tags: '' });
  ({ authority } = await installationAuthority(dir));
  ca = authority.pair.cert;
}, 120_000);
afterAll(() => runtime.stop());

/** What the client has to show. The password is of `trip`, and right where passwords count. */
interface Credential {
  secure: SecureContextOptions | null;
  password?: string;
}

const inHours = (hours: number) => new Date(Date.now() + hours * HOUR_MS);
const issue = async (changes: Partial<CertificateRequest>, by = authority): Promise<Credential> => {
  const request: CertificateRequest = { name: 'trip', hosts: [], usages: ['client'], notAfter: inHours(1) };
  return { secure: { ...(await by.issue({ ...request, ...changes })), ca } };
};
const own = (holder: string): Credential => {
  const { cert, key } = certificateFiles(dir, holder);
  return { secure: { cert: readFileSync(cert), key: readFileSync(key), ca } };
};
const only = (version: 'TLSv1' | 'TLSv1.1' | 'TLSv1.2'): Credential => {
  // Without the security level the client itself would refuse the oldest two.
  const ciphers = 'DEFAULT@SECLEVEL=0';
  return { secure: { ...own('trip').secure, ciphers, minVersion: version, maxVersion: version } };
};

type Bad = [what: string, credential: () => Credential | Promise<Credential>, postgres: RegExp, rabbitmq: RegExp];

/** Each differs from the good one in a single thing. */
const BAD: Bad[] = [
  ['no certificate', () => ({ secure: { ca } }), /valid client certificate/, /certificate required/],
  ['no certificate, and a password', () => ({ secure: { ca }, password }), /valid client cert/, /certificate required/],
  [
    'an expired certificate',
    () => issue({ notBefore: inHours(-2), notAfter: inHours(-1) }),
    /certificate expired/,
    /certificate expired/,
  ],
  [
    "a certificate that isn't valid yet",
    () => issue({ notBefore: inHours(1), notAfter: inHours(2) }),
    /bad certificate/,
    /certificate expired/,
  ],
  [
    "another authority's certificate",
    async () => issue({}, await Authority.create('Cabstand development', inHours(1))),
    /alert/,
    /alert/,
  ],
  ['a certificate that is for serving', () => issue({ usages: ['server'] }), /unsupported certificate/, /alert/],
  [
    'a certificate in a name that nobody has',
    () => issue({ name: 'trip2' }),
    /authentication failed/,
    /ACCESS_REFUSED/,
  ],
  ["the server's own certificate", () => own('postgres'), /unsupported certificate/, /alert/],
  ['plain text', () => ({ secure: null }), /no encryption/, /./],
  ['plain text, and a password', () => ({ secure: null, password }), /no encryption/, /./],
  ['TLS 1.0', () => only('TLSv1'), /protocol version/, /protocol version/],
  ['TLS 1.1', () => only('TLSv1.1'), /protocol version/, /protocol version/],
  ['TLS 1.2', () => only('TLSv1.2'), /protocol version/, /protocol version/],
];

async function toPostgres({ secure, password }: Credential, database = 'trip'): Promise<string> {
  const { hostname: host, port } = new URL(runtime.postgresUrl);
  const ssl = secure ?? false;
  const client = new pg.Client({ host, port: Number(port), user: database, database, password, ssl });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return (await client.query<{ current_user: string }>('SELECT current_user')).rows[0]!.current_user;
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** Answers the user's name as the broker tells it. */
async function toRabbitmq({ secure, password }: Credential): Promise<string> {
  const url = new URL(brokerUrls(runtime, accounts, 'trip').amqpUrl);
  if (!secure) url.protocol = 'amqp:';
  const sasl = password === undefined ? credentials.external() : credentials.plain('trip', password);
  const options: SocketOptions = { ...secure, timeout: 5_000, credentials: sasl };
  const connection = await connect(url.href, options);
  try {
    return await whoMayPublish(connection);
  } finally {
    await connection.close().catch(() => undefined);
  }
}

/** Each service may publish to one exchange only: its own. */
async function whoMayPublish(connection: Awaited<ReturnType<typeof connect>>): Promise<string> {
  const allowed: string[] = [];
  for (const service of ['passenger', 'driver', 'trip']) {
    const channel = await connection.createChannel();
    const refused = new Promise<void>((resolve) => channel.on('error', () => resolve()));
    channel.publish(`${service}.live`, 'x', Buffer.from('{}'));
    const wasAllowed = channel.prefetch(1).then(
      () => true,
      () => false,
    );
    if (await Promise.race([wasAllowed, refused.then(() => false)])) allowed.push(service);
  }
  return allowed.join();
}

const reasonOf = (attempt: Promise<string>) =>
  attempt.then(
    (name) => `let in as ${name}`,
    (error: Error & { code?: string }) => `${error.message} ${error.code ?? ''}`,
  );

describe.each(['passenger', 'driver', 'trip'])("the %s service's certificate", (service) => {
  it('opens its own database, and no other', async () => {
    expect(await toPostgres(own(service), service)).toBe(service);
    for (const other of ['passenger', 'driver', 'trip', 'postgres'].filter((name) => name !== service))
      expect(await reasonOf(toPostgres(own(service), other))).toMatch(/certificate authentication failed/);
  });

  it('makes it itself in RabbitMQ, whomever the URL names and whatever password it knows', async () => {
    expect(await toRabbitmq(own(service))).toBe(service);
    expect(await reasonOf(toRabbitmq({ ...own(service), password }))).toMatch(/mechanism|Handshake/i);
  });
});

describe('PostgreSQL refuses', () => {
  it.each(BAD)('%s', async (_, credential, reason) => {
    expect(await reasonOf(toPostgres(await credential()))).toMatch(reason);
  });

  it('a password, even with a certificate of somebody else', async () => {
    expect(await reasonOf(toPostgres({ ...own('passenger'), password }))).toMatch(/certificate authentication failed/);
  });
});

describe('RabbitMQ refuses', () => {
  it.each(BAD)('%s', async (_, credential, __, reason) => {
    const told = await reasonOf(toRabbitmq(await credential()));
    expect(told).toMatch(reason);
    expect(told).not.toContain('let in');
  });
});

/** `fetch` can't be told a version of TLS. */
const ask = (url: string, options: { method?: string; auth?: string; body?: object } & SecureContextOptions = {}) =>
  new Promise<number>((resolve, reject) => {
    const { body, ...rest } = options;
    const headers = { 'content-type': 'application/json' };
    request(url, { ca, ...rest, headers }, (response) => resolve(response.resume().statusCode ?? 0))
      .on('error', reject)
      .end(body && JSON.stringify(body));
  });

/** 400 is how the API tells that the broker has refused access. */
const REFUSALS = new Set([400, 401, 403]);

describe("RabbitMQ's management API", () => {
  const { vhost } = accounts;
  const base = () => new URL(runtime.managementUrl).origin;
  const publish = { routing_key: 'x', payload: '{}', payload_encoding: 'string', properties: {} };
  const get = { count: 1, ackmode: 'ack_requeue_true', encoding: 'auto' };

  it.each(['passenger', 'driver', 'trip'] as const)(
    "lets the %s service's viewer look, and do nothing",
    async (service) => {
      const auth = `${service}-topology:${accounts.passwordOf(service)}`;
      expect(await ask(`${base()}/api/bindings/${vhost}`, { auth })).toBe(200);
      const administrator = `admin:${accounts.admin.password}`;
      const doing: [string, string, object?][] = [
        ['POST', `/api/exchanges/${vhost}/${service}.events/publish`, publish],
        ['POST', `/api/exchanges/${vhost}/amq.default/publish`, publish],
        ['POST', `/api/queues/${vhost}/trip.driver-events/get`, get],
        ['PUT', `/api/users/another`, { password: 'x', tags: '' }],
        ['PUT', `/api/queues/${vhost}/another`, {}],
        ['DELETE', `/api/queues/${vhost}/another`],
      ];
      for (const [method, path, body] of doing) {
        const status = (auth: string) => ask(`${base()}${path}`, { auth, method, body });
        expect([path, REFUSALS.has(await status(auth))]).toEqual([path, true]);
        // The call itself is a good one.
        expect([path, REFUSALS.has(await status(administrator))]).toEqual([path, false]);
      }
    },
  );

  it('lets in nobody whom a certificate names, whatever the password', async () => {
    for (const guess of ['', password, 'trip'])
      expect(await ask(`${base()}/api/bindings/${vhost}`, { auth: `trip:${guess}` })).toBe(401);
  });

  it('speaks TLS 1.3 and nothing else', async () => {
    const auth = `trip-topology:${password}`;
    const old = { auth, maxVersion: 'TLSv1.2' as const };
    await expect(ask(`${base()}/api/overview`, old)).rejects.toThrow(/protocol version/);
    await expect(fetch(`${base().replace('https', 'http')}/api/overview`)).rejects.toThrow();
  });
});
