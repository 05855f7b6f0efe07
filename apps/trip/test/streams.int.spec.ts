import { DriverMoved } from '@cabstand/contracts';
import { eventually } from '@cabstand/testing';
import { randomUUIDv7 } from 'node:crypto';
import { PICKUP, startPlatform, type Person, type Platform } from './harness.ts';
import { followTrip, statuses, type Stream } from './stream.ts';

let platform: Platform;
/** The replica that looks for what no wake-up told of. */
const LOOKING = 2;
beforeAll(async () => void (platform = await startPlatform({}, 2, 50)));
afterAll(() => platform.stop());

const opened: Stream[] = [];
afterEach(() => opened.splice(0).forEach((stream) => stream.close()));

/** Follows a trip on one of the replicas until the test is over. */
async function follow(as: Person, tripId: string, replica: number, lastEventId?: string): Promise<Stream> {
  const resume: Record<string, string> = lastEventId ? { 'last-event-id': lastEventId } : {};
  const stream = await followTrip(platform.services[replica]!.url, as, tripId, resume);
  opened.push(stream);
  return stream;
}

const positions = ({ events }: Stream) => events.filter(({ event }) => event === 'driver-position');

const move = (driver: Person, tripId: string, lat: number, at = Date.now()) =>
  platform.messages.publish('driver', DriverMoved, {
    driverId: driver.id,
    tripId,
    position: { ...PICKUP, lat },
    at: new Date(at).toISOString(),
  });

async function acceptedTrip() {
  const [passenger, driver] = [await platform.person('passenger'), await platform.person('driver')];
  await platform.introduce(passenger, driver);
  const trip = await platform.requestTrip(passenger);
  await platform.accept(driver, trip.id);
  await platform.untilStatus(driver, trip.id, 'accepted');
  const act = (action: string, replica = 0) =>
    platform.call('POST', `/v1/trips/${trip.id}/${action}`, { as: driver, replica });
  return { passenger, driver, trip, act };
}

describe('the stream of a trip', () => {
  it('tells every change, on every replica, to everybody who may know', async () => {
    const [passenger, driver, operator] = [
      await platform.person('passenger'),
      await platform.person('driver'),
      await platform.person('operator'),
    ];
    const trip = await platform.requestTrip(passenger);
    const early = await follow(passenger, trip.id, 1);
    await eventually(() => expect(statuses(early)).toEqual([['1', 'requested']]));
    await platform.accept(driver, trip.id);
    await platform.untilStatus(driver, trip.id, 'accepted');
    const others = [await follow(driver, trip.id, 0), await follow(operator, trip.id, 1)];
    for (const action of ['arrive', 'start', 'complete']) {
      await platform.call('POST', `/v1/trips/${trip.id}/${action}`, { as: driver });
    }
    const all = [
      ['1', 'requested'],
      ['2', 'accepted'],
      ['3', 'arrived'],
      ['4', 'in_progress'],
      ['5', 'completed'],
    ];
    await eventually(() => expect(statuses(early)).toEqual(all));
    // Late joiners begin with the state that they found.
    for (const other of others) await eventually(() => expect(statuses(other)).toEqual(all.slice(1)));
    expect(early.events.at(-1)!.data).toEqual(await platform.get(passenger, trip.id));
  });

  it('tells what no wake-up told of', async () => {
    const { passenger, trip } = await acceptedTrip();
    const stream = await follow(passenger, trip.id, LOOKING);
    await eventually(() => expect(statuses(stream)).toEqual([['2', 'accepted']]));
    await platform.rows(
      `INSERT INTO trip_history SELECT arrived.*
         FROM trip_history h, jsonb_populate_record(h, '{"sequence": 3, "status": "arrived"}') arrived WHERE h.id = $1 AND h.sequence = 2`,
      [trip.id],
    );
    await eventually(() =>
      expect(statuses(stream)).toEqual([
        ['2', 'accepted'],
        ['3', 'arrived'],
      ]),
    );
  });

  it('resumes after Last-Event-ID on another replica, without gap or repetition', async () => {
    const { passenger, trip, act } = await acceptedTrip();
    const first = await follow(passenger, trip.id, 0, '1');
    await eventually(() => expect(statuses(first)).toEqual([['2', 'accepted']]));
    first.close();
    await act('arrive');
    await act('start', 1);
    const second = await follow(passenger, trip.id, 1, '2');
    await eventually(() =>
      expect(statuses(second)).toEqual([
        ['3', 'arrived'],
        ['4', 'in_progress'],
      ]),
    );
    await act('complete');
    await eventually(() => expect(statuses(second)).toHaveLength(3));
    expect(second.isOver()).toBe(false);
  });

  it.each(['4711', '999999999999999999', 'x'])(
    'starts anew after a Last-Event-ID that is not its own: %s',
    async (id) => {
      const { passenger, trip } = await acceptedTrip();
      const stream = await follow(passenger, trip.id, 0, id);
      await eventually(() => expect(statuses(stream)).toEqual([['2', 'accepted']]));
    },
  );

  it('shows where the driver is, only while on the trip and only of its own driver', async () => {
    const { passenger, driver, trip, act } = await acceptedTrip();
    const stream = await follow(passenger, trip.id, 1);
    await eventually(() => expect(statuses(stream)).toHaveLength(1));
    await eventually(async () => {
      await move(driver, trip.id, 52.521);
      expect(positions(stream).length).toBeGreaterThan(0);
    });
    expect(positions(stream)[0]).toMatchObject({
      data: { driverId: driver.id, tripId: trip.id, position: { lat: 52.521 } },
    });
    expect(positions(stream)[0]).not.toHaveProperty('id', expect.anything());

    for (const action of ['arrive', 'start', 'complete']) await act(action);
    await eventually(() => expect(statuses(stream)).toHaveLength(4));
    const other = await acceptedTrip();
    const witness = await follow(other.passenger, other.trip.id, 1);
    await move(driver, trip.id, 52.6);
    await move(driver, other.trip.id, 52.6);
    await eventually(async () => {
      await move(other.driver, other.trip.id, 52.7);
      expect(positions(witness)).not.toEqual([]);
    });
    // Live messages keep their order, so what came before would be here by now.
    const latitudes = [...positions(stream), ...positions(witness)].map(
      ({ data }) => (data as DriverMoved).position.lat,
    );
    expect(latitudes).not.toContain(52.6);
  });

  it('is not for others', async () => {
    const { trip } = await acceptedTrip();
    for (const role of ['passenger', 'driver'] as const) {
      expect((await follow(await platform.person(role), trip.id, 0)).status).toBe(404);
    }
    expect((await follow(await platform.person('operator'), randomUUIDv7(), 0)).status).toBe(404);
    expect((await fetch(`${platform.services[0]!.url}/v1/trips/${trip.id}/events`)).status).toBe(401);
  });

  it('ends with its token', async () => {
    const passenger = await platform.person('passenger');
    const trip = await platform.requestTrip(passenger);
    const exp = Math.floor(Date.now() / 1_000) + 2;
    const shortly = { ...passenger, token: await platform.issuer.token('passenger', passenger.id, { exp }) };
    const stream = await follow(shortly, trip.id, 0);
    expect(stream.status).toBe(200);
    await eventually(() => expect(stream.isOver()).toBe(true));
    expect(Date.now()).toBeGreaterThanOrEqual(exp * 1_000 - 50);
  });
});

describe('the path of a ride', () => {
  it('is told once after its end: what was heard with the passenger on board, thinned out', async () => {
    const { driver, trip, act } = await acceptedTrip();
    const startAt = Math.ceil(Date.now() / 10_000) * 10_000 + 60_000;
    await move(driver, trip.id, 52.1, Date.now());
    for (const action of ['arrive', 'start']) await act(action);
    const moves = [
      [52.51, 0],
      [52.52, 4_000],
      [52.53, 10_000],
      [52.54, 25_000],
    ] as const;
    for (const [lat, afterMs] of moves) await move(driver, trip.id, lat, startAt + afterMs);
    await move(await platform.person('driver'), trip.id, 52.6, startAt + 40_000);
    await eventually(async () => {
      expect(await platform.rows('SELECT 1 FROM trip_path WHERE trip_id = $1', [trip.id])).toHaveLength(3);
    });
    expect((await act('complete')).status).toBe(200);
    const path = { tripId: trip.id, driverId: driver.id };
    const points = [52.51, 52.53, 52.54].map((lat) => expect.objectContaining({ lat, lng: PICKUP.lng }));
    await eventually(() => {
      const told = platform.messages.of(trip.id).slice(-2);
      expect(told).toMatchObject([
        { type: 'trip.completed', sequence: 5 },
        { type: 'trip.path-recorded', sequence: 6, payload: { ...path, points } },
      ]);
    });
    expect(await platform.rows('SELECT 1 FROM trip_path WHERE trip_id = $1', [trip.id])).toEqual([]);
  });
});
