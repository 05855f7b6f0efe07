import { eventually, type Published } from '@cabstand/testing';
import { randomUUIDv7 } from 'node:crypto';
import type { TripView } from '../src/trip/trip.dto.ts';
import { TripSweep } from '../src/trip/trip.sweep.ts';
import { startPlatform, type Platform } from './harness.ts';

let platform: Platform;
beforeAll(async () => void (platform = await startPlatform({ TRIP_SWEEP_EVERY: '1h' }, 2)));
afterAll(() => platform.stop());

const times = <T>(count: number, fn: (i: number) => Promise<T>) =>
  Promise.all(Array.from({ length: count }, (_, i) => fn(i)));
const statusesOf = (answers: { status: number }[]) => answers.map(({ status }) => status).sort();

/** What the trip service published of the trip, once nothing is left to publish. */
async function settled(tripId: string): Promise<Published[]> {
  return eventually(async () => {
    const [row] = await platform.rows<{ sequence: number }>('SELECT sequence FROM trips WHERE id = $1', [tripId]);
    const published = platform.messages.of(tripId);
    expect(published).toHaveLength(row!.sequence);
    return published;
  });
}

describe('P6', () => {
  it('lets one of a hundred requests by one passenger through, and leaves the other quotes unused', async () => {
    const passenger = await platform.person('passenger');
    const quotes = await times(100, () => platform.quote(passenger));
    const answers = await times(100, (i) =>
      platform.call<{ code?: string }>('POST', '/v1/trips', {
        as: passenger,
        body: { quoteId: quotes[i]!.body.quoteId },
        replica: i % 2,
      }),
    );
    expect(statusesOf(answers)).toEqual([201, ...Array<number>(99).fill(409)]);
    expect(new Set(answers.map(({ body }) => body.code))).toEqual(new Set([undefined, 'TRIP_ALREADY_ACTIVE']));
    const [count] = await platform.rows<{ trips: string; used: string }>(
      `SELECT (SELECT count(*) FROM trips WHERE passenger_id = $1) AS trips,
              (SELECT count(*) FROM quotes WHERE passenger_id = $1 AND used_at IS NOT NULL) AS used`,
      [passenger.id],
    );
    expect(count).toEqual({ trips: '1', used: '1' });
  });

  it('makes one trip of one quote, however often it is used at once', async () => {
    const passenger = await platform.person('passenger');
    const { body: quote } = await platform.quote(passenger);
    const answers = await times(20, (i) =>
      platform.call('POST', '/v1/trips', { as: passenger, body: { quoteId: quote.quoteId }, replica: i % 2 }),
    );
    expect(statusesOf(answers)).toEqual([201, ...Array<number>(19).fill(409)]);
  });

  it('never holds a driver to a trip that its passenger cancels at the same moment', async () => {
    const outcomes = await times(25, async (i) => {
      const [passenger, driver] = [await platform.person('passenger'), await platform.person('driver')];
      await platform.introduce(passenger, driver);
      const known = () => platform.rows('SELECT 1 FROM drivers WHERE id = $1', [driver.id]);
      await eventually(async () => expect(await known()).toHaveLength(1));
      const trip = await platform.requestTrip(passenger);
      const cancel = () =>
        platform.call<TripView>('POST', `/v1/trips/${trip.id}/cancel`, { as: passenger, replica: i % 2 });
      const [cancelled] = await Promise.all([cancel(), platform.accept(driver, trip.id)]);
      expect(cancelled).toMatchObject({ status: 200, body: { status: 'cancelled', cancelledBy: 'passenger' } });
      // Also when it waited for the one who accepted.
      if (cancelled.body.driverId) expect(cancelled.body.driver).toMatchObject({ firstName: 'Grace' });
      // Whoever came first, the last word names the driver, who is free again by it.
      return eventually(() => {
        const last = platform.messages.of(trip.id).at(-1);
        expect(last).toMatchObject({ type: 'trip.cancelled', payload: { driverId: driver.id } });
        return platform.messages.of(trip.id).map(({ type }) => type);
      });
    });
    expect(outcomes.every((types) => types[0] === 'trip.requested')).toBe(true);
  });

  it('frees a driver who took a trip that was given to another', async () => {
    const passenger = await platform.person('passenger');
    const [first, second] = [await platform.person('driver'), await platform.person('driver')];
    const trip = await platform.requestTrip(passenger);
    await platform.accept(first, trip.id);
    await platform.untilStatus(passenger, trip.id, 'accepted');
    await platform.accept(second, trip.id);
    await eventually(() =>
      expect(platform.messages.of(trip.id).map(({ type, payload }) => [type, payload.driverId])).toEqual([
        ['trip.requested', undefined],
        ['trip.accepted', first.id],
        ['trip.accepted', first.id],
      ]),
    );
    expect((await platform.get(passenger, trip.id)).driverId).toBe(first.id);
  });

  it('gives up a trip whose driver turns out to be under way, and holds nobody', async () => {
    const driver = await platform.person('driver');
    const [ada, eve] = [await platform.person('passenger'), await platform.person('passenger')];
    const busy = await platform.requestTrip(ada);
    await platform.accept(driver, busy.id);
    await platform.untilStatus(ada, busy.id, 'accepted');
    const trip = await platform.requestTrip(eve);
    await platform.accept(driver, trip.id);
    await platform.untilStatus(eve, trip.id, 'unfulfilled');
    const published = await settled(trip.id);
    expect(published.at(-1)).toMatchObject({ type: 'trip.unfulfilled', payload: { driverId: driver.id } });
    expect((await platform.get(ada, busy.id)).status).toBe('accepted');
    expect(await platform.rows('SELECT id FROM dead_letters')).toEqual([]);
  });

  it('counts one of two ratings given at once', async () => {
    const [passenger, driver] = [await platform.person('passenger'), await platform.person('driver')];
    const trip = await platform.requestTrip(passenger);
    await platform.accept(driver, trip.id);
    await platform.untilStatus(driver, trip.id, 'accepted');
    for (const action of ['arrive', 'start', 'complete']) {
      await platform.call('POST', `/v1/trips/${trip.id}/${action}`, { as: driver });
    }
    const answers = await times(10, (i) =>
      platform.call('POST', `/v1/trips/${trip.id}/rating`, { as: passenger, body: { stars: 5 }, replica: i % 2 }),
    );
    expect(statusesOf(answers)).toEqual([201, ...Array<number>(9).fill(409)]);
    const [known] = await platform.rows('SELECT stars_total, ratings_count FROM drivers WHERE id = $1', [driver.id]);
    expect(known).toEqual({ stars_total: 5, ratings_count: 1 });
    const published = await settled(trip.id);
    expect(published.filter(({ type }) => type === 'trip.rated')).toHaveLength(1);
  });
});

describe('the sweep', () => {
  it('gives up old trips once, even by two replicas at the same time', async () => {
    const trips = await times(30, async () => platform.requestTrip(await platform.person('passenger')));
    const young = await platform.requestTrip(await platform.person('passenger'));
    const ids = trips.map(({ id }) => id);
    await platform.rows(`UPDATE trips SET requested_at = now() - interval '31 minutes' WHERE id = ANY($1)`, [ids]);
    await Promise.all(platform.services.map(({ app }) => app.get(TripSweep, { strict: false }).run()));
    for (const id of ids) {
      const published = await settled(id);
      expect(published.map(({ type, payload }) => [type, payload.driverId])).toEqual([
        ['trip.requested', undefined],
        ['trip.unfulfilled', null],
      ]);
    }
    const [untouched] = await platform.rows('SELECT status FROM trips WHERE id = $1', [young.id]);
    expect(untouched).toEqual({ status: 'requested' });
  });

  it('forgets quotes a day after they ran out', async () => {
    const passenger = await platform.person('passenger');
    const [old, recent] = [await platform.quote(passenger), await platform.quote(passenger)];
    const age = (quoteId: string, by: string) =>
      platform.rows('UPDATE quotes SET expires_at = now() - $2::interval WHERE id = $1', [quoteId, by]);
    await age(old.body.quoteId, '25 hours');
    await age(recent.body.quoteId, '23 hours');
    await platform.services[0]!.app.get(TripSweep, { strict: false }).run();
    const left = await platform.rows('SELECT id FROM quotes WHERE passenger_id = $1', [passenger.id]);
    expect(left).toEqual([{ id: recent.body.quoteId }]);
  });
});

describe('the sequence of a trip', () => {
  it('ascends by one with each event, whoever causes them', async () => {
    const [passenger, driver] = [await platform.person('passenger'), await platform.person('driver')];
    const trip = await platform.requestTrip(passenger);
    await platform.accept(driver, trip.id);
    await platform.untilStatus(driver, trip.id, 'accepted');
    for (const action of ['arrive', 'start', 'complete']) {
      // The same step from both replicas at once: one is taken.
      const answers = await times(2, (replica) =>
        platform.call('POST', `/v1/trips/${trip.id}/${action}`, { as: driver, replica }),
      );
      expect(statusesOf(answers)).toEqual([200, 409]);
    }
    await Promise.all(
      [passenger, driver].map((as, replica) =>
        platform.call('POST', `/v1/trips/${trip.id}/rating`, { as, body: { stars: 5 }, replica }),
      ),
    );
    const published = await settled(trip.id);
    expect(published.map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(published.map(({ type }) => type)).toEqual([
      'trip.requested',
      'trip.accepted',
      'trip.arrived',
      'trip.started',
      'trip.completed',
      'trip.rated',
      'trip.rated',
    ]);
  });

  it('is not spent on what was refused', async () => {
    const passenger = await platform.person('passenger');
    const trip = await platform.requestTrip(passenger);
    await platform.exhaust(trip.id);
    await platform.untilStatus(passenger, trip.id, 'unfulfilled');
    await platform.call('POST', `/v1/trips/${trip.id}/cancel`, { as: passenger });
    await platform.call('POST', `/v1/trips/${randomUUIDv7()}/cancel`, { as: passenger });
    expect((await settled(trip.id)).map(({ sequence }) => sequence)).toEqual([1, 2]);
  });
});
