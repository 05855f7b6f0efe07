import { randomUUIDv7 } from 'node:crypto';
import type { Principal } from '@cabstand/auth';
import { DomainError } from '@cabstand/contracts';
import { Delivery } from '@cabstand/messaging';
import fc from 'fast-check';
import { DriversFreed } from '../src/dispatch/drivers-freed.ts';
import { OfferService } from '../src/dispatch/offer.service.ts';
import { Sweep } from '../src/dispatch/sweep.ts';
import { AvailabilityService } from '../src/driver/availability.service.ts';
import { TripEventsController } from '../src/driver/trip-events.controller.ts';
import { north, startPlatform, tripRequest, type Person, type Platform } from './harness.ts';
import { Interleaving } from './interleaving.ts';

let platform: Platform;
let interleaving: Interleaving;
let near: Person;
beforeAll(async () => {
  // No sweep but those that a run has, and answers that come in time unless the run says otherwise.
  platform = await startPlatform({ DISPATCH_SWEEP_EVERY: '1h', DISPATCH_OFFER_TTL: '1h', DISPATCH_DEADLINE: '2h' });
  near = await platform.hire();
  await platform.hire(north(100));
  // Nor does anybody try waiting trips beside them.
  service(DriversFreed).listen(() => undefined);
  interleaving = new Interleaving(platform);
});
afterAll(() => platform.stop());

const service = <T>(type: new (...args: never[]) => T): T => platform.services[0]!.app.get<T>(type, { strict: false });
const delivery = (type: string, tripId: string, sequence: number) =>
  new Delivery(
    {
      ...{ specversion: '1.0' as const, id: randomUUIDv7(), source: '/cabstand/trip', type, subject: tripId, sequence },
      time: new Date().toISOString(),
    },
    ...([undefined, 'driver.trip-events', 1, false] as const),
  );
const request = (tripId: string) =>
  service(TripEventsController).onTripRequested(tripRequest(tripId), delivery('trip.requested', tripId, 1));
const cancel = (tripId: string) =>
  service(TripEventsController).onTripFact(
    { tripId, passengerId: randomUUIDv7(), driverId: null, cancelledBy: 'passenger' },
    delivery('trip.cancelled', tripId, 2),
  );

/** Both drivers free and online, and the trip offered to the nearer. */
async function offered(tripId: string): Promise<string> {
  await platform.rows('DELETE FROM offers');
  await platform.rows('DELETE FROM dispatches');
  await platform.rows(`UPDATE availability SET status = 'online', reserved_trip_id = NULL, reserved_as = NULL`);
  await request(tripId);
  const [offer] = await platform.rows<{ id: string; driverId: string }>(
    `SELECT id, driver_id AS "driverId" FROM offers WHERE status = 'open'`,
  );
  expect(offer?.driverId).toBe(near.id);
  return offer!.id;
}
/** What can happen to an offer; all of it at once, if need be. */
const happenings = (tripId: string, offerId: string) => {
  const me = { issuer: 'https://driver.test', subject: near.id, role: 'driver' } as Principal;
  return {
    accepts: () => service(OfferService).answer(me, offerId, 'accept'),
    declines: () => service(OfferService).answer(me, offerId, 'decline'),
    'goes offline': () => service(AvailabilityService).set(me, { status: 'offline' }),
    cancels: () => cancel(tripId),
    'another requests': () => request(randomUUIDv7()),
    sweeps: () => service(Sweep).run(),
    'sweeps too': () => service(Sweep).run(),
  };
};

it('in whatever order the statements of what happens at once run, nobody is on two trips or stuck', async () => {
  const names = Object.keys(happenings('', '')) as (keyof ReturnType<typeof happenings>)[];
  const some = fc.subarray(names, { minLength: 2, maxLength: 4 });
  await fc.assert(
    fc.asyncProperty(interleaving.order(), some, fc.boolean(), async (order, chosen, isLate) => {
      const tripId = randomUUIDv7();
      const all = happenings(tripId, await offered(tripId));
      if (isLate) {
        await platform.rows(`UPDATE offers SET expires_at = clock_timestamp()`);
        await platform.rows(`UPDATE dispatches SET look_at = clock_timestamp()`);
      }
      const ends = await interleaving.run(order, Object.fromEntries(chosen.map((name) => [name, all[name]])));
      for (const end of ends) if (end.status === 'rejected') expect(end.reason).toBeInstanceOf(DomainError);
      await platform.expectNobodyStuck();
      const open = await platform.rows(
        `SELECT 1 FROM offers JOIN availability USING (driver_id) WHERE offers.status = 'open' AND availability.status = 'offline'`,
      );
      expect(open).toEqual([]);
    }),
    { numRuns: 25 },
  );
  const database = 'SELECT deadlocks::int FROM pg_stat_database WHERE datname = current_database()';
  expect(await platform.rows(database)).toEqual([{ deadlocks: 0 }]);
});
