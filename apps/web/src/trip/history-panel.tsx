import { useInfiniteQuery } from '@tanstack/react-query';
import { answerOf, tripsOf, type Trip } from '../api/client.ts';
import type { Member } from '../api/session.ts';
import { ErrorNotice } from '../widgets/notice.tsx';
import { dayAndTime, distance, money } from '../widgets/words.ts';
import { historyKey } from './trips.ts';
import { ActionButton } from '../widgets/action-button.tsx';

const PAGE_SIZE = 10;
const OUTCOMES: Record<Trip['status'], string> = {
  requested: 'looking for a driver',
  accepted: 'driver on the way',
  arrived: 'driver at the pickup',
  in_progress: 'under way',
  completed: 'completed',
  cancelled: 'cancelled',
  unfulfilled: 'no driver found',
};

/** Newest first, a page at a time. */
export function HistoryPanel({ member, hint }: { member: Member; hint: string }) {
  const history = useInfiniteQuery({
    queryKey: historyKey(member),
    queryFn: ({ pageParam }) => {
      const query = { limit: PAGE_SIZE, ...(pageParam ? { cursor: pageParam } : {}) };
      return answerOf(tripsOf(member).GET('/v1/trips', { params: { query } }));
    },
    initialPageParam: '',
    getNextPageParam: ({ nextCursor }) => nextCursor,
  });
  const trips = history.data?.pages.flatMap(({ items }) => items) ?? [];
  return (
    <>
      <h1>Trips</h1>
      <ErrorNotice error={history.error} />
      {history.isPending && <div className="progress" role="status" aria-label="Loading your trips" />}
      {history.isSuccess && trips.length === 0 && <p className="muted">{hint}</p>}
      <ul className="list">
        {trips.map((trip) => (
          <HistoryItem key={trip.id} trip={trip} />
        ))}
      </ul>
      {history.hasNextPage && (
        <ActionButton
          className="button"
          isPending={history.isFetchingNextPage}
          onPress={() => void history.fetchNextPage()}
        >
          Earlier trips
        </ActionButton>
      )}
    </>
  );
}

function HistoryItem({ trip }: { trip: Trip }) {
  const isPaid = trip.status === 'completed';
  return (
    <li className="history-item">
      <div className="row">
        <strong>{dayAndTime(trip.requestedAt)}</strong>
        <strong className="numbers">{isPaid ? money(trip.fareMinor, trip.currency) : '–'}</strong>
      </div>
      <p className="muted">
        {OUTCOMES[trip.status]}, {distance(trip.distanceM)}
        {trip.cancelledBy && ` (by the ${trip.cancelledBy})`}
      </p>
    </li>
  );
}
