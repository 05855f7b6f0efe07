import { setTimeout as pause } from 'node:timers/promises';
import { SERVICES, type ServiceName } from '@cabstand/contracts';
import { eventually } from '@cabstand/testing';
import { whyNoProxy } from '../../../infra/images/container-tools.ts';
import { call } from '../../../tools/client/http.ts';
import { expectAgreement, query } from '../src/agreement.ts';
import { Gateway } from '../src/gateway.ts';
import { acceptedTrip, drive, newDriver, newPassenger, type NewDriver, type NewPassenger } from '../src/people.ts';
import { freshPlace, type Place } from '../src/places.ts';
import { Platform } from '../src/platform.ts';
import { RequestLog } from '../src/request-log.ts';
import { usageOf } from '../src/resources.ts';
import type { ServiceProcess } from '../src/service-process.ts';

/** How long a process goes on after it was taken out of the balancer; k8s gives it 5 s, on many more machines. */
const PRE_STOP_MS = 1_000;
/** Enough that something is always under way, and little enough for the two cores that all of it shares. */
const RIDES = 3;
const EVERY_MS = 100;

const why = whyNoProxy();
if (why === null || process.env.CI) describe('a rolling update under load', testRollingUpdate);
else it(`no rolling update is tested here: ${why}`, () => undefined);

interface Ride {
  passenger: NewPassenger;
  driver: NewDriver;
  place: Place;
}

function testRollingUpdate(): void {
  let gateway: Gateway;
  let platform: Platform;
  let requests: RequestLog;
  const rides: Ride[] = [];
  const clients: Promise<void>[] = [];
  const completed: string[] = [];
  const retired: ServiceProcess[] = [];
  const figures: Partial<Record<ServiceName, Record<string, number>>> = {};
  let ended = false;

  /** Over and over, until the test is over. What fails ends the client, and the test. */
  const keepDoing = (act: () => Promise<unknown>) =>
    clients.push(
      (async () => {
        while (!ended) await act();
      })(),
    );

  async function ride({ passenger, driver, place }: Ride): Promise<void> {
    await driver.api.report([{ ...place.pickup, at: new Date().toISOString() }]);
    const { id } = await acceptedTrip(passenger.api, driver.api, place, 30_000);
    await drive(driver.api, id);
    await passenger.api.rate(id, 5);
    completed.push(id);
  }

  beforeAll(async () => {
    gateway = await Gateway.start();
    platform = await Platform.start({
      publicUrls: gateway.urls,
      replicas: { passenger: 2, driver: 2, trip: 2 },
      env: { ACCESS_TOKEN_TTL: '20s' },
    });
    for (const service of SERVICES) {
      const { residentMiB, cpuS } = usageOf(platform.services[service][0].pid);
      figures[service] = { 'CPU s to start': cpuS, 'MiB idle': residentMiB, 'MiB at most under load': 0 };
      const urls = platform.services[service].map(({ url }) => url);
      await gateway.route(service, urls);
    }
    for (let i = 0; i < RIDES; i += 1) {
      const place = freshPlace();
      const [passenger, driver] = await Promise.all([
        newPassenger(platform.urls),
        newDriver(platform.urls, place.pickup),
      ]);
      rides.push({ passenger, driver, place });
    }
    requests = new RequestLog(Object.values(gateway.urls));
    for (const each of rides) {
      keepDoing(() => ride(each));
      keepDoing(() => each.passenger.api.trips('?limit=5').then(() => pause(EVERY_MS)));
      keepDoing(() => each.driver.api.offer().then(() => pause(EVERY_MS)));
    }
    // Signing in takes its time, so that some of it is always under way.
    const { email, password } = rides[0]!.passenger.profile;
    const signIn = () => call('POST', `${gateway.urls.passenger}/v1/sessions`, { body: { email, password } });
    keepDoing(() => signIn().then(() => pause(EVERY_MS)));
    // Those who have failed are heard of at the end.
    for (const client of clients) client.catch(() => undefined);
  });
  afterAll(async () => {
    ended = true;
    await Promise.allSettled(clients);
    requests?.stop();
    console.table(figures);
    await platform?.stop();
    await gateway?.stop();
  });

  /** So many more trips than now come to their end. */
  async function untilCompleted(more: number): Promise<void> {
    const before = completed.length;
    await eventually(() => expect(completed.length - before).toBeGreaterThanOrEqual(more), { timeoutMs: 60_000 });
  }

  /** As a Deployment does it: one more first, then one less. */
  async function replaceOne(service: ServiceName): Promise<void> {
    const [old, ...others] = platform.services[service];
    const fresh = await platform.addReplica(service);
    const next = [...others, fresh].map(({ url }) => url);
    await gateway.route(service, [old.url, ...next]);
    await untilCompleted(2);
    await gateway.route(service, next);
    await pause(PRE_STOP_MS);
    const most = 'MiB at most under load';
    figures[service]![most] = Math.max(figures[service]![most]!, usageOf(old.pid).peakMiB);
    const { code, tookMs } = await old.stop('SIGTERM');
    expect({ service, code }).toEqual({ service, code: 0 });
    expect(tookMs).toBeLessThan(10_000);
    retired.push(platform.services[service].shift()!);
  }

  function expectNoFailure(): void {
    const said = [...retired, ...platform.processes()]
      .flatMap(({ log }) => log)
      .filter((line) => /"event":"(database.unavailable|http.failed)"/.test(line));
    expect({ failed: requests.failed, said }).toEqual({ failed: [], said: [] });
  }

  it.each(SERVICES)('replaces both processes of %s, and no request fails', async (service) => {
    await untilCompleted(2);
    for (let replaced = 0; replaced < 2; replaced += 1) await replaceOne(service);
    await untilCompleted(2);
    expectNoFailure();
  });

  it('has lost no event, and no trip', async () => {
    ended = true;
    // A client that was refused anything has ended with it.
    await Promise.all(clients);
    expectNoFailure();
    await expectAgreement(platform, 30_000);
    const { passenger, driver, trip } = platform.databases;
    const ids = async (url: string, text: string) =>
      (await query<{ id: string }>(url, text)).map(({ id }) => id).sort();
    const all = completed.toSorted();
    expect(await ids(trip.url, "SELECT id FROM trips WHERE status = 'completed'")).toEqual(all);
    expect(await ids(driver.url, "SELECT trip_id AS id FROM dispatches WHERE status = 'closed'")).toEqual(all);
    expect(await ids(passenger.url, 'SELECT trip_id AS id FROM passenger_trips WHERE NOT under_way')).toEqual(all);
    for (const { url } of [passenger, driver, trip])
      await eventually(async () => expect(await query(url, 'SELECT 1 FROM outbox')).toEqual([]));
    console.log(`${requests.answered} requests and ${all.length} trips while six processes were replaced: none failed`);
  });
}
