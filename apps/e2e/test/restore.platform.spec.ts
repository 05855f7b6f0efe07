import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from '@cabstand/testing';
import { ROOT, testFolder } from '../../../infra/index.ts';
import { expectAgreement, query } from '../src/agreement.ts';
import { ArchivedPostgres } from '../src/archived-postgres.ts';
import {
  acceptedTrip,
  drive,
  newDriver,
  newPassenger,
  refusal,
  requestTrip,
  untilOffered,
  untilTrip,
  type NewDriver,
  type NewPassenger,
} from '../src/people.ts';
import { freshPlace, type Place } from '../src/places.ts';
import { Platform } from '../src/platform.ts';

/** Two people and the trip that they were on last. */
interface Party {
  passenger: NewPassenger;
  driver: NewDriver;
  place: Place;
  tripId: string;
}

let archived: ArchivedPostgres;
let platform: Platform;
/** What they are named for is when their trip was, seen from the moment that is gone back to. */
let before: Party;
let across: Party;
let after: Party;
/** Messages of the outbox at that moment. */
let unpublished: { id: string }[];
let moment: string;

const inDatabase = <Row extends object>(service: 'passenger' | 'driver' | 'trip', text: string, values?: unknown[]) =>
  query<Row>(platform.databases[service].url, text, values);
const outbox = () => inDatabase<{ id: string }>('trip', 'SELECT id FROM outbox');
const dispatches = ({ tripId }: Party) => inDatabase('driver', 'SELECT * FROM dispatches WHERE trip_id = $1', [tripId]);
const reservations = ({ tripId }: Party) =>
  inDatabase('driver', 'SELECT driver_id FROM availability WHERE reserved_trip_id = $1', [tripId]);

async function newParty(): Promise<Party> {
  const place = freshPlace();
  const passenger = await newPassenger(platform.urls);
  return { passenger, driver: await newDriver(platform.urls, place.pickup), place, tripId: '' };
}

async function ride(party: Party): Promise<void> {
  await party.driver.api.report([{ ...party.place.pickup, at: new Date().toISOString() }]);
  party.tripId = (await acceptedTrip(party.passenger.api, party.driver.api, party.place)).id;
  await drive(party.driver.api, party.tripId);
}

beforeAll(async () => {
  archived = await ArchivedPostgres.start(testFolder('-archived'));
  platform = await Platform.start({ postgresUrls: { trip: archived.url } });
  [before, across] = [await newParty(), await newParty()];
});
afterAll(async () => {
  await platform?.stop();
  await archived?.stop();
});

it("backs up the trip service's database, and goes on", async () => {
  await ride(before);
  await archived.backUp();
  await platform.broker.stop();
  across.tripId = (await requestTrip(across.passenger.api, across.place)).id;
  unpublished = await outbox();
  expect(unpublished).toHaveLength(1);
  moment = await archived.now();

  await platform.broker.start();
  const { offerId } = await untilOffered(across.driver.api, across.tripId, 30_000);
  await across.driver.api.accept(offerId);
  await untilTrip(across.driver.api, across.tripId, 'accepted');
  await drive(across.driver.api, across.tripId);
  after = await newParty();
  after.tripId = (await acceptedTrip(after.passenger.api, after.driver.api, after.place)).id;
  await expectAgreement(platform);
});

it('goes back to a moment, on a new server', async () => {
  const [service] = platform.services.trip;
  expect(await service.stop()).toMatchObject({ code: 0 });
  await archived.lose();
  await archived.restoreTo(moment);
  expect(await outbox()).toEqual(unpublished);
  await service.start();
  expect(await before.passenger.api.trip(before.tripId)).toMatchObject({ status: 'completed' });
  expect(await across.passenger.api.trip(across.tripId)).toMatchObject({ status: 'requested', driverId: null });
  expect(await refusal(after.passenger.api.trip(after.tripId))).toEqual({ status: 404, code: 'NOT_FOUND' });
});

it('publishes again what the outbox held, to no effect where it had one', async () => {
  const known = await dispatches(across);
  expect(known).toMatchObject([{ status: 'closed' }]);
  await eventually(async () => expect(await outbox()).toEqual([]));
  for (const service of ['driver', 'passenger'] as const) {
    const ids = unpublished.map(({ id }) => id);
    expect(await inDatabase(service, 'SELECT FROM inbox WHERE message_id = ANY($1)', [ids])).toHaveLength(1);
    expect(await inDatabase(service, 'SELECT FROM dead_letters')).toEqual([]);
  }
  // Heard after that message, on the same queue: whatever it did would be done.
  await before.passenger.api.rate(before.tripId, 4);
  const stars = 'SELECT ratings_count FROM drivers WHERE id = $1';
  await eventually(async () =>
    expect(await inDatabase('driver', stars, [before.driver.id])).toEqual([{ ratings_count: 1 }]),
  );
  expect(await dispatches(across)).toEqual(known);
});

it('lets a trip that went back be ended again', async () => {
  await across.passenger.api.cancel(across.tripId);
  await ride(across);
});

it('keeps people reserved for a trip that is lost, until they are told that it is over', async () => {
  expect(await reservations(after)).toEqual([{ driver_id: after.driver.id }]);
  const underWay = 'SELECT trip_id, passenger_id FROM passenger_trips WHERE under_way';
  // The passenger service may not have heard yet that the other trip is over.
  await eventually(async () =>
    expect(await inDatabase('passenger', underWay)).toEqual([
      { trip_id: after.tripId, passenger_id: after.passenger.id },
    ]),
  );

  const [statement] = /INSERT INTO outbox[^;]*;/.exec(readFileSync(join(ROOT, 'docs', 'deploy.md'), 'utf8'))!;
  const filledIn = statement.replace('<trip_id>', after.tripId).replace('<passenger_id>', after.passenger.id);
  await inDatabase('trip', filledIn);
  await eventually(async () => expect(await reservations(after)).toEqual([]), { timeoutMs: 15_000 });
  await ride(after);
  await expectAgreement(platform);
});
