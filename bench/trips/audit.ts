import { setTimeout as delay } from 'node:timers/promises';
import type { ServiceName } from '@cabstand/contracts';
import { disagreements, knowledgeOf, query } from '../../apps/e2e/src/agreement.ts';
import type { Platform } from '../../apps/e2e/src/platform.ts';
import { platformTallyOf } from '../../chaos/src/platform-tally.ts';
import type { Ride } from './pair.ts';

/** What somebody has of the trips, added up for each driver or passenger. */
interface Ledger {
  name: string;
  service: ServiceName;
  of: 'driverId' | 'passengerId';
  /** Minor units, or trips. */
  amount: (ride: Ride) => number;
  sql: string;
}

const fare = ({ fareMinor }: Ride) => fareMinor;
const each = () => 1;

/** All of them have to come to what the passengers were told before their trips. */
const LEDGERS: readonly Ledger[] = [
  {
    ...{ name: 'fares charged', service: 'trip', of: 'passengerId', amount: fare },
    sql: `SELECT passenger_id AS id, sum(fare_minor)::int AS amount FROM trips WHERE status = 'completed' GROUP BY 1`,
  },
  {
    ...{ name: 'fares of completed trips', service: 'trip', of: 'driverId', amount: fare },
    sql: `SELECT driver_id AS id, sum(fare_minor)::int AS amount FROM trips WHERE status = 'completed' GROUP BY 1`,
  },
  {
    ...{ name: 'earnings', service: 'driver', of: 'driverId', amount: fare },
    sql: `SELECT o.driver_id AS id, sum(d.fare_minor)::int AS amount FROM offers o JOIN dispatches d USING (trip_id)
           WHERE o.status = 'accepted' AND d.trip_status = 'completed' GROUP BY 1`,
  },
  {
    ...{ name: 'trips that are over', service: 'passenger', of: 'passengerId', amount: each },
    sql: 'SELECT passenger_id AS id, count(*)::int AS amount FROM passenger_trips WHERE NOT under_way GROUP BY 1',
  },
  {
    ...{ name: 'ratings of passengers', service: 'passenger', of: 'passengerId', amount: each },
    sql: 'SELECT id, ratings_count AS amount FROM passengers',
  },
  {
    ...{ name: 'ratings of drivers', service: 'driver', of: 'driverId', amount: each },
    sql: 'SELECT id, ratings_count AS amount FROM drivers',
  },
  {
    ...{ name: 'ratings of drivers', service: 'trip', of: 'driverId', amount: each },
    sql: 'SELECT id, ratings_count AS amount FROM drivers',
  },
];

/**
 * Ids of a completed trip's events in the inboxes. The driver service has no use for ratings of passengers, and notes them
 * only where they come in a batch.
 */
const NOTED_PER_TRIP: readonly { service: ServiceName; least: number; most: number }[] = [
  { service: 'passenger', least: 4, most: 4 },
  { service: 'driver', least: 6, most: 7 },
];

const RESTS_WITHIN_MS = 12_000;

/** Every way in which what is left after these rides is not what it has to be, once everything has come to rest. */
export async function complaints(platform: Platform, rides: readonly Ride[]): Promise<string[]> {
  const deadlineMs = Date.now() + RESTS_WITHIN_MS;
  for (;;) {
    const found = await complaintsNow(platform, rides);
    if (found.length === 0 || Date.now() > deadlineMs) return found;
    await delay(500);
  }
}

async function complaintsNow(platform: Platform, rides: readonly Ride[]): Promise<string[]> {
  const knowledge = await knowledgeOf(platform);
  const { stuck } = await platformTallyOf(platform, false);
  const { trips, reservations } = knowledge;
  const completed = new Set(rides.map(({ tripId }) => tripId));
  const found = [
    ...disagreements(knowledge),
    ...[...trips.values()]
      .filter(({ id, status }) => status !== 'completed' || !completed.has(id))
      .map(({ id, status }) => `trip ${id} is ${status}${completed.has(id) ? '' : ', and nobody rode it'}`),
    ...[...completed].filter((id) => !trips.has(id)).map((id) => `there is no trip ${id}, which somebody rode`),
    ...reservations.map(({ driver_id: id }) => `driver ${id} is not free`),
    ...(stuck > 0 ? [`${stuck} events are in an outbox or a queue`] : []),
  ];
  for (const ledger of LEDGERS) found.push(...(await wrongIn(ledger, platform, rides)));
  for (const { service, least, most } of NOTED_PER_TRIP) {
    const [row] = await query<{ count: number }>(platform.databases[service].url, 'SELECT count(*)::int FROM inbox');
    const perTrip = row!.count / rides.length;
    if (perTrip < least || perTrip > most)
      found.push(`the ${service} service has handled ${row!.count} events of ${rides.length} trips`);
  }
  return found;
}

async function wrongIn({ name, service, of, amount, sql }: Ledger, { databases }: Platform, rides: readonly Ride[]) {
  const rows = await query<{ id: string; amount: number }>(databases[service].url, sql);
  const had = new Map(rows.map((row) => [row.id, row.amount]));
  const due = new Map<string, number>();
  for (const ride of rides) due.set(ride[of], (due.get(ride[of]) ?? 0) + amount(ride));
  return [...new Set([...had.keys(), ...due.keys()])]
    .filter((id) => (had.get(id) ?? 0) !== (due.get(id) ?? 0))
    .map(
      (id) => `${name} of ${of.replace('Id', '')} ${id} in ${service}: ${had.get(id) ?? 0}, not ${due.get(id) ?? 0}`,
    );
}
