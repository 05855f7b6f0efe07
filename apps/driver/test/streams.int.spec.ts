import { TripAccepted, TripArrived, TripCancelled, TripCompleted, type GeoPoint } from '@cabstand/contracts';
import { eventually } from '@cabstand/testing';
import { randomUUIDv7 } from 'node:crypto';
import { north, PICKUP, startPlatform, type Person, type Platform } from './harness.ts';
import { openStream } from './sse.ts';

let platform: Platform;
let operator: Person;
beforeAll(async () => {
  platform = await startPlatform({}, 2);
  operator = { id: 'ops', token: await platform.issuer.token('operator', 'ops') };
});
afterAll(() => platform.stop());

const follow = (as: Person, replica = 0, lastEventId?: string) =>
  openStream(`${platform.services[replica]!.url}/v1/drivers/me/events`, as, lastEventId);
const followFleet = (as: Person) => openStream(`${platform.services[0]!.url}/v1/drivers/positions`, as);

describe('a driver’s stream', () => {
  it('tells of offers and trips, on either replica, and goes on where it was left', async () => {
    const driver = await platform.hire();
    const streams = [await follow(driver), await follow(driver, 1)];
    const first = await platform.request();
    const { offerId } = await platform.untilOffered(driver);
    for (const stream of streams)
      await stream.until([{ id: '1', event: 'offer', data: { offerId, tripId: first, pickup: PICKUP } }]);
    const cancelled = { tripId: first, passengerId: randomUUIDv7(), driverId: null, cancelledBy: 'passenger' as const };
    await platform.messages.publish(TripCancelled, cancelled, { sequence: 2 });
    const withdrawn = { id: '2', event: 'offer-withdrawn', data: { offerId, tripId: first, status: 'withdrawn' } };
    for (const stream of streams) await stream.until([{ event: 'offer' }, withdrawn]);
    await Promise.all(streams.map((stream) => stream.close()));

    const tripId = await platform.request();
    const second = await platform.untilOffered(driver);
    await platform.answer(driver, second.offerId, 'accept');
    const underWay = { tripId, passengerId: randomUUIDv7(), driverId: driver.id };
    await platform.messages.publish(TripAccepted, underWay, { sequence: 2 });
    const resumed = await follow(driver, 1, '1');
    const accepted = { id: '4', event: 'trip', data: { tripId, status: 'accepted' } };
    await resumed.until([withdrawn, { id: '3', event: 'offer', data: { tripId } }, accepted]);
    await platform.messages.publish(TripArrived, underWay, { sequence: 3 });
    // Events may overtake each other, and a fact that is overtaken isn't told.
    await resumed.until([withdrawn, { event: 'offer' }, accepted, { event: 'trip' }]);
    await platform.messages.publish(TripCompleted, { ...underWay, fareMinor: 1, currency: 'EUR' }, { sequence: 5 });
    await resumed.until([
      withdrawn,
      { event: 'offer' },
      accepted,
      { event: 'trip' },
      { data: { tripId, status: 'completed' } },
    ]);
    await resumed.close();
  });

  it('shows again where a passenger wanted to go only while the driver may take them there', async () => {
    const roughly = ({ lat, lng }: GeoPoint) => ({
      lat: Math.round(lat * 100) / 100,
      lng: Math.round(lng * 100) / 100,
    });
    const [here, there] = [north(40_001.234), north(60_001.234)];
    const driver = await platform.hire(here);
    const again = (as: Person, point: object) =>
      eventually(async () => {
        const stream = await follow(as, 1, '0');
        await eventually(() => expect(stream.events).not.toEqual([]));
        await stream.close();
        expect(stream.events[0]).toMatchObject({ event: 'offer', data: { pickup: point } });
      });
    const tripId = await platform.request(here);
    const { offerId } = await platform.untilOffered(driver);
    await again(driver, here);
    await platform.answer(driver, offerId, 'accept');
    const underWay = { tripId, passengerId: randomUUIDv7(), driverId: driver.id };
    await platform.messages.publish(TripAccepted, underWay, { sequence: 2 });
    await again(driver, here);
    await platform.messages.publish(TripCompleted, { ...underWay, fareMinor: 1, currency: 'EUR' }, { sequence: 5 });
    await again(driver, roughly(here));

    const other = await platform.hire(there);
    await platform.request(there);
    const declined = await platform.untilOffered(other);
    await again(other, there);
    await platform.answer(other, declined.offerId, 'decline');
    await again(other, roughly(there));
  });

  it('begins with the open offer, or with the trip under way', async () => {
    const driver = await platform.hire(north(2_000));
    const tripId = await platform.request(north(2_000));
    const { offerId } = await platform.untilOffered(driver);
    const offered = await follow(driver);
    await offered.until([{ id: '1', event: 'offer', data: { offerId, tripId } }]);
    await offered.close();
    // What came last is not of this stream: as on a first visit.
    const lost = await follow(driver, 0, '999999');
    await lost.until([{ id: '1', event: 'offer', data: { offerId, tripId } }]);
    await lost.close();

    await platform.answer(driver, offerId, 'accept');
    await platform.messages.publish(
      TripAccepted,
      { tripId, passengerId: randomUUIDv7(), driverId: driver.id },
      { sequence: 2 },
    );
    await eventually(async () => {
      expect(await platform.rows('SELECT 1 FROM driver_stream WHERE driver_id = $1', [driver.id])).toHaveLength(2);
    });
    const driving = await follow(driver);
    await driving.until([{ id: '2', event: 'trip', data: { tripId, status: 'accepted' } }]);
    await driving.close();
  });

  it('tells what no wake-up told of', async () => {
    const driver = await platform.hire();
    const stream = await follow(driver);
    const tripId = randomUUIDv7();
    await platform.rows(
      `WITH next AS (UPDATE availability SET stream_sequence = stream_sequence + 1 WHERE driver_id = $1 RETURNING stream_sequence)
       INSERT INTO driver_stream (driver_id, sequence, event, data) SELECT $1, stream_sequence, 'trip', $2 FROM next`,
      [driver.id, JSON.stringify({ tripId, status: 'accepted' })],
    );
    await stream.until([{ event: 'trip', data: { tripId, status: 'accepted' } }]);
    await stream.close();
  });

  it('tells nobody else, and ends with the session', async () => {
    const [driver, other] = [await platform.hire(north(4_000)), await platform.signUp()];
    const [mine, theirs] = [await follow(driver, 1), await follow(other)];
    const tripId = await platform.request(north(4_000));
    await mine.until([{ event: 'offer', data: { tripId } }]);
    expect(theirs.events).toEqual([]);
    expect(await platform.call('DELETE', '/v1/sessions/current', { as: driver })).toMatchObject({ status: 204 });
    await mine.ended;
    await theirs.close();
    const impostor = { id: driver.id, token: await platform.issuer.token('driver', driver.id) };
    expect((await follow(impostor)).status).toBe(404);
    expect((await follow(operator)).status).toBe(403);
  });
});

describe('the operators’ stream', () => {
  it('shows where every driver is who is online, until they leave', async () => {
    const [driver, offline] = [await platform.hire(north(6_000)), await platform.signUp()];
    await platform.stand(offline, PICKUP);
    const fleet = await followFleet(operator);
    const mine = () => fleet.events.filter(({ data }) => data.driverId === driver.id);
    await eventually(() =>
      expect(mine()).toMatchObject([{ event: 'position', data: { position: north(6_000), status: 'free' } }]),
    );
    await platform.stand(driver, north(6_005));
    await eventually(() => expect(mine()).toMatchObject([{}, { event: 'position', data: { position: north(6_005) } }]));
    await platform.go(driver, 'offline');
    await eventually(() => expect(mine()).toMatchObject([{}, {}, { event: 'driver-offline' }]));
    expect(fleet.events.filter(({ data }) => data.driverId === offline.id)).toEqual([]);
    await fleet.close();
    expect((await followFleet(driver)).status).toBe(403);
  });

  it('tells who is offered a trip and who is on one, although they stand still', async () => {
    const driver = await platform.hire(north(8_000));
    const fleet = await followFleet(operator);
    const seen = () => fleet.events.filter(({ data }) => data.driverId === driver.id).map(({ data }) => data);
    await eventually(() => expect(seen()).toMatchObject([{ status: 'free', tripId: null }]));
    const tripId = await platform.request(north(8_000));
    const { offerId } = await platform.untilOffered(driver);
    await eventually(() => expect(seen().at(-1)).toMatchObject({ status: 'offered', tripId: null }));
    await platform.answer(driver, offerId, 'accept');
    await eventually(() => expect(seen().at(-1)).toMatchObject({ status: 'on-trip', tripId }));
    await fleet.close();
  });
});
