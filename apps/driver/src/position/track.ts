import { greatCircleM, type GeoPoint } from '@cabstand/contracts';

/** What a driver's device reports. */
export interface Point extends GeoPoint {
  at: Date;
  headingDeg: number | null;
  speedMps: number | null;
}

/** The newest believable point, and a newer one that would take an impossible speed to reach. */
export interface Track {
  last: Point | null;
  suspect: Point | null;
}

export type Dropped = 'out-of-order' | 'stale' | 'future' | 'absurd';

/** 324 km/h: nothing on wheels in a city. */
export const MAX_SPEED_MPS = 90;
/** How far ahead of ours a device's clock may be. */
export const MAX_CLOCK_SKEW_MS = 10_000;
/** Points that a device kept for longer than this say nothing about where the driver is. */
export const MAX_AGE_MS = 3_600_000;

function impliedSpeedMps(from: Point, to: Point): number {
  return (greatCircleM(from, to) * 1_000) / Math.max(1, to.at.getTime() - from.at.getTime());
}

/**
 * The track after one more point. A point that needs an impossible speed is put aside, not believed; but when the
 * next one fits it, it was the older one that was wrong (a first fix kilometres off), and the driver is believed again.
 */
export function follow(track: Track, point: Point, now: Date): { track: Track; dropped: Dropped | null } {
  const { last, suspect } = track;
  if (point.at.getTime() > now.getTime() + MAX_CLOCK_SKEW_MS) return { track, dropped: 'future' };
  if (point.at.getTime() < now.getTime() - MAX_AGE_MS) return { track, dropped: 'stale' };
  if (last && point.at <= last.at) return { track, dropped: 'out-of-order' };
  const believable = !last || impliedSpeedMps(last, point) <= MAX_SPEED_MPS;
  const confirmed = suspect !== null && point.at > suspect.at && impliedSpeedMps(suspect, point) <= MAX_SPEED_MPS;
  if (believable || confirmed) return { track: { last: point, suspect: null }, dropped: null };
  return { track: { last, suspect: point }, dropped: 'absurd' };
}

/** Follows a batch, oldest first, in whatever order it was sent. */
export function followAll(track: Track, points: readonly Point[], now: Date): { track: Track; dropped: Dropped[] } {
  const dropped: Dropped[] = [];
  for (const point of points.toSorted((a, b) => a.at.getTime() - b.at.getTime())) {
    const step = follow(track, point, now);
    track = step.track;
    if (step.dropped) dropped.push(step.dropped);
  }
  return { track, dropped };
}
