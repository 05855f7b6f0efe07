import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { SERVICES } from '@cabstand/contracts';
import { eventually } from '@cabstand/testing';
import { installationAccounts } from '../../../infra/accounts.ts';
import { freePort } from '../../../infra/ports.ts';
import { startPostgres, type PostgresServer } from '../../../infra/postgres/server.ts';
import { startRabbitmqNode, type Broker } from '../../../infra/rabbitmq/node.ts';
import { testFolder } from '../../../infra/test-runtime.ts';
import { expectAgreement } from '../src/agreement.ts';
import { acceptedTrip, drive, newDriver, newPassenger, requestTrip, untilOffered, untilTrip } from '../src/people.ts';
import { freshPlace } from '../src/places.ts';
import { Platform } from '../src/platform.ts';

/** Servers of its own, because here they are killed for real. */
const dir = testFolder('-killed');
const ports = { postgres: 0, amqp: 0, management: 0 };
const shared = process.env.CABSTAND_TEST_RUNTIME;
let postgres: PostgresServer;
let broker: Broker;
let platform: Platform;

const startDatabase = () => startPostgres({ dir, port: ports.postgres, durable: true });
const startBroker = () =>
  startRabbitmqNode({
    dir,
    amqpPort: ports.amqp,
    managementPort: ports.management,
    accounts: installationAccounts(dir),
  });

beforeAll(async () => {
  [ports.postgres, ports.amqp, ports.management] = await Promise.all([freePort(), freePort(), freePort()]);
  [postgres, broker] = await Promise.all([startDatabase(), startBroker()]);
  const { amqpUrl, managementUrl } = broker;
  process.env.CABSTAND_TEST_RUNTIME = JSON.stringify({ postgresUrl: postgres.url, amqpUrl, managementUrl });
  // However long servers take to come back, nobody's patience ends meanwhile.
  const patience = { DISPATCH_OFFER_TTL: '10m', DISPATCH_DEADLINE: '10m', DISPATCH_POSITION_MAX_AGE: '10m' };
  platform = await Platform.start({ env: patience });
});
afterAll(async () => {
  await platform?.stop();
  process.env.CABSTAND_TEST_RUNTIME = shared;
  await Promise.all([postgres?.stop(), broker?.stop()]);
  rmSync(dir, { recursive: true, force: true });
});
afterEach(() => expectAgreement(platform, 60_000));

/** `broker.pid` is the script's that started it; RabbitMQ writes down its own. */
const nodePid = () => Number(readFileSync(join(dir, 'rabbitmq', 'pid'), 'utf8'));

const allReady = () =>
  eventually(
    async () => {
      for (const service of platform.processes()) {
        const { status, body } = await service.readiness();
        expect({ status, messaging: body.messaging }).toEqual({ status: 200, messaging: 'connected' });
      }
    },
    { timeoutMs: 90_000, everyMs: 250 },
  );

async function travel(): Promise<void> {
  const place = freshPlace();
  const [passenger, driver] = [await newPassenger(platform.urls), await newDriver(platform.urls, place.pickup)];
  const { id } = await acceptedTrip(passenger.api, driver.api, place, 30_000);
  await drive(driver.api, id);
}

it('survives RabbitMQ being killed in the middle of everything (P2, P5)', async () => {
  const place = freshPlace();
  const passengers = await Promise.all(Array.from({ length: 6 }, () => newPassenger(platform.urls)));
  const driver = await newDriver(platform.urls, place.pickup);
  const under = await newDriver(platform.urls, freshPlace().pickup);
  const requested = await Promise.all(passengers.slice(0, 3).map(({ api }) => requestTrip(api, place)));
  process.kill(nodePid(), 'SIGKILL');
  const later = await Promise.all(passengers.slice(3).map(({ api }) => requestTrip(api, place)));
  await under.api.goOffline();
  for (const service of platform.processes())
    await eventually(async () => expect((await service.readiness()).body.messaging).toBe('disconnected'));

  await broker.stop();
  broker = await startBroker();
  await allReady();
  // One driver for six trips: each is offered, those from before the fall and those from after it.
  const trips = new Set([...requested, ...later].map(({ id }) => id));
  while (trips.size > 0) {
    await driver.api.report([{ ...place.pickup, at: new Date().toISOString() }]);
    const { offerId, tripId } = await untilOffered(driver.api, undefined, 60_000);
    expect(trips.delete(tripId)).toBe(true);
    await driver.api.accept(offerId);
    await untilTrip(driver.api, tripId, 'accepted', 60_000);
    await drive(driver.api, tripId);
  }
});

it('survives PostgreSQL being stopped under all three services', async () => {
  await travel();
  await postgres.stop();
  for (const service of platform.processes()) {
    await eventually(async () => expect((await service.readiness()).status).toBe(503));
    expect(await service.isLive()).toBe(true);
  }
  postgres = await startDatabase();
  await allReady();
  await travel();
});

it('starts while neither server is there, and serves once they are', async () => {
  await Promise.all(platform.processes().map((process) => process.stop()));
  await Promise.all([postgres.stop(), broker.stop()]);
  const starting = Promise.all(platform.processes().map((process) => process.start()));
  for (const service of platform.processes()) await eventually(async () => expect(await service.isLive()).toBe(true));
  [postgres, broker] = await Promise.all([startDatabase(), startBroker()]);
  await starting;
  await allReady();
  await travel();
  expect(
    SERVICES.flatMap((service) => platform.services[service]).filter(({ log }) => log.some(isStackOfCrash)),
  ).toEqual([]);
});

/** What Node prints of an error that nobody caught. */
const isStackOfCrash = (line: string) => /^Node\.js v\d+/.test(line);
