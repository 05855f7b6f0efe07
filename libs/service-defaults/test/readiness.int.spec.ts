import { eventually } from '@cabstand/testing';
import { once } from 'node:events';
import { connect } from 'node:net';
import pg from 'pg';
import { loadConfig, type RunningService } from '../src/index.ts';
import { Service } from '../src/bootstrap.ts';
import { MIGRATION_LOCK } from '../src/database.ts';
import { NotesModule, notesConfig, notesService, outside } from './fixture/notes.app.ts';
import { createWorld, freePort, migrate, start, type World } from './fixture/running.ts';

let world: World;
let service: RunningService | undefined;

beforeEach(async () => {
  world = await createWorld();
});
afterEach(async () => {
  await service?.stop();
  service = undefined;
  await world.drop();
});

async function readyz(managementUrl = service!.managementUrl) {
  const response = await fetch(`${managementUrl}/readyz`);
  return { code: response.status, ...((await response.json()) as object) };
}
const slow = () => fetch(`${service!.url}/v1/slow`);

test('is ready, says so when the database goes away, and recovers by itself', async () => {
  await migrate(world);
  service = await start(world);
  await eventually(async () =>
    expect(await readyz()).toEqual({
      code: 200,
      status: 'ready',
      database: 'reachable',
      migrations: 'applied',
      messaging: 'connected',
    }),
  );

  await world.database.stop();
  expect(await readyz()).toMatchObject({ code: 503, status: 'unavailable', database: 'unreachable' });
  expect((await fetch(`${service.managementUrl}/livez`)).status).toBe(200);
  const refused = await slow();
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '2']);
  expect(await refused.json()).toMatchObject({ code: 'DATABASE_UNAVAILABLE' });

  await world.database.start();
  await eventually(async () => expect(await readyz()).toMatchObject({ code: 200 }));
  expect((await slow()).status).toBe(200);
});

test('stays ready without the broker, and tells', async () => {
  await migrate(world);
  service = await start(world);
  await eventually(async () => expect(await readyz()).toMatchObject({ messaging: 'connected' }));
  await world.broker.stop();
  await eventually(async () => expect(await readyz()).toMatchObject({ code: 200, messaging: 'disconnected' }));
  expect((await slow()).status).toBe(200);
  await world.broker.start();
  await eventually(async () => expect(await readyz()).toMatchObject({ messaging: 'connected' }));
});

test('waits for the database and its migrations, alive but not ready', async () => {
  await world.database.stop();
  const managementUrl = `http://127.0.0.1:${await freePort()}`;
  const env = { ...world.env, PORT: String(await freePort()), MANAGEMENT_PORT: new URL(managementUrl).port };
  const starting = start({ ...world, env });
  await eventually(async () => expect((await fetch(`${managementUrl}/livez`)).status).toBe(200));
  expect(await readyz(managementUrl)).toMatchObject({ code: 503, database: 'unreachable', migrations: 'unknown' });
  // Somebody who connects and asks nothing doesn't keep the service from its port.
  const silent = connect(Number(env.PORT), '127.0.0.1').on('error', () => undefined);
  await once(silent, 'connect');
  const early = await fetch(`http://127.0.0.1:${env.PORT}/v1/slow`);
  expect([early.status, early.headers.get('retry-after')]).toEqual([503, '2']);
  expect(await early.json()).toMatchObject({ code: 'DATABASE_UNAVAILABLE' });

  await world.database.start();
  await eventually(async () =>
    expect(await readyz(managementUrl)).toMatchObject({ code: 503, database: 'reachable', migrations: 'pending' }),
  );

  await migrate(world);
  service = await starting;
  expect(await readyz()).toMatchObject({ code: 200, migrations: 'applied' });
  expect(service.url).toBe(`http://127.0.0.1:${env.PORT}`);
  expect((await slow()).status).toBe(200);
});

test('is ready although all connections of its pool are taken', async () => {
  await migrate(world);
  service = await start({ ...world, env: { ...world.env, DATABASE_POOL_SIZE: '2' } });
  const taken = [slow(), slow(), slow(), slow()];
  expect(await readyz()).toMatchObject({ code: 200 });
  expect((await Promise.all(taken)).map(({ status }) => status)).toEqual([200, 200, 200, 200]);
});

test('survives the loss of its idle connections', async () => {
  await migrate(world);
  service = await start(world);
  await Promise.all([slow(), slow()]);
  const meddler = new pg.Client(world.database.url);
  await meddler.connect();
  await meddler.query(
    'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()',
  );
  await meddler.end();
  await eventually(async () => expect((await slow()).status).toBe(200));
});

test('is unready from the first moment of stopping, and answers what is under way', async () => {
  await migrate(world);
  service = await start(world);
  const { promise, resolve } = Promise.withResolvers<void>();
  outside.gate = promise;
  const inside = once(outside.bus, 'slow');
  const answer = slow();
  await inside;
  const stopped = service.stop();
  expect(await readyz()).toMatchObject({ code: 503, status: 'draining' });
  await eventually(() => expect(fetch(service!.url)).rejects.toThrow());
  resolve();
  expect((await answer).status).toBe(200);
  await stopped;
});

test('migrates once, however many do it at the same time, and again without harm', async () => {
  await Promise.all([migrate(world), migrate(world), migrate(world)]);
  await migrate(world);
  const database = new pg.Client(world.database.url);
  await database.connect();
  const applied = await database.query<{ name: string }>('SELECT name FROM migrations');
  await database.end();
  const names = applied.rows.map(({ name }) => name);
  expect(names.length).toBe(new Set(names).size);
  expect(names).toContain('CreateIdempotencyKeys1700000300000');
});

test('migrates only when nobody else does', async () => {
  const other = new pg.Client(world.database.url);
  await other.connect();
  await other.query('SELECT pg_advisory_lock($1)', [MIGRATION_LOCK]);
  const migration = migrate(world);
  await eventually(async () => {
    const waiting = await other.query(`SELECT FROM pg_locks JOIN pg_database ON pg_database.oid = database
      WHERE datname = current_database() AND locktype = 'advisory' AND NOT granted`);
    expect(waiting.rowCount).toBe(1);
  });
  expect((await other.query(`SELECT to_regclass('notes') AS notes`)).rows).toEqual([{ notes: null }]);
  // A process that is killed releases it as well: the lock is the connection's.
  await other.end();
  await migration;
});

test('serves beside migrations of a newer release, and leaves them alone', async () => {
  await migrate(world);
  const database = new pg.Client(world.database.url);
  await database.connect();
  const newer = { timestamp: '4000000000000', name: 'ComesWithALaterRelease4000000000000' };
  await database.query('INSERT INTO migrations (timestamp, name) VALUES ($1, $2)', [newer.timestamp, newer.name]);
  // As when this release is rolled back to, and its init container migrates first.
  await migrate(world);
  service = await start(world);
  expect(await readyz()).toMatchObject({ code: 200, migrations: 'applied' });
  expect((await slow()).status).toBe(200);
  const found = await database.query('SELECT timestamp, name FROM migrations WHERE name = $1', [newer.name]);
  await database.end();
  expect(found.rows).toEqual([newer]);
});

test('ends while it still waits for the database', async () => {
  await world.database.stop();
  const waiting = new Service(NotesModule.forRoot, loadConfig(notesConfig, world.env), notesService);
  const started = waiting.start().catch((error: Error) => error.name);
  await waiting.stop();
  expect(await started).toBe('AbortError');
});
