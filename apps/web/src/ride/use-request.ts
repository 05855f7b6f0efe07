import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { answerOf, asPassenger, type Point, type Quote } from '../api/client.ts';
import { ApiProblem } from '../api/problem.ts';
import { askForCurrentTrip, learnOfTrip } from '../trip/trips.ts';
import { useDraft } from '../widgets/use-draft.ts';

const MOST_RETRIES = 4;

/** A price for the way, held until the quote expires. */
export const useQuote = (pickup: Point | null, dropoff: Point | null) =>
  useQuery({
    queryKey: ['quote', 'passenger', pickup, dropoff],
    enabled: pickup !== null && dropoff !== null,
    queryFn: () => answerOf(asPassenger.trips.POST('/v1/quotes', { body: { pickup: pickup!, dropoff: dropoff! } })),
    staleTime: Infinity,
    gcTime: 0,
  });

/** Nobody knows whether the request arrived: the same key asks without asking twice. */
const isUnanswered = (error: unknown) =>
  error instanceof ApiProblem && (error.isTemporary || error.code === 'IDEMPOTENCY_IN_FLIGHT');

/** Makes a trip of a quote. The key is kept until there is an answer, over reloads too: a lost answer costs no second trip. */
export function useRequest(onRequested: () => void, onQuoteGone: () => void) {
  const queries = useQueryClient();
  const [wish, setWish] = useDraft<{ quoteId: string; key: string } | null>('passenger.request', null);
  return useMutation({
    mutationFn: ({ quoteId }: Quote) => {
      const key = wish?.quoteId === quoteId ? wish.key : crypto.randomUUID();
      setWish({ quoteId, key });
      return request(quoteId, key);
    },
    onSuccess: (trip) => {
      setWish(null);
      learnOfTrip(queries, 'passenger', trip);
      onRequested();
    },
    onError: (error) => {
      if (isUnanswered(error)) return;
      setWish(null);
      if (!(error instanceof ApiProblem)) return;
      if (error.code === 'QUOTE_EXPIRED' || error.code === 'QUOTE_USED') onQuoteGone();
      if (error.code === 'TRIP_ALREADY_ACTIVE') void askForCurrentTrip(queries, 'passenger');
    },
  });
}

async function request(quoteId: string, key: string) {
  for (let attempt = 1; ; attempt += 1) {
    try {
      const params = { header: { 'Idempotency-Key': key } };
      return await answerOf(asPassenger.trips.POST('/v1/trips', { params, body: { quoteId } }));
    } catch (error) {
      if (!isUnanswered(error) || attempt > MOST_RETRIES) throw error;
      await new Promise((resolve) => setTimeout(resolve, 500 * 2 ** attempt));
    }
  }
}
