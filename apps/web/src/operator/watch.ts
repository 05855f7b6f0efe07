import { useQueries, useQuery } from '@tanstack/react-query';
import { answerOf, type Trip } from '../api/client.ts';
import { ApiProblem } from '../api/problem.ts';
import { usePageConfig } from '../page-config.ts';
import { isOver } from '../trip/current-trip.ts';
import { SERVICES, useOperatorApi, type OperatorApi, type Service } from './operator-api.ts';

const EVERY_MS = 1_500;
const SELDOM_MS = 3_000;
const WINDOW_MS = 15_000;
/** Of 100 trips each, at every look: no more than what a big city has under way. */
const MOST_PAGES = 5;
/** What doesn't answer is shown as such at once, and asked again by the next round. */
const LIVE = { retry: false, staleTime: 0 } as const;

async function statusOf(api: OperatorApi, service: Service) {
  const status = await answerOf(api.of(service).GET('/v1/ops/status'));
  note(service, status);
  return status;
}
export type Status = Awaited<ReturnType<typeof statusOf>>;

export interface Watched {
  service: Service;
  /** The last that it said. */
  status: Status | undefined;
  isAnswering: boolean;
}

/** Every service at a glance, again and again. */
export function useServices(): Watched[] {
  const api = useOperatorApi();
  const found = useQueries({
    queries: SERVICES.map((service) => ({
      ...LIVE,
      queryKey: ['ops', 'status', service],
      queryFn: () => statusOf(api, service),
      refetchInterval: EVERY_MS,
    })),
  });
  return SERVICES.map((service, index) => ({
    service,
    status: found[index]!.data,
    isAnswering: !found[index]!.isError,
  }));
}

export function useFigures() {
  const api = useOperatorApi();
  return useQuery({
    ...LIVE,
    queryKey: ['ops', 'figures'],
    queryFn: () => answerOf(api.trip.GET('/v1/ops/trip-figures')),
    refetchInterval: SELDOM_MS,
  });
}

/** What the simulated city measures, where there is one. */
export function useCity() {
  const api = useOperatorApi();
  const { isLocal } = usePageConfig();
  return useQuery({
    ...LIVE,
    queryKey: ['local', 'city'],
    queryFn: () => api.city(),
    refetchInterval: SELDOM_MS,
    enabled: isLocal,
  });
}

/** The newest of all trips, and as many more as it takes to have those under way. */
export function useTrips() {
  const api = useOperatorApi();
  return useQuery({
    ...LIVE,
    queryKey: ['ops', 'trips'],
    queryFn: () => newestTrips(api),
    refetchInterval: SELDOM_MS,
  });
}

async function newestTrips({ trip: api }: OperatorApi): Promise<Trip[]> {
  const { underWay } = await answerOf(api.GET('/v1/ops/trip-figures'));
  let missing = Object.values(underWay).reduce((sum, count) => sum + count, 0);
  const trips: Trip[] = [];
  let cursor: string | null = null;
  for (let page = 0; page < MOST_PAGES; page += 1) {
    const query: { limit: number; cursor?: string } = { limit: 100, ...(cursor ? { cursor } : {}) };
    const { items, nextCursor } = await answerOf(api.GET('/v1/trips', { params: { query } }));
    trips.push(...items);
    missing -= items.filter((trip) => !isOver(trip)).length;
    if (missing <= 0 || !nextCursor) break;
    cursor = nextCursor;
  }
  return trips;
}

interface OfAll<Item> {
  items: (Item & { service: Service })[];
  /** The services that didn't answer: what they have is missing. */
  silent: Service[];
}

/** What each service has of something. Watching is for when one of them is down: the others' is shown all the same. */
async function ofAll<Item>(ask: (service: Service) => Promise<{ items: Item[] }>): Promise<OfAll<Item>> {
  const answers = await Promise.allSettled(SERVICES.map(ask));
  const found: OfAll<Item> = { items: [], silent: [] };
  for (const [index, service] of SERVICES.entries()) {
    const answer = answers[index]!;
    if (answer.status === 'fulfilled') found.items.push(...answer.value.items.map((item) => ({ ...item, service })));
    else if (answer.reason instanceof ApiProblem && answer.reason.isTemporary) found.silent.push(service);
    else throw answer.reason;
  }
  return found;
}

/** Of all services, newest first. */
export function useDeadLetters() {
  const api = useOperatorApi();
  return useQuery({
    ...LIVE,
    queryKey: ['ops', 'dead-letters'],
    queryFn: async () => {
      const params = { query: { limit: 50 } };
      const { items, silent } = await ofAll((service) =>
        answerOf(api.of(service).GET('/v1/ops/dead-letters', { params })),
      );
      return { items: items.toSorted((a, b) => b.deadAt.localeCompare(a.deadAt)), silent };
    },
    refetchInterval: SELDOM_MS,
  });
}

export function useSecurityEvents() {
  const api = useOperatorApi();
  return useQuery({
    ...LIVE,
    queryKey: ['ops', 'security'],
    queryFn: async () => {
      const params = { query: { limit: 50 } };
      const { items, silent } = await ofAll((service) =>
        answerOf(api.of(service).GET('/v1/ops/security-events', { params })),
      );
      return { items: items.toSorted((a, b) => b.at.localeCompare(a.at)), silent };
    },
    refetchInterval: SELDOM_MS * 2,
  });
}

interface Sample {
  process: string;
  published: number;
  atMs: number;
}
const samples = new Map<Service, Sample[]>();

/** Counters of another process begin anew. */
function note(service: Service, { process }: { process: { id: string; published: number } }): void {
  const sample = { process: process.id, published: process.published, atMs: performance.now() };
  const before = (samples.get(service) ?? []).filter(
    (each) => each.process === sample.process && sample.atMs - each.atMs <= WINDOW_MS,
  );
  samples.set(service, [...before, sample]);
}

/** What the brokers confirmed over the last seconds, as far as services answered; null until there are two answers. */
export function eventsPerS(): number | null {
  const rates = [...samples.values()].flatMap((looks) => {
    const [first, last] = [looks[0]!, looks.at(-1)!];
    return first === last ? [] : [((last.published - first.published) * 1_000) / (last.atMs - first.atMs)];
  });
  return rates.length === 0 ? null : rates.reduce((sum, rate) => sum + rate, 0);
}
