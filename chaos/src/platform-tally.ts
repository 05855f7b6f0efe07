import { EVENTS, SERVICES, TripRated, type ServiceName } from '@cabstand/contracts';
import { query } from '../../apps/e2e/src/agreement.ts';
import type { Platform } from '../../apps/e2e/src/platform.ts';
import { publicationsOf, type Publication } from './tap.ts';

export interface PlatformTally {
  tripsAskedFor: number;
  trips: number;
  /** Events that the aggregates' own counters say were committed. */
  committed: number;
  published: number;
  /** Allowed: the inbox drops them. */
  publishedAgain: number;
  effects: number;
  /** All of these have to be 0. */
  promisesBroken: number;
  publishedWithoutCommit: number;
  neverPublished: number;
  lost: number;
  disagreements: number;
  stuck: number;
  deadLetters: number;
  crashes: number;
  /** What the disagreements are. */
  complaints: string[];
}

export const PLATFORM_FAULTS = [
  'promisesBroken',
  'publishedWithoutCommit',
  'neverPublished',
  'lost',
  'disagreements',
  'stuck',
  'deadLetters',
  'crashes',
] as const satisfies (keyof PlatformTally)[];

/** Where each service's aggregates count their events. */
const AGGREGATES: Record<ServiceName, { table: string; id: string }[]> = {
  passenger: [
    { table: 'passengers', id: 'id' },
    { table: 'sessions', id: 'id' },
  ],
  driver: [
    { table: 'drivers', id: 'id' },
    { table: 'dispatches', id: 'trip_id' },
    { table: 'sessions', id: 'id' },
    { table: 'supply', id: 'id' },
  ],
  trip: [{ table: 'trips', id: 'id' }],
};

type Counted = Omit<
  PlatformTally,
  'tripsAskedFor' | 'trips' | 'promisesBroken' | 'disagreements' | 'complaints' | 'crashes'
>;

/** What went through the three services' outboxes and inboxes. */
export async function platformTallyOf(platform: Platform, withPublications: boolean): Promise<Counted> {
  const perService = await Promise.all(SERVICES.map((service) => stateOf(service, platform)));
  const inboxes = Object.fromEntries(perService.map(({ service, inbox }) => [service, inbox]));
  const committed = new Map<string, number>(perService.flatMap(({ counters }) => counters));
  const publications = withPublications ? await publicationsOf(platform.broker) : [];
  const published = new Map(publications.map((each) => [`${keyOf(each)} ${each.sequence}`, each]));
  const ids = new Map(publications.map((each) => [each.id, each]));
  const expected = [...committed.values()].reduce((sum, count) => sum + count, 0);
  const phantoms = [...published.values()].filter((each) => each.sequence > (committed.get(keyOf(each)) ?? 0));
  return {
    committed: expected,
    published: published.size,
    publishedAgain: publications.length - ids.size,
    effects: perService.reduce((sum, { inbox }) => sum + inbox.size, 0),
    publishedWithoutCommit: phantoms.length,
    neverPublished: withPublications ? expected - (published.size - phantoms.length) : 0,
    lost: [...ids.values()].flatMap((each) => consumersOf(each).filter((name) => !inboxes[name]!.has(each.id))).length,
    stuck: perService.reduce((sum, { outbox }) => sum + outbox, 0) + (await waitingMessages(platform)),
    deadLetters: perService.reduce((sum, { dead }) => sum + dead, 0),
  };
}

const keyOf = ({ source, subject }: Publication) => `${source} ${subject}`;

/** Ratings of passengers reach the driver service too, which has no use for them and notes nothing. */
function consumersOf({ type }: Publication): readonly ServiceName[] {
  return type === TripRated.type ? [] : (EVENTS.find((event) => event.type === type)?.consumers ?? []);
}

async function stateOf(service: ServiceName, { databases }: Platform) {
  const { url } = databases[service];
  const count = async (table: string) =>
    (await query<{ count: number }>(url, `SELECT count(*)::int FROM ${table}`))[0]!.count;
  const counters = await Promise.all(
    AGGREGATES[service].map(({ table, id }) =>
      query<{ id: string; sequence: number }>(url, `SELECT ${id} AS id, sequence FROM ${table}`),
    ),
  );
  const inbox = await query<{ message_id: string }>(url, 'SELECT message_id FROM inbox');
  return {
    service,
    counters: counters.flat().map(({ id, sequence }) => [`/cabstand/${service} ${id}`, sequence] as const),
    inbox: new Set(inbox.map(({ message_id }) => message_id)),
    outbox: await count('outbox'),
    dead: await count('dead_letters'),
  };
}

async function waitingMessages({ broker }: Platform): Promise<number> {
  const path = `/api/queues/${encodeURIComponent(broker.vhost)}`;
  const queues = await broker.management.get<{ name: string; messages?: number }[]>(path);
  return queues
    .filter(({ name }) => /-events($|\.)/.test(name))
    .reduce((sum, { messages }) => sum + (messages ?? 1), 0);
}
