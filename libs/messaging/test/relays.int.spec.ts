import { eventually } from '@cabstand/testing';
import type { DataSource } from 'typeorm';
import { createPair, dataSourceOf, outboxOf, publish, type Pair, type Service } from './service.ts';

let pair: Pair;
let database: DataSource;

beforeAll(async () => {
  pair = await createPair();
  database = await dataSourceOf(pair.tripDatabase).initialize();
});
afterAll(async () => {
  await database.destroy();
  await pair.drop();
});

const startRelay = () => pair.startTrip({ pollEveryMs: 200 });

/** How many partitions each relay holds that holds any. */
async function shares(): Promise<number[]> {
  const rows = await database.query<{ count: number }[]>(
    `SELECT count(*)::int FROM pg_locks WHERE locktype = 'advisory' AND granted
       AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
     GROUP BY pid ORDER BY 1`,
  );
  return rows.map(({ count }) => count);
}
const untilShared = (...expected: number[]) => eventually(async () => expect(await shares()).toEqual(expected));

async function expectAllRelayed(from: Service): Promise<void> {
  for (let i = 0; i < 40; i++) await publish(from);
  await eventually(async () => expect(await outboxOf(from)).toEqual([]));
}

it('shares the partitions with relays that come, and takes over from those that go', async () => {
  const first = await startRelay();
  await untilShared(4);
  const second = await startRelay();
  await untilShared(2, 2);
  const third = await startRelay();
  await untilShared(1, 1, 2);
  const fourth = await startRelay();
  await untilShared(1, 1, 1, 1);
  const fifth = await startRelay();
  for (const service of [first, second, third, fourth, fifth]) await expectAllRelayed(service);
  expect(await shares()).toEqual([1, 1, 1, 1]);
  for (const service of [first, second, third]) await service.stop();
  await untilShared(2, 2);
  await expectAllRelayed(fifth);
  await fourth.stop();
  await untilShared(4);
  await expectAllRelayed(fifth);
}, 90_000);

it('takes over from a relay that has lost its session', async () => {
  await startRelay();
  await untilShared(2, 2);
  const ended = await database.query<unknown[]>(
    `SELECT pg_terminate_backend(pid) FROM (SELECT min(pid) AS pid FROM pg_stat_activity
     WHERE application_name = 'trip relay' AND datname = current_database()) AS one`,
  );
  expect(ended).toHaveLength(1);
  await untilShared(2, 2);
}, 60_000);
