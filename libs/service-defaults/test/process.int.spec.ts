import { eventually } from '@cabstand/testing';
import { Agent, createServer as createHttpServer, get as httpGet, type IncomingMessage } from 'node:http';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import pg from 'pg';
import { bundleNotes } from './fixture/bundle.ts';
import { run, type Run } from './fixture/process.ts';
import { createWorld, migrate, type World } from './fixture/running.ts';

let world: World;
let bundle: Awaited<ReturnType<typeof bundleNotes>>;
let env: Record<string, string>;
const runs: Run[] = [];

beforeAll(async () => {
  [world, bundle] = await Promise.all([createWorld(), bundleNotes()]);
  await migrate(world);
  env = { ...world.env, LOG_LEVEL: 'info' };
});
afterEach(async () => {
  for (const { child } of runs.splice(0)) child.kill('SIGKILL');
});
afterAll(async () => {
  await bundle.drop();
  await world.drop();
});

function launch(overrides: Record<string, string> = {}, ...args: string[]): Run {
  const started = run(bundle.file, { ...env, ...overrides }, ...args);
  runs.push(started);
  return started;
}

async function serving(overrides: Record<string, string> = {}): Promise<Run & { url: string; managementUrl: string }> {
  const service = launch(overrides);
  const line = await eventually(() => {
    const started = service.logged('service.started');
    expect(started).toBeTruthy();
    return started!;
  });
  return { ...service, url: String(line.url), managementUrl: String(line.managementUrl) };
}

test('names each variable that is wrong on a line of its own, without its value, and exits 78', async () => {
  const { DATABASE_URL: _, ...rest } = env;
  const service = run(bundle.file, { ...rest, PORT: 'http', AMQP_URL: 'redis://me:hunter2@host', LOG_FORMAT: '' });
  expect(await service.exitCode).toBe(78);
  const lines = service.stderr().trim().split('\n').sort();
  expect(lines.map((line) => line.split(' ').slice(0, 2).join(' '))).toEqual([
    'config: AMQP_URL',
    'config: DATABASE_URL',
    'config: PORT',
  ]);
  expect(lines[1]).toBe('config: DATABASE_URL is missing');
  expect(service.stderr()).not.toContain('hunter2');
});

test('takes all files of TLS or none, and no connection in clear beside them', async () => {
  const here = import.meta.filename;
  const contrary = (name: string) => `config: ${name} says otherwise than TLS_CERT_FILE: nothing goes in clear`;
  const service = run(bundle.file, {
    ...{ ...env, TLS_CERT_FILE: here, TLS_CA_FILE: '/nowhere/ca.crt' },
    DATABASE_URL: `${env.DATABASE_URL}?sslmode=disable`,
    AMQP_MANAGEMENT_URL: 'http://user:password@localhost:15672',
    TRUSTED_ISSUERS: JSON.stringify([
      { issuer: 'https://issuer.test', jwksUri: 'http://issuer.test/jwks', roles: ['driver'] },
    ]),
  });
  expect(await service.exitCode).toBe(78);
  expect(service.stderr().trim().split('\n').sort()).toEqual([
    ...['AMQP_MANAGEMENT_URL', 'AMQP_URL', 'DATABASE_URL'].map(contrary),
    'config: TLS_CA_FILE must be a file that can be read',
    'config: TLS_KEY_FILE is missing',
    contrary('TRUSTED_ISSUERS'),
  ]);
});

test('migrates and exits', async () => {
  const fresh = await createWorld();
  const migration = launch(fresh.env, 'migrate');
  expect(await migration.exitCode).toBe(0);
  const database = new pg.Client(fresh.database.url);
  await database.connect();
  expect((await database.query('SELECT count(*)::int AS count FROM notes')).rows).toEqual([{ count: 0 }]);
  await database.end();
  await fresh.drop();
});

test('finishes requests, ends streams and exits 0, however often it is told', async () => {
  const service = await serving();
  const token = await world.issuer.token('passenger', crypto.randomUUID());
  const stream = await fetch(`${service.url}/v1/notes/events`, { headers: { authorization: `Bearer ${token}` } });
  const answers = Array.from({ length: 5 }, () => fetch(`${service.url}/v1/slow`));
  // A connection that stays open between requests must not hold up the end.
  const agent = new Agent({ keepAlive: true });
  const [idle] = (await once(httpGet(`${service.url}/docs`, { agent }), 'response')) as [IncomingMessage];
  idle.resume();
  await eventually(async () => {
    const activity = new pg.Client(world.database.url);
    await activity.connect();
    const busy = await activity.query(
      "SELECT FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'SELECT pg_sleep%' AND state = 'active'",
    );
    await activity.end();
    expect(busy.rowCount).toBe(5);
  });

  const toldAt = performance.now();
  service.child.kill('SIGTERM');
  service.child.kill('SIGINT');
  service.child.kill('SIGTERM');
  expect(await stream.text()).toMatch(/retry: \d+\n\n$/);
  expect(performance.now() - toldAt).toBeLessThan(2_000);
  expect((await Promise.all(answers)).map(({ status }) => status)).toEqual(Array(5).fill(200));
  expect(await service.exitCode).toBe(0);
  expect(performance.now() - toldAt).toBeLessThan(10_000);
  agent.destroy();
});

test('exits 1 with a line when its port is taken', async () => {
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const { port } = taken.address() as AddressInfo;
  const service = launch({ PORT: String(port) });
  expect(await service.exitCode).toBe(1);
  expect(service.logged('service.start-failed')).toMatchObject({ level: 'fatal', err: { code: 'EADDRINUSE' } });
  taken.close();
});

test('exits 1 with a line after an exception that nobody caught', async () => {
  const service = await serving();
  await fetch(`${service.url}/v1/throw-later`).catch(() => undefined);
  expect(await service.exitCode).toBe(1);
  expect(service.logged('process.uncaught-exception')).toMatchObject({
    level: 'fatal',
    err: { message: 'nobody catches this' },
  });
});

test('sends spans to a collector when the standard variable names one, the last of them while it stops', async () => {
  const bodies: string[] = [];
  const collector = createHttpServer((request, response) => {
    request.on('data', (chunk) => bodies.push(`${request.url} ${String(chunk)}`)).on('end', () => response.end('{}'));
  }).listen(0, '127.0.0.1');
  await once(collector, 'listening');
  const { port } = collector.address() as AddressInfo;
  const service = await serving({ OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}` });
  const traceId = 'c3'.repeat(16);
  await fetch(`${service.url}/v1/notes/secret-name`, {
    headers: { traceparent: `00-${traceId}-${'d4'.repeat(8)}-01` },
  });
  service.child.kill('SIGTERM');
  expect(await service.exitCode).toBe(0);
  collector.close();
  const traces = bodies.filter((body) => body.startsWith('/v1/traces')).join();
  expect(traces).toContain(traceId);
  expect(traces).toContain('GET /v1/notes/:id');
  expect(traces).not.toContain('secret-name');
  expect(bodies.filter((body) => body.startsWith('/v1/metrics')).join()).toContain('http.server.request.duration');
});

test('logs method, route, status and trace of a request, and nothing that anybody typed', async () => {
  const service = await serving();
  await fetch(`${service.url}/v1/notes/me@example.org?phone=555-0100`, {
    headers: { authorization: 'Bearer hunter2' },
  });
  const line = await eventually(() => {
    const logged = service.logged('http.request');
    expect(logged).toBeTruthy();
    return logged!;
  });
  expect(line).toMatchObject({
    level: 'info',
    service: 'passenger',
    method: 'GET',
    route: '/v1/notes/:id',
    status: 401,
  });
  expect(line.traceId).toMatch(/^[0-9a-f]{32}$/);
  expect(Object.keys(line).sort()).toEqual([
    'durationMs',
    'event',
    'level',
    'method',
    'route',
    'service',
    'spanId',
    'status',
    'time',
    'traceId',
  ]);
  expect(service.stdout()).not.toMatch(/example|555|hunter2/);
});
