import { useQuery, type QueryClient } from '@tanstack/react-query';
import { answerOf, tripsOf, type Trip } from '../api/client.ts';
import type { Member } from '../api/session.ts';
import { afterNews, currentOf, isOver } from './current-trip.ts';

/** A trip under way is among the newest so many: it was requested minutes ago at most before its driver got it. */
const LOOK_AT = 20;

const currentKey = (member: Member) => ['trips', member, 'current'];
export const historyKey = (member: Member) => ['trips', member, 'history'];

/** The member's trip under way, else the one that ended last: what to go on with after a reload. */
export const useCurrentTrip = (member: Member) =>
  useQuery({
    queryKey: currentKey(member),
    queryFn: async () => {
      const { items } = await answerOf(tripsOf(member).GET('/v1/trips', { params: { query: { limit: LOOK_AT } } }));
      return currentOf(items);
    },
  });

/** Takes in what became of a trip. */
export function learnOfTrip(queries: QueryClient, member: Member, news: Trip): void {
  queries.setQueryData<Trip | null>(currentKey(member), (known) => afterNews(known ?? null, news));
  if (isOver(news)) void queries.invalidateQueries({ queryKey: historyKey(member) });
}

export const askForCurrentTrip = (queries: QueryClient, member: Member): Promise<void> =>
  queries.invalidateQueries({ queryKey: currentKey(member) });
