import { useQuery } from '@tanstack/react-query';
import { answerOf, asDriver, type Trip } from '../api/client.ts';
import { serverNowMs } from '../api/server-clock.ts';
import { historyKey } from '../trip/trips.ts';
import { money } from '../widgets/words.ts';

const PAGE_SIZE = 100;
/** Nobody drives more in a day. */
const MOST_PAGES = 5;

interface Earnings {
  trips: number;
  totals: [currency: string, minor: number][];
}

/** What was earned since midnight, from the driver's trips. */
async function earnedToday(): Promise<Earnings> {
  const midnight = new Date(serverNowMs()).setHours(0, 0, 0, 0);
  const completed: Trip[] = [];
  let cursor: string | null = null;
  for (let page = 0; page < MOST_PAGES; page += 1) {
    const query: { limit: number; cursor?: string } = { limit: PAGE_SIZE, ...(cursor ? { cursor } : {}) };
    const { items, nextCursor } = await answerOf(asDriver.trips.GET('/v1/trips', { params: { query } }));
    completed.push(...items.filter(({ completedAt }) => completedAt !== null && Date.parse(completedAt) >= midnight));
    const last = items.at(-1);
    if (!nextCursor || !last || Date.parse(last.requestedAt) < midnight) break;
    cursor = nextCursor;
  }
  const totals = new Map<string, number>();
  for (const { currency, fareMinor } of completed) totals.set(currency, (totals.get(currency) ?? 0) + fareMinor);
  return { trips: completed.length, totals: [...totals] };
}

export function EarningsLine() {
  const { data, isError } = useQuery({ queryKey: [...historyKey('driver'), 'earnings'], queryFn: earnedToday });
  return (
    <div className="row earnings">
      <span className="muted">Today</span>
      <span className="numbers">
        {data && (
          <>
            <strong>{sumOf(data)}</strong> <span className="muted">{counted(data)}</span>
          </>
        )}
        {!data && <span className="muted">{isError ? 'not known right now' : 'adding up…'}</span>}
      </span>
    </div>
  );
}

const sumOf = ({ totals }: Earnings) =>
  totals.map(([currency, minor]) => money(minor, currency)).join(' + ') || money(0, 'EUR');
const counted = ({ trips }: Earnings) => `· ${trips} ${trips === 1 ? 'trip' : 'trips'}`;
