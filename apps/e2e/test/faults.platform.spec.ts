import { SERVICES, type ServiceName } from '@cabstand/contracts';
import { eventually } from '@cabstand/testing';
import pg from 'pg';
import type { PassengerApi } from '../../../tools/client/api.ts';
import { call } from '../../../tools/client/http.ts';
import { expectAgreement, query } from '../src/agreement.ts';
import {
  acceptedTrip,
  drive,
  goOnlineAt,
  newDriver,
  newPassenger,
  requestTrip,
  untilOffered,
  untilTrip,
} from '../src/people.ts';
import { freshPlace } from '../src/places.ts';
import { Load } from '../src/load.ts';
import { Platform } from '../src/platform.ts';
import { expectProblem, sendJson } from '../src/requests.ts';

let platform: Platform;
beforeAll(async () => {
  platform = await Platform.start();
});
afterAll(() => platform?.stop());
afterEach(() => expectAgreement(platform));

const processOf = (service: ServiceName) => platform.services[service][0];

/** A whole trip by people who are there already. */
async function travel(): Promise<void> {
  const place = freshPlace();
  const passenger = await newPassenger(platform.urls);
  const driver = await newDriver(platform.urls, place.pickup);
  const { id } = await acceptedTrip(passenger.api, driver.api, place, 20_000);
  await drive(driver.api, id);
}

const messaging = (service: ServiceName, state: 'connected' | 'disconnected') =>
  eventually(async () => {
    const { status, body } = await processOf(service).readiness();
    expect({ status, messaging: body.messaging }).toEqual({ status: 200, messaging: state });
  });

it.each(SERVICES)('lets nobody but the %s service connect to its database (P1)', async (owner) => {
  for (const other of SERVICES.filter((service) => service !== owner)) {
    const url = new URL(platform.databases[other].url);
    url.pathname = new URL(platform.databases[owner].url).pathname;
    const client = new pg.Client({ connectionString: url.href });
    await expect(client.connect()).rejects.toMatchObject({ code: '42501' });
  }
  expect(await query(platform.databases[owner].url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
});

describe('with the broker gone (P5)', () => {
  it('everything that one database can decide goes on, and catches up when it is back', async () => {
    const place = freshPlace();
    const driver = await newDriver(platform.urls, place.pickup);
    await platform.broker.stop();
    await Promise.all(SERVICES.map((service) => messaging(service, 'disconnected')));

    const passenger = await newPassenger(platform.urls);
    const { id } = await requestTrip(passenger.api, place);
    await driver.api.report([{ ...place.pickup, at: new Date().toISOString() }]);
    expect((await passenger.api.trip(id)).status).toBe('requested');
    expect(await driver.api.offer()).toBeUndefined();

    await platform.broker.start();
    await Promise.all(SERVICES.map((service) => messaging(service, 'connected')));
    const { offerId } = await untilOffered(driver.api, id, 20_000);
    await driver.api.accept(offerId);
    await untilTrip(driver.api, id, 'accepted');

    // And once more in the middle of the trip.
    await platform.broker.stop();
    expect((await drive(driver.api, id)).status).toBe('completed');
    await platform.broker.start();
    await messaging('trip', 'connected');
    await messaging('driver', 'connected');
    const next = await newPassenger(platform.urls);
    await acceptedTrip(next.api, driver.api, place, 20_000).then((trip) => drive(driver.api, trip.id));
  });
});

describe.each(SERVICES)('with the %s service gone', (service) => {
  it('the others serve on; killed in the middle of a trip, it forgets nothing (P2, P5)', async () => {
    const place = freshPlace();
    const passenger = await newPassenger(platform.urls);
    const driver = await newDriver(platform.urls, place.pickup);
    const { id } = await acceptedTrip(passenger.api, driver.api, place);

    await processOf(service).stop('SIGKILL');
    for (const other of SERVICES.filter((each) => each !== service))
      expect((await processOf(other).readiness()).status).toBe(200);
    if (service !== 'trip') {
      // Verified with the keys that the trip service has: no call to whoever issued the token.
      expect((await passenger.api.trip(id)).status).toBe('accepted');
      await driver.api.arrive(id);
    }
    if (service === 'trip') await goOnlineAt(driver.api, place.pickup);

    await processOf(service).start();
    if (service === 'trip') await driver.api.arrive(id);
    await driver.api.start(id);
    expect(await driver.api.complete(id)).toMatchObject({ status: 'completed' });
    await travel();
  });

  it('SIGTERM under load loses nothing, and ends with 0 within ten seconds (P8)', async () => {
    const passengers = await Promise.all(Array.from({ length: 4 }, () => newPassenger(platform.urls)));
    const driver = await newDriver(platform.urls);
    const place = freshPlace();
    const promised: { api: PassengerApi; id: string }[] = [];
    const load = new Load();
    for (const { api } of passengers) {
      load.keepDoing(async () => {
        // Whoever was left with a trip, because an answer did not come, cancels it first.
        const left = await api.tripUnderWay();
        if (left) await api.cancel(left.id);
        promised.push({ api, id: (await requestTrip(api, place)).id });
      });
    }
    // Signing in takes its time, so that some of it is always under way.
    const { email, password } = service === 'driver' ? driver.profile : passengers[0]!.profile;
    const account = service === 'driver' ? platform.urls.driver : platform.urls.passenger;
    for (let i = 0; i < 3; i += 1)
      load.keepCalling(() => call('POST', `${account}/v1/sessions`, { body: { email, password } }));
    await eventually(() => expect(promised.length).toBeGreaterThan(8));

    load.serverIsTold();
    const { code, tookMs } = await processOf(service).stop();
    await load.end();
    await processOf(service).start();
    expect(code).toBe(0);
    expect(tookMs).toBeLessThan(10_000);
    expect(load.unanswered).toEqual([]);

    for (const { api, id } of promised) expect((await api.trip(id)).id).toBe(id);
    for (const { api } of passengers) {
      const left = await api.tripUnderWay();
      if (left) await api.cancel(left.id);
    }
    await travel();
  });

  it('says so when its database is away, and is back when that is (readiness)', async () => {
    const process = processOf(service);
    const passenger = await newPassenger(platform.urls);
    const token = await passenger.api.session.token();
    await platform.databases[service].stop();
    await eventually(async () => expect((await process.readiness()).status).toBe(503));
    expect(await process.isLive()).toBe(true);
    const { email, password } = passenger.profile;
    const answer =
      service === 'trip'
        ? await sendJson('POST', `${process.url}/v1/quotes`, JSON.stringify(freshPlace()), token)
        : await sendJson('POST', `${process.url}/v1/sessions`, JSON.stringify({ email, password }));
    expectProblem(answer, 503, 'DATABASE_UNAVAILABLE');
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);

    await platform.databases[service].start();
    await eventually(async () => expect((await process.readiness()).status).toBe(200));
    await eventually(() => travel(), { timeoutMs: 30_000 });
  });
});
