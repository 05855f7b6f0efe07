import { SecurityEvents } from '@cabstand/auth';
import { DriverMoved } from '@cabstand/contracts';
import { eventually } from '@cabstand/testing';
import { randomUUIDv7 } from 'node:crypto';
import type { TripView } from '../src/trip/trip.dto.ts';
import { startPlatform, VEHICLE, type Person, type Platform } from './harness.ts';
import { followTrip, type Stream } from './stream.ts';

let platform: Platform;
beforeAll(async () => void (platform = await startPlatform()));
afterAll(() => platform.stop());

const WAY = { pickup: { lat: 52.52437, lng: 13.41053 }, dropoff: { lat: 52.5, lng: 13.45 } };
const ROUGHLY = { pickup: { lat: 52.52, lng: 13.41 }, dropoff: { lat: 52.5, lng: 13.45 } };
const REASON = { 'access-reason': 'the passenger lost a bag' };

const opened: Stream[] = [];
afterEach(() => opened.splice(0).forEach((stream) => stream.close()));
async function follow(as: Person, tripId: string, headers: Record<string, string> = {}): Promise<Stream> {
  const stream = await followTrip(platform.services[0]!.url, as, tripId, headers);
  opened.push(stream);
  return stream;
}

async function acceptedTrip() {
  const [passenger, driver] = [await platform.person('passenger'), await platform.person('driver')];
  await platform.introduce(passenger, driver);
  const { body: quote } = await platform.call<{ quoteId: string }>('POST', '/v1/quotes', { as: passenger, body: WAY });
  const body = { quoteId: quote.quoteId };
  const { body: trip } = await platform.call<TripView>('POST', '/v1/trips', { as: passenger, body });
  await platform.accept(driver, trip.id);
  await platform.untilStatus(driver, trip.id, 'accepted');
  const act = (action: string) => platform.call<TripView>('POST', `/v1/trips/${trip.id}/${action}`, { as: driver });
  return { passenger, driver, trip, act };
}

/** The trip as each of the ways shows it that there are to it. */
async function everyView(as: Person, id: string, headers: Record<string, string> = {}): Promise<TripView[]> {
  const { body: one } = await platform.call<TripView>('GET', `/v1/trips/${id}`, { as, headers });
  const { body: list } = await platform.call<{ items: TripView[] }>('GET', '/v1/trips?limit=100', { as, headers });
  const now = await follow(as, id, headers);
  const past = await follow(as, id, { ...headers, 'last-event-id': '1' });
  await eventually(() => {
    expect(now.events.length).toBeGreaterThan(0);
    expect(past.events.length).toBe(one.status === 'accepted' ? 1 : 4);
  });
  const streamed = [...now.events, ...past.events].map(({ data }) => data as TripView);
  return [one, list.items.find((trip) => trip.id === id)!, ...streamed];
}

const NAMES = { passenger: { firstName: 'Ada' }, driver: { firstName: 'Grace', vehicle: VEHICLE, rating: null } };

it('shows the sides each other while they are on it, and afterwards the driver no name and roughly where', async () => {
  const { passenger, driver, trip, act } = await acceptedTrip();
  for (const as of [passenger, driver])
    for (const view of await everyView(as, trip.id)) expect(view).toMatchObject({ ...WAY, ...NAMES });

  for (const action of ['arrive', 'start']) expect((await act(action)).body).toMatchObject({ ...WAY, ...NAMES });
  const { body: completed } = await act('complete');
  for (const view of [completed, ...(await everyView(driver, trip.id))]) {
    expect(view).toMatchObject({ ...ROUGHLY, driver: NAMES.driver });
    expect(view).not.toHaveProperty('passenger');
  }
  for (const view of await everyView(passenger, trip.id)) expect(view).toMatchObject({ ...WAY, ...NAMES });

  await platform.rows(`UPDATE trips SET completed_at = now() - interval '61 minutes' WHERE id = $1`, [trip.id]);
  await platform.rows(`UPDATE trip_history SET completed_at = now() - interval '61 minutes' WHERE id = $1`, [trip.id]);
  for (const view of await everyView(passenger, trip.id)) {
    expect(view).toMatchObject({ ...WAY, passenger: NAMES.passenger });
    expect(view).not.toHaveProperty('driver');
  }
});

it('shows operators no name, plate or address without a reason', async () => {
  const { trip, driver } = await acceptedTrip();
  const operator = await platform.person('operator');
  const vehicle = { ...VEHICLE, plate: '***' };
  for (const view of await everyView(operator, trip.id))
    expect(view).toMatchObject({ ...ROUGHLY, passenger: { firstName: '***' }, driver: { firstName: '***', vehicle } });

  const [masked, whole] = [await follow(operator, trip.id), await follow(operator, trip.id, REASON)];
  const position = { lat: 52.51234, lng: 13.43211 };
  await eventually(async () => {
    const moved = { driverId: driver.id, tripId: trip.id, position, at: new Date().toISOString() };
    await platform.messages.publish('driver', DriverMoved, moved);
    for (const [stream, seen] of [
      [masked, { lat: 52.51, lng: 13.43 }],
      [whole, position],
    ] as const)
      expect(stream.events).toContainEqual(
        expect.objectContaining({ event: 'driver-position', data: expect.objectContaining({ position: seen }) }),
      );
  });
});

describe('an operator’s reason', () => {
  it('shows everything, and is on record with who looked at what', async () => {
    const { trip } = await acceptedTrip();
    const operator = await platform.person('operator');
    for (const view of await everyView(operator, trip.id, REASON)) expect(view).toMatchObject({ ...WAY, ...NAMES });
    // The same token without a reason, right afterwards.
    expect((await platform.get(operator, trip.id)).passenger).toEqual({ firstName: '***' });
    const audited = await platform.rows('SELECT * FROM ops_audit WHERE subject = $1 ORDER BY id', [operator.id]);
    const entry = (call: string, target: string | null) => ({
      ...{ id: expect.any(String), at: expect.any(Date), issuer: platform.issuer.issuer, subject: operator.id },
      ...{ client_id: 'test', action: 'ops.personal-data-shown', reason: REASON['access-reason'] },
      ...{ target, details: { call } },
    });
    const events = entry('GET /v1/trips/:id/events', trip.id);
    const older = `?limit=1&cursor=${Buffer.from(trip.id).toString('base64url')}`;
    await platform.call('GET', `/v1/trips${older}`, { as: operator, headers: REASON });
    const [last] = await platform.rows('SELECT details FROM ops_audit WHERE subject = $1 ORDER BY id DESC', [
      operator.id,
    ]);
    expect(last).toEqual({ details: { call: 'GET /v1/trips', cursor: older.split('cursor=')[1] } });
    expect(audited).toEqual([entry('GET /v1/trips/:id', trip.id), entry('GET /v1/trips', null), events, events]);
  });

  it.each([['short'], ['          spaces'], ['x'.repeat(201)], ['a\tb c d e f g h']])(
    'is refused when it is %j',
    async (reason) => {
      const { trip } = await acceptedTrip();
      const as = await platform.person('operator');
      const answer = await platform.call<object>('GET', `/v1/trips/${trip.id}`, {
        as,
        headers: { 'access-reason': reason },
      });
      expect(answer).toMatchObject({
        status: 400,
        body: { code: 'REQUEST_INVALID', errors: [{ path: 'Access-Reason' }] },
      });
    },
  );

  it('counts in characters, whatever the language', async () => {
    const { trip } = await acceptedTrip();
    const as = await platform.person('operator');
    const headers = { 'access-reason': Buffer.from('Überprüfung: Tür beschädigt'.padEnd(200, 'ß')).toString('latin1') };
    const { body } = await platform.call<TripView>('GET', `/v1/trips/${trip.id}`, { as, headers });
    expect(body.passenger).toEqual({ firstName: 'Ada' });
    const [audited] = await platform.rows<{ reason: string }>('SELECT reason FROM ops_audit WHERE subject = $1', [
      as.id,
    ]);
    expect(audited!.reason).toMatch(/^Überprüfung: Tür beschädigtß+$/);
  });

  it('is nothing that a driver could say', async () => {
    const { driver, trip, act } = await acceptedTrip();
    for (const action of ['arrive', 'start', 'complete']) await act(action);
    const { body } = await platform.call<TripView>('GET', `/v1/trips/${trip.id}`, { as: driver, headers: REASON });
    expect(body).toMatchObject(ROUGHLY);
    expect(body).not.toHaveProperty('passenger');
  });
});

it('tells how often somebody tried what is not theirs, and nothing of whose it is', async () => {
  const { trip } = await acceptedTrip();
  const stranger = await platform.person('passenger');
  for (const path of ['', '/events', '', `/../${randomUUIDv7()}`])
    expect((await platform.call('GET', `/v1/trips/${trip.id}${path}`, { as: stranger })).status).toBe(404);
  await platform.services[0]!.app.get(SecurityEvents).report();
  const told = { issuer: platform.issuer.issuer, subject: stranger.id, count: 3 };
  await eventually(() => {
    const denials = platform.messages.published.filter(({ type }) => type === 'security.access-denied');
    const [denial] = denials.filter(({ payload }) => payload.subject === stranger.id);
    expect(denial?.payload).toEqual({
      ...told,
      reportId: expect.any(String),
      since: expect.any(String),
      until: expect.any(String),
    });
  });
});
