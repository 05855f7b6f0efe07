import type { Trip } from '../api/client.ts';
import { afterNews, currentOf } from './current-trip.ts';

const trip = (id: string, status: Trip['status'], requestedAt: string, cancelledAt: string | null = null) =>
  ({ id, status, requestedAt, cancelledAt, completedAt: null }) as Trip;

const older = trip('a', 'accepted', '2026-01-01T12:00:00Z');
const newer = trip('b', 'cancelled', '2026-01-01T12:00:30Z', '2026-01-01T12:01:00Z');
const ended: Trip = { ...older, status: 'cancelled', cancelledAt: '2026-01-01T12:02:00Z' };

it('goes on with the trip under way, whichever was requested first', () => {
  expect(currentOf([newer, older])).toBe(older);
  expect(currentOf([older, newer])).toBe(older);
  expect(currentOf([])).toBeNull();
});

it('shows the trip that ended last when none is under way', () => {
  expect(currentOf([newer, ended])).toBe(ended);
});

it('takes in news of another trip when that is under way, or ended later', () => {
  expect(afterNews(newer, older)).toBe(older);
  expect(afterNews(older, newer)).toBe(older);
  expect(afterNews(newer, ended)).toBe(ended);
  expect(afterNews({ ...newer, status: 'accepted' }, older)).toBe(older);
});

it('does not go back to what a trip was before its end', () => {
  expect(afterNews(ended, older)).toBe(ended);
  expect(afterNews(older, ended)).toBe(ended);
});
