import { eventually } from '@cabstand/testing';
import type { Offer, Trip } from '../../../tools/client/api.ts';
import {
  acceptedTrip,
  drive,
  newDriver,
  newPassenger,
  refusal,
  requestTrip,
  untilOffered,
  untilTrip,
} from '../src/people.ts';
import { freshPlace, northOf } from '../src/places.ts';
import { Platform } from '../src/platform.ts';
import { StreamReader } from '../src/stream-reader.ts';

let platform: Platform;
beforeAll(async () => {
  platform = await Platform.start({ replicas: { trip: 2, driver: 2 } });
});
afterAll(() => platform?.stop());

const tripEvents = (id: string, replica = 0) => `${platform.urlsOfReplica('trip', replica).trip}/v1/trips/${id}/events`;
const offerEvents = (replica = 0) => `${platform.urlsOfReplica('driver', replica).driver}/v1/drivers/me/events`;
const statuses = (reader: StreamReader) => reader.of<Trip>('trip').map(({ data }) => data.status);

it('tells the passenger every step of the trip, whichever replica it happens on', async () => {
  const place = freshPlace();
  const passenger = await newPassenger(platform.urls);
  const driver = await newDriver(platform.urlsOfReplica('trip', 1), place.pickup);
  const { id } = await requestTrip(passenger.api, place);
  const stream = await StreamReader.open(tripEvents(id), await passenger.api.session.token());
  await driver.api.accept((await untilOffered(driver.api, id)).offerId);
  await untilTrip(driver.api, id, 'accepted');
  await drive(driver.api, id);
  await eventually(() => {
    expect(statuses(stream)).toEqual(['requested', 'accepted', 'arrived', 'in_progress', 'completed']);
  });
  const ids = stream.of('trip').map((event) => Number(event.id));
  expect(ids).toEqual(ids.toSorted((a, b) => a - b));
  expect(stream.of<Trip>('trip').at(-1)?.data).toEqual(await passenger.api.trip(id));
  stream.leave();

  const resumed = await StreamReader.open(tripEvents(id, 1), await passenger.api.session.token(), String(ids[1]));
  await eventually(() => expect(statuses(resumed)).toEqual(['arrived', 'in_progress', 'completed']));
  expect(resumed.of('trip').map((event) => Number(event.id))).toEqual(ids.slice(2));
  resumed.leave();

  const fresh = await StreamReader.open(tripEvents(id), await passenger.api.session.token());
  await eventually(() => expect(statuses(fresh)).toEqual(['completed']));
  fresh.leave();
});

it('tells the driver of offers, their end and trips, and goes on where it broke off', async () => {
  const place = freshPlace();
  const passenger = await newPassenger(platform.urls);
  const driver = await newDriver(platform.urlsOfReplica('driver', 1), place.pickup);
  const token = await driver.api.session.token();
  const stream = await StreamReader.open(offerEvents(0), token);

  const first = await requestTrip(passenger.api, place);
  const [offered] = await stream.until<Offer>('offer', 1);
  expect(offered?.data).toEqual(await driver.api.offer());
  await passenger.api.cancel(first.id);
  const [withdrawn] = await stream.until<{ offerId: string }>('offer-withdrawn', 1);
  expect(withdrawn?.data.offerId).toBe(offered?.data.offerId);
  stream.leave();

  const second = await requestTrip(passenger.api, place);
  await driver.api.accept((await untilOffered(driver.api, second.id)).offerId);
  const resumed = await StreamReader.open(offerEvents(1), token, withdrawn?.id);
  await resumed.until<Offer>('offer', 1);
  const [trip] = await resumed.until<{ tripId: string; status: string }>('trip', 1);
  expect(trip?.data).toMatchObject({ tripId: second.id, status: 'accepted' });
  expect(resumed.of<Offer>('offer').map(({ data }) => data.tripId)).toEqual([second.id]);
  resumed.leave();
});

it('shows the passenger where the driver is, and the operator where everybody is', async () => {
  const place = freshPlace();
  const passenger = await newPassenger(platform.urls);
  const driver = await newDriver(platform.urlsOfReplica('driver', 1), place.pickup);
  const operator = await platform.operatorToken();
  const { id } = await acceptedTrip(passenger.api, driver.api, place);
  const onTrip = await StreamReader.open(tripEvents(id, 1), await passenger.api.session.token());
  const everywhere = await StreamReader.open(`${platform.urls.driver}/v1/drivers/positions`, operator);
  const here = northOf(place.pickup, 42);
  // Positions for streams are transient: what was sent before everybody listened may be lost, the next is not.
  await eventually(
    async () => {
      await driver.api.report([{ ...here, at: new Date().toISOString() }]);
      const seen = [...onTrip.of('driver-position'), ...everywhere.events].map(({ data }) => JSON.stringify(data));
      expect(seen.filter((data) => data.includes(String(here.lat))).length).toBeGreaterThan(1);
    },
    { everyMs: 200 },
  );
  expect(onTrip.of('driver-position').every(({ id: cursor }) => cursor === undefined)).toBe(true);
  expect(JSON.stringify(everywhere.events)).toContain(driver.id);
  onTrip.leave();
  everywhere.leave();
});

it('is for those whom the trip concerns', async () => {
  const place = freshPlace();
  const [passenger, stranger] = await Promise.all([newPassenger(platform.urls), newPassenger(platform.urls)]);
  const other = await newDriver(platform.urls);
  const { id } = await requestTrip(passenger.api, place);
  const notFound = { status: 404, code: 'NOT_FOUND' };
  for (const { api } of [stranger, other])
    expect(await refusal(StreamReader.open(tripEvents(id), await api.session.token()))).toEqual(notFound);
  const positions = `${platform.urls.driver}/v1/drivers/positions`;
  expect(await refusal(StreamReader.open(positions, await other.api.session.token()))).toEqual({
    status: 403,
    code: 'ROLE_FORBIDDEN',
  });
  const operator = await StreamReader.open(tripEvents(id), await platform.operatorToken());
  await operator.until('trip', 1);
  operator.leave();
});

it('ends with the token', async () => {
  const place = freshPlace();
  const passenger = await newPassenger(platform.urls);
  const { id } = await requestTrip(passenger.api, place);
  const exp = Math.floor(Date.now() / 1_000) + 3;
  const brief = await platform.operators.token('operator', crypto.randomUUID(), { exp });
  const expiring = await StreamReader.open(tripEvents(id), brief);
  const revoked = await StreamReader.open(tripEvents(id, 1), await passenger.api.session.token());
  await Promise.all([expiring.until('trip', 1), revoked.until('trip', 1)]);
  await passenger.api.session.signOut();
  await revoked.untilClosed(5_000);
  await expiring.untilClosed(exp * 1_000 - Date.now() + 2_000);
  expect(Date.now()).toBeGreaterThanOrEqual(exp * 1_000 - 1_000);
});

it('ends within two seconds when its replica drains, and goes on at the other', async () => {
  const place = freshPlace();
  const passenger = await newPassenger(platform.urls);
  const driver = await newDriver(platform.urls, place.pickup);
  const { id } = await acceptedTrip(passenger.api, driver.api, place);
  const draining = platform.services.trip[1];
  if (!draining) throw new Error('two replicas were asked for');
  const token = await passenger.api.session.token();
  const stream = await StreamReader.open(tripEvents(id, 1), token);
  const [current] = await stream.until<Trip>('trip', 1);

  const stopped = draining.stop();
  await stream.untilClosed(2_000);
  expect(stream.error).toBeUndefined();
  expect(stream.retryMs).toBeGreaterThan(0);
  const { code, tookMs } = await stopped;
  expect(code).toBe(0);
  expect(tookMs).toBeLessThan(10_000);

  await drive(driver.api, id);
  const resumed = await StreamReader.open(tripEvents(id), token, current?.id);
  await eventually(() => expect(statuses(resumed)).toEqual(['arrived', 'in_progress', 'completed']));
  resumed.leave();
});
