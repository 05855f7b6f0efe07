import { SERVICES, type ServiceName } from '@cabstand/contracts';
import { eventually } from '@cabstand/testing';
import pg from 'pg';

interface TripRow {
  id: string;
  status: string;
  driver_id: string | null;
  passenger_id: string;
}
interface DispatchRow {
  trip_id: string;
  status: string;
}
interface OfferRow {
  id: string;
  trip_id: string;
  driver_id: string;
  status: string;
}
interface ReservationRow {
  driver_id: string;
  reserved_trip_id: string;
  reserved_as: 'offer' | 'trip';
}

/** What the three databases know of the same trips. */
export interface Knowledge {
  trips: Map<string, TripRow>;
  dispatches: DispatchRow[];
  offers: OfferRow[];
  reservations: ReservationRow[];
  passengerTrips: { trip_id: string; under_way: boolean }[];
  deadLetters: number;
}

export async function query<Row extends object>(url: string, text: string, values: unknown[] = []): Promise<Row[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Row>(text, values)).rows;
  } finally {
    await client.end();
  }
}

/** Where the databases are: of a platform's, whatever it runs on. */
export interface Databases {
  databases: Record<ServiceName, { url: string }>;
}

export async function knowledgeOf({ databases }: Databases): Promise<Knowledge> {
  const [passenger, driver, trip] = [databases.passenger.url, databases.driver.url, databases.trip.url];
  const [trips, dispatches, offers, reservations, passengerTrips, ...dead] = await Promise.all([
    query<TripRow>(trip, 'SELECT id, status, driver_id, passenger_id FROM trips'),
    query<DispatchRow>(driver, 'SELECT trip_id, status FROM dispatches'),
    query<OfferRow>(driver, 'SELECT id, trip_id, driver_id, status FROM offers'),
    query<ReservationRow>(
      driver,
      'SELECT driver_id, reserved_trip_id, reserved_as FROM availability WHERE reserved_trip_id IS NOT NULL',
    ),
    query<{ trip_id: string; under_way: boolean }>(passenger, 'SELECT trip_id, under_way FROM passenger_trips'),
    ...SERVICES.map((service) => query(databases[service].url, 'SELECT 1 FROM dead_letters')),
  ]);
  return {
    trips: new Map(trips.map((row) => [row.id, row])),
    ...{ dispatches, offers, reservations, passengerTrips },
    deadLetters: dead.reduce((sum, rows) => sum + rows.length, 0),
  };
}

/** Every sentence of promise P6 that the databases, taken together, don't keep. */
export function disagreements(knowledge: Knowledge): string[] {
  const { trips, offers, dispatches, passengerTrips, deadLetters } = knowledge;
  const active = [...trips.values()].filter(({ status }) => isActive(status));
  return [
    ...reservationsAmiss(knowledge),
    ...twice(active, 'passenger_id').map((id) => `passenger ${id} has two active trips`),
    ...twice(
      active.filter(({ driver_id }) => driver_id),
      'driver_id',
    ).map((id) => `driver ${id} is on two trips`),
    ...twice(offers.filter(isOpen), 'driver_id').map((id) => `driver ${id} holds two open offers`),
    ...twice(offers.filter(isStanding), 'trip_id').map((id) => `trip ${id} has two standing offers`),
    ...offers
      .filter((offer) => isOpen(offer) && trips.get(offer.trip_id)?.status !== 'requested')
      .map((offer) => `offer ${offer.id} is open for a trip that is ${trips.get(offer.trip_id)?.status}`),
    ...dispatches
      .filter(({ status }) => status === 'searching' || status === 'offered')
      .filter(({ trip_id }) => trips.get(trip_id)?.status !== 'requested')
      .map(({ trip_id, status }) => `dispatch ${trip_id} is ${status}, the trip ${trips.get(trip_id)?.status}`),
    ...passengerTrips
      .filter(({ trip_id, under_way }) => under_way !== isActive(trips.get(trip_id)?.status))
      .map(({ trip_id }) => `the passenger service is wrong on whether trip ${trip_id} is under way`),
    ...(deadLetters > 0 ? [`${deadLetters} messages are dead letters`] : []),
  ];
}

/** Once everything under way has settled, the databases agree. */
export async function expectAgreement(platform: Databases, timeoutMs = 15_000): Promise<void> {
  await eventually(async () => expect(disagreements(await knowledgeOf(platform))).toEqual([]), {
    timeoutMs,
    everyMs: 100,
  });
}

const isOpen = ({ status }: OfferRow) => status === 'open';
const isStanding = ({ status }: OfferRow) => status === 'open' || status === 'accepted';
const isActive = (status: string | undefined) =>
  status !== undefined && ['requested', 'accepted', 'arrived', 'in_progress'].includes(status);

function reservationsAmiss({ trips, offers, reservations }: Knowledge): string[] {
  const amiss: string[] = [];
  for (const { driver_id: driver, reserved_trip_id: id, reserved_as: as } of reservations) {
    const trip = trips.get(id);
    if (!isActive(trip?.status)) amiss.push(`driver ${driver} is reserved for trip ${id}, which is ${trip?.status}`);
    else if (as === 'trip' && trip?.driver_id !== driver)
      amiss.push(`driver ${driver} is reserved for somebody else's trip`);
    else if (
      as === 'offer' &&
      !offers.some((offer) => isOpen(offer) && offer.driver_id === driver && offer.trip_id === id)
    )
      amiss.push(`driver ${driver} is reserved for an offer that is not open`);
  }
  for (const { id, status, driver_id: driver } of trips.values()) {
    if (!isActive(status) || status === 'requested') continue;
    if (!reservations.some((each) => each.reserved_trip_id === id && each.driver_id === driver))
      amiss.push(`trip ${id} is ${status}, but its driver ${driver} is not reserved for it`);
  }
  return amiss;
}

function twice<Row, Key extends keyof Row>(rows: Row[], key: Key): Row[Key][] {
  const seen = rows.map((row) => row[key]);
  return [...new Set(seen.filter((value, index) => seen.indexOf(value) !== index))];
}
