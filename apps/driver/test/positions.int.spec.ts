import { SUPPLY_RESOLUTION, type GeoPoint } from '@cabstand/contracts';
import { eventually } from '@cabstand/testing';
import { latLngToCell } from 'h3-js';
import { north, PICKUP, startPlatform, untilWaiting, type Person, type Platform } from './harness.ts';

// What is heard is stored a moment later; these tests look at that moment.
let platform: Platform;
beforeAll(async () => void (platform = await startPlatform({ SUPPLY_EVERY: '200ms' }, 2)));
afterAll(async () => {
  try {
    const database = 'SELECT deadlocks::int FROM pg_stat_database WHERE datname = current_database()';
    expect(await platform.rows(database)).toEqual([{ deadlocks: 0 }]);
  } finally {
    await platform.stop();
  }
});

/** So near that no two reports, however soon after each other, need an impossible speed. */
const aside = (steps: number) => north(steps / 20);
const report = async (driver: Person, at: GeoPoint, replica = 0) => {
  const body = { points: [{ ...at, at: new Date().toISOString() }] };
  const answer = await platform.call('POST', '/v1/drivers/me/positions', { as: driver, body, replica });
  expect(answer).toMatchObject({ status: 202, body: { accepted: 1 } });
};
const stored = async ({ id }: Person) => {
  const [row] = await platform.rows<{ lat: number }>('SELECT lat FROM positions WHERE driver_id = $1', [id]);
  return row?.lat;
};
/** Keeps the driver's position as it is, or as told, until the answer is called. */
const hold = async ({ id }: Person, change = 'at = at') => {
  const client = await platform.pool.connect();
  await client.query('BEGIN');
  await client.query(`UPDATE positions SET ${change} WHERE driver_id = $1`, [id]);
  return async () => {
    await client.query('COMMIT');
    client.release();
  };
};

it('of two positions that are stored at once the newer stays', async () => {
  const driver = await platform.hire();
  const letGo = await hold(driver, `lat = 1, at = now() + interval '5 s'`);
  await report(driver, PICKUP);
  await untilWaiting(platform, 1);
  await letGo();
  await untilWaiting(platform, 0);
  expect(await stored(driver)).toBe(1);
});

it('two replicas that store the same drivers’ positions never deadlock', async () => {
  const drivers = await Promise.all([1, 2, 3, 4].map(() => platform.hire()));
  const [first, second, third, last] = drivers.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  // Both replicas are stuck with the last driver, while they hear of the others in opposite orders.
  const [letLast, letSecond] = [await hold(last!), await hold(second!)];
  for (const replica of [0, 1]) await report(last!, PICKUP, replica);
  await untilWaiting(platform, 2);
  for (const driver of [first!, second!, third!]) await report(driver, aside(1), 0);
  for (const driver of [third!, second!, first!]) await report(driver, aside(2), 1);
  await letLast();
  await untilWaiting(platform, 2);
  await letSecond();
  for (const driver of [first!, second!, third!])
    await eventually(async () => expect(await stored(driver)).toBe(aside(2).lat));
});

it('free drivers are counted by cell, and each change told once, whichever replica counts', async () => {
  const [here, cell] = [{ lat: -33.86, lng: 151.21 }, latLngToCell(-33.86, 151.21, SUPPLY_RESOLUTION)];
  const told = () =>
    platform.messages.published
      .filter(({ type, payload }) => type === 'driver.supply-changed' && payload.cell === cell)
      .map(({ sequence, payload }) => [sequence, payload.freeDrivers]);
  const driver = await platform.hire(here);
  await eventually(() => expect(told()).toEqual([[1, 1]]));
  const other = await platform.hire(here);
  await platform.request(here);
  await eventually(() => expect(told().at(-1)![1]).toBe(1));
  for (const each of [driver, other]) await platform.go(each, 'offline');
  await eventually(() => expect(told().at(-1)![1]).toBe(0));
  expect(told().map(([sequence]) => sequence)).toEqual(told().map((_, i) => i + 1));
});

it('what is heard while the database is away is stored when it is back', async () => {
  const driver = await platform.hire();
  await platform.database.stop();
  await report(driver, aside(3));
  await report(driver, aside(4));
  await platform.database.start();
  await eventually(async () => expect(await stored(driver)).toBe(aside(4).lat));
});

it('a replica that is told to stop stores what it has heard', async () => {
  const [driver, other] = [await platform.hire(), await platform.hire()];
  const letOther = await hold(other);
  await report(other, aside(5), 1);
  await untilWaiting(platform, 1);
  await report(driver, aside(6), 1);
  const stopped = platform.services[1]!.stop();
  await letOther();
  await stopped;
  expect(await stored(driver)).toBe(aside(6).lat);
});
