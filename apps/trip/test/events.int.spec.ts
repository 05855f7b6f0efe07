import {
  DispatchAccepted,
  DispatchExhausted,
  DriverErased,
  DriverRegistered,
  DriverReinstated,
  DriverSupplyChanged,
  DriverSuspended,
  DriverUpdated,
  PassengerErased,
  PassengerRegistered,
  PassengerReinstated,
  PassengerSuspended,
  PassengerUpdated,
  SessionRevoked,
  SUPPLY_RESOLUTION,
  type EventDefinition,
  type PayloadOf,
} from '@cabstand/contracts';
import { eventually } from '@cabstand/testing';
import { latLngToCell } from 'h3-js';
import { randomUUIDv7 } from 'node:crypto';
import { DataSource, In } from 'typeorm';
import { Driver } from '../src/people/driver.entity.ts';
import { Passenger } from '../src/people/passenger.entity.ts';
import type { QuoteView } from '../src/quote/quote.dto.ts';
import { startPlatform, VEHICLE, type Person, type Platform } from './harness.ts';

let platform: Platform;
beforeAll(async () => void (platform = await startPlatform({ FARE_SURGE_MAX: '2' })));
afterAll(() => platform.stop());

interface Told {
  event: EventDefinition;
  payload: PayloadOf<EventDefinition>;
  sequence: number;
}
const told = <E extends EventDefinition>(event: E, sequence: number, payload: PayloadOf<E>): Told => ({
  event,
  payload,
  sequence,
});

const permutations = <T>(items: T[]): T[][] =>
  items.length < 2
    ? [items]
    : items.flatMap((item, i) => permutations(items.toSpliced(i, 1)).map((others) => [item, ...others]));

/** Publishes each event twice, once with a message id of its own, once repeated with the same. */
async function tell(as: 'driver' | 'passenger', events: Told[]): Promise<void> {
  for (const { event, payload, sequence } of events) {
    const id = randomUUIDv7();
    await platform.messages.publish(as, event, payload, { sequence, id });
    await platform.messages.publish(as, event, payload, { sequence, id });
  }
}

/** Resolves when both queues have been emptied and the last message is acknowledged. */
const allHandled = () =>
  eventually(async () => {
    const [inbox] = await platform.rows<{ count: string }>('SELECT count(*) FROM inbox');
    expect(Number(inbox!.count)).toBe(sent);
  });
let sent = 0;

describe('what is known of a driver', () => {
  it('is the same in every order of events', async () => {
    const orders = permutations([1, 2, 3, 4]);
    const drivers = orders.map(() => randomUUIDv7());
    for (const [i, order] of orders.entries()) {
      const driverId = drivers[i]!;
      const events = [
        told(DriverRegistered, 1, { driverId, firstName: 'Grace', vehicle: VEHICLE }),
        told(DriverSuspended, 2, { driverId }),
        // Newer than the suspension, and silent about it.
        told(DriverUpdated, 3, { driverId, firstName: 'Gracia', vehicle: VEHICLE, status: 'offline' }),
        told(DriverUpdated, 4, { driverId, firstName: 'Grazia', vehicle: VEHICLE, status: 'online' }),
      ];
      await tell(
        'driver',
        order.map((n) => events[n - 1]!),
      );
    }
    sent += 4 * orders.length;
    await allHandled();
    const known = await platform.services[0]!.app.get(DataSource).manager.findBy(Driver, { id: In(drivers) });
    const same = { firstName: 'Grazia', suspended: true, vehicle: VEHICLE };
    expect(known).toEqual(drivers.map(() => expect.objectContaining(same)));
  });
});

describe('what is known of a passenger', () => {
  it('is the same in every order of events', async () => {
    const orders = permutations([1, 2, 3, 4]);
    const passengers = orders.map(() => randomUUIDv7());
    for (const [i, order] of orders.entries()) {
      const passengerId = passengers[i]!;
      const events = [
        told(PassengerRegistered, 1, { passengerId, firstName: 'Ada' }),
        told(PassengerSuspended, 2, { passengerId }),
        told(PassengerReinstated, 3, { passengerId }),
        told(PassengerUpdated, 4, { passengerId, firstName: 'Augusta' }),
      ];
      await tell(
        'passenger',
        order.map((n) => events[n - 1]!),
      );
    }
    sent += 4 * orders.length;
    await allHandled();
    const known = await platform.services[0]!.app.get(DataSource).manager.findBy(Passenger, { id: In(passengers) });
    expect(known).toEqual(passengers.map(() => expect.objectContaining({ firstName: 'Augusta', suspended: false })));
  });

  it('decides whether they may request a trip', async () => {
    const passenger = await platform.person('passenger');
    const passengerId = passenger.id;
    const { body: quote } = await platform.quote(passenger);
    const ask = () =>
      platform.call<{ code: string }>('POST', '/v1/trips', { as: passenger, body: { quoteId: quote.quoteId } });
    await tell('passenger', [told(PassengerSuspended, 2, { passengerId })]);
    await eventually(async () =>
      expect(await platform.rows('SELECT suspended FROM passengers WHERE id = $1', [passengerId])).toHaveLength(1),
    );
    expect(await ask()).toMatchObject({ status: 403, body: { code: 'ACCOUNT_SUSPENDED' } });
    await tell('passenger', [told(PassengerReinstated, 3, { passengerId })]);
    sent += 2;
    await allHandled();
    expect((await ask()).status).toBe(201);
  });
});

describe('an erasure', () => {
  it('ends the trip that was requested at the same moment, frees its driver, and lets no other be requested', async () => {
    const [passenger, driver] = [await platform.person('passenger'), await platform.person('driver')];
    const trip = await platform.requestTrip(passenger);
    await platform.accept(driver, trip.id);
    await platform.untilStatus(driver, trip.id, 'accepted');
    const { body: quote } = await platform.quote(passenger);
    await tell('passenger', [told(PassengerErased, 2, { passengerId: passenger.id })]);
    sent += 2;
    await allHandled();
    expect(await platform.get(driver, trip.id)).toMatchObject({ status: 'cancelled', cancelledBy: 'passenger' });
    await eventually(() =>
      expect(platform.messages.of(trip.id).at(-1)).toMatchObject({
        type: 'trip.cancelled',
        sequence: 3,
        payload: { driverId: driver.id },
      }),
    );
    const again = await platform.call('POST', '/v1/trips', { as: passenger, body: { quoteId: quote.quoteId } });
    expect(again).toMatchObject({ status: 401, body: { code: 'TOKEN_INVALID' } });
  });

  it('takes names, vehicles and words, and no late event brings them back', async () => {
    const [passenger, driver] = [await platform.person('passenger'), await platform.person('driver')];
    const [passengerId, driverId] = [passenger.id, driver.id];
    await platform.introduce(passenger, driver);
    const cancelled = await platform.requestTrip(passenger);
    const reason = { reason: 'Ada fell ill' };
    await platform.call('POST', `/v1/trips/${cancelled.id}/cancel`, { as: passenger, body: reason });
    const trip = await platform.requestTrip(passenger);
    await platform.accept(driver, trip.id);
    await platform.untilStatus(driver, trip.id, 'accepted');
    for (const action of ['arrive', 'start', 'complete']) {
      await platform.call('POST', `/v1/trips/${trip.id}/${action}`, { as: driver });
    }
    const comment = { stars: 5, comment: 'Grace and Ada sang' };
    const headers = { 'idempotency-key': randomUUIDv7() };
    const rated = await platform.call('POST', `/v1/trips/${trip.id}/rating`, { as: passenger, body: comment, headers });
    expect(await platform.rows('SELECT FROM idempotency_keys WHERE $1 = ANY(about)', [trip.id])).toHaveLength(1);
    expect(rated.status).toBe(201);

    await tell('passenger', [
      told(PassengerErased, 9, { passengerId }),
      told(PassengerUpdated, 8, { passengerId, firstName: 'Ada' }),
    ]);
    await tell('driver', [
      told(DriverErased, 9, { driverId }),
      told(DriverUpdated, 8, { driverId, firstName: 'Grace', vehicle: VEHICLE, status: 'offline' }),
    ]);
    sent += 7;
    await allHandled();
    const dump = JSON.stringify([
      await platform.rows('SELECT * FROM passengers WHERE id = $1', [passengerId]),
      await platform.rows('SELECT * FROM drivers WHERE id = $1', [driverId]),
      await platform.rows('SELECT * FROM trips WHERE passenger_id = $1', [passengerId]),
      await platform.rows('SELECT * FROM trip_history WHERE passenger_id = $1', [passengerId]),
      await platform.rows('SELECT * FROM ratings WHERE trip_id = $1', [trip.id]),
    ]);
    expect(dump).not.toMatch(/Ada|Grace|Skoda|B TX/);
    // Not even sealed, and no key is left.
    expect(dump).not.toContain('"Buffer"');
    // Nor does the answer that repeated the comment.
    expect(await platform.rows('SELECT FROM idempotency_keys WHERE $1 = ANY(about)', [trip.id])).toEqual([]);
    const view = await platform.get(await platform.person('operator'), trip.id);
    expect(view).toMatchObject({ status: 'completed', passengerId, driverId });
    expect(view).not.toHaveProperty('passenger');
    expect(view).not.toHaveProperty('driver');
  });
});

describe('what dispatch says of a trip', () => {
  it('ends in the same state in every order and however often it is said', async () => {
    // Cancelled by the passenger; the driver who took it and the exhaustion come in any order, around the cancellation.
    for (const order of permutations(['accepted', 'again', 'exhausted', 'cancelled'])) {
      const [passenger, driver] = [await platform.person('passenger'), await platform.person('driver')];
      const trip = await platform.requestTrip(passenger);
      const acceptance = {
        tripId: trip.id,
        offerId: randomUUIDv7(),
        driverId: driver.id,
        driverIssuer: platform.issuer.issuer,
      };
      for (const step of order) {
        if (step === 'cancelled') await platform.call('POST', `/v1/trips/${trip.id}/cancel`, { as: passenger });
        else if (step === 'exhausted')
          await tell('driver', [told(DispatchExhausted, 3, { tripId: trip.id, reason: 'deadline' })]);
        // `again` is the same fact under another message id, as after an operator's replay.
        else await tell('driver', [told(DispatchAccepted, 2, acceptance)]);
      }
      sent += 3;
      await allHandled();
      const [row] = await platform.rows<{ status: string; sequence: number }>(
        'SELECT status, sequence FROM trips WHERE id = $1',
        [trip.id],
      );
      expect(['cancelled', 'unfulfilled']).toContain(row!.status);
      // Whatever the order: the trip is over, and what freed the driver is the last that was said of both.
      await eventually(() => {
        const published = platform.messages.of(trip.id);
        expect(published).toHaveLength(row!.sequence);
        const last = published.findLast(({ payload }) => payload.driverId === driver.id);
        expect(last?.type).toBe(`trip.${row!.status}`);
      });
    }
  });

  it('is told once of a driver who has the trip, though it be said again', async () => {
    const [passenger, driver] = [await platform.person('passenger'), await platform.person('driver')];
    const trip = await platform.requestTrip(passenger);
    await platform.accept(driver, trip.id);
    await platform.untilStatus(passenger, trip.id, 'accepted');
    await platform.accept(driver, trip.id);
    sent += 2;
    await allHandled();
    expect(await platform.rows('SELECT sequence FROM trips WHERE id = $1', [trip.id])).toEqual([{ sequence: 2 }]);
  });

  it('of a trip that nobody knows, waits for an operator', async () => {
    const driver = await platform.person('driver');
    await platform.accept(driver, randomUUIDv7());
    // Retried first, so what arrives meanwhile is not held up.
    const [passenger, other] = [await platform.person('passenger'), await platform.person('driver')];
    const trip = await platform.requestTrip(passenger);
    await platform.accept(other, trip.id);
    sent += 1;
    await platform.untilStatus(passenger, trip.id, 'accepted');
  });
});

describe('a revoked session', () => {
  it('is refused from then on, whichever service it belonged to', async () => {
    for (const [as, role] of [
      ['passenger', 'passenger'],
      ['driver', 'driver'],
    ] as const) {
      const sessionId = randomUUIDv7();
      const id = randomUUIDv7();
      const person = { id, token: await platform.issuer.token(role, id, { sid: sessionId }) };
      expect((await platform.call('GET', '/v1/trips', { as: person })).status).toBe(200);
      await tell(as, [
        told(SessionRevoked, 1, {
          sessionId,
          issuer: platform.issuer.issuer,
          accountId: id,
          reason: 'logout',
          tokensExpireAt: new Date(Date.now() + 300_000).toISOString(),
        }),
      ]);
      await eventually(async () => expect((await platform.call('GET', '/v1/trips', { as: person })).status).toBe(401));
    }
    await platform.messages.publish('driver', DriverReinstated, { driverId: randomUUIDv7() });
  });
});

describe('driver.supply-changed', () => {
  it('makes a ride dearer where more passengers ask than drivers are free, up to the cap, and says so', async () => {
    const pickup = { lat: -33.86, lng: 151.21 };
    const dropoff = { lat: -33.9, lng: 151.2 };
    const cell = latLngToCell(pickup.lat, pickup.lng, SUPPLY_RESOLUTION);
    const supplyId = randomUUIDv7();
    const hear = (freeDrivers: number, sequence: number) =>
      platform.messages.publish('driver', DriverSupplyChanged, { supplyId, cell, freeDrivers }, { sequence });
    const quote = async (as: Person) =>
      (await platform.call<QuoteView>('POST', '/v1/quotes', { as, body: { pickup, dropoff } })).body;
    const passenger = await platform.person('passenger');
    const usual = await quote(passenger);
    expect(usual).not.toHaveProperty('surge');

    await hear(0, 2);
    await hear(9, 1);
    for (let waiting = 0; waiting < 2; waiting++) {
      const as = await platform.person('passenger');
      const { quoteId } = await quote(as);
      expect((await platform.call('POST', '/v1/trips', { as, body: { quoteId } })).status).toBe(201);
    }
    await eventually(async () => {
      const dearer = await quote(passenger);
      expect(dearer.surge).toEqual({
        multiplier: 1.8,
        reason: '3 passengers ask for a ride here, 0 drivers are free',
      });
      expect(Math.abs(dearer.fareMinor - 1.8 * usual.fareMinor)).toBeLessThanOrEqual(1);
    });
    await hear(3, 3);
    await eventually(async () => expect(await quote(passenger)).not.toHaveProperty('surge'));
  });
});
