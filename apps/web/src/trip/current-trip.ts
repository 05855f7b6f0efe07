import type { Trip } from '../api/client.ts';

const OVER: readonly Trip['status'][] = ['completed', 'cancelled', 'unfulfilled'];

export const isOver = ({ status }: Pick<Trip, 'status'>): boolean => OVER.includes(status);

const endedAt = ({ completedAt, cancelledAt, requestedAt }: Trip): string => completedAt ?? cancelledAt ?? requestedAt;

/**
 * Which of two trips a member goes on with: the one under way; of two that are over, the one that ended last. The newer
 * request is no sign: a driver gets an older one when other drivers have kept it for a while.
 */
function later(a: Trip, b: Trip): Trip {
  if (isOver(a) !== isOver(b)) return isOver(a) ? b : a;
  return endedAt(b) > endedAt(a) ? b : a;
}

/** Of a member's trips the one under way, else the one that ended last; null when there are none. */
export const currentOf = (trips: readonly Trip[]): Trip | null =>
  trips.reduce<Trip | null>((current, trip) => (current ? later(current, trip) : trip), null);

/** After news of a trip. A trip never goes back: that one is over is not taken back by older news of it. */
export function afterNews(known: Trip | null, news: Trip): Trip {
  if (known?.id === news.id) return isOver(known) ? known : news;
  // Nobody has two under way: what ended the known one has not been heard yet.
  return known && isOver(news) ? later(known, news) : news;
}
