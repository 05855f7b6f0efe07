import { useQuery, type QueryClient } from '@tanstack/react-query';
import { answerOf, tripsOf, type Trip } from '../api/client.ts';
import type { Member } from '../api/session.ts';

const OVER: readonly Trip['status'][] = ['completed', 'cancelled', 'unfulfilled'];

export const isOver = ({ status }: Trip): boolean => OVER.includes(status);

const newestKey = (member: Member) => ['trips', member, 'newest'];
export const historyKey = (member: Member) => ['trips', member, 'history'];

/** The member's newest trip, which is the one under way if any is: what to go on with after a reload. */
export const useNewestTrip = (member: Member) =>
  useQuery({
    queryKey: newestKey(member),
    queryFn: async () => {
      const { items } = await answerOf(tripsOf(member).GET('/v1/trips', { params: { query: { limit: 1 } } }));
      return items[0] ?? null;
    },
  });

/** Takes in what became of a trip. A trip never goes back, so older news than what is known is left out. */
export function learnOfTrip(queries: QueryClient, member: Member, news: Trip): void {
  queries.setQueryData<Trip | null>(newestKey(member), (known) =>
    known && (known.id > news.id || (known.id === news.id && isOver(known))) ? known : news,
  );
  if (isOver(news)) void queries.invalidateQueries({ queryKey: historyKey(member) });
}

export const askForNewestTrip = (queries: QueryClient, member: Member): Promise<void> =>
  queries.invalidateQueries({ queryKey: newestKey(member) });
