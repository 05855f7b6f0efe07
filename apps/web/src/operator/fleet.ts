import { followEvents } from '../api/event-stream.ts';
import type { Point, TokenSource } from '../api/client.ts';

export type DriverStatus = 'free' | 'offered' | 'on-trip';

interface Position {
  driverId: string;
  position: Point;
  status: DriverStatus;
}

/** Between two reports a driver is shown on the straight way, for as long as the last such took, within reason. */
const GLIDE_MS = { shortest: 300, longest: 2_500 };

interface Cab {
  status: DriverStatus;
  from: Point;
  to: Point;
  sinceMs: number;
  glideMs: number;
}

/**
 * Every driver who is online, as the driver service tells. It is read by the map for each frame, so it is no state of
 * React's; whoever counts drivers subscribes.
 */
export class Fleet {
  readonly #cabs = new Map<string, Cab>();
  readonly #listeners = new Set<() => void>();
  #counts = { free: 0, offered: 0, 'on-trip': 0 };
  #telling: ReturnType<typeof setTimeout> | undefined;
  #changedAtMs = 0;
  #isConnected: boolean | null = null;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  readonly getCounts = (): Readonly<Record<DriverStatus, number>> => this.#counts;

  /** Null until it is known. */
  readonly getIsConnected = (): boolean | null => this.#isConnected;

  get size(): number {
    return this.#cabs.size;
  }

  /** Until the signal; then nobody is shown any more. @throws ApiProblem when an operator may not */
  async follow(session: TokenSource, signal: AbortSignal): Promise<void> {
    try {
      await this.#follow(session, signal);
    } finally {
      this.#cabs.clear();
      this.#isConnected = null;
      this.#note(performance.now());
    }
  }

  async #follow(session: TokenSource, signal: AbortSignal): Promise<void> {
    const onConnected = (isConnected: boolean) => {
      // A new connection begins with everybody who is online now.
      if (isConnected) this.#cabs.clear();
      this.#isConnected = isConnected;
      for (const listener of this.#listeners) listener();
      this.#note(performance.now());
    };
    for await (const { event, data } of followEvents('/api/driver/v1/drivers/positions', session, {
      signal,
      onConnected,
    })) {
      if (event === 'position') this.move(data as Position, performance.now());
      else if (event === 'driver-offline') this.#cabs.delete((data as Position).driverId);
      this.#note(performance.now());
    }
  }

  /** Whether a frame that is drawn now is as one that was drawn at `lastMs`. */
  isStill(lastMs: number): boolean {
    return lastMs > this.#changedAtMs + GLIDE_MS.longest;
  }

  move({ driverId, position, status }: Position, nowMs: number): void {
    const known = this.#cabs.get(driverId);
    if (!known) {
      this.#cabs.set(driverId, { status, from: position, to: position, sinceMs: nowMs, glideMs: 1 });
      return;
    }
    known.from = whereIs(known, nowMs);
    known.glideMs = Math.min(GLIDE_MS.longest, Math.max(GLIDE_MS.shortest, nowMs - known.sinceMs));
    known.to = position;
    known.sinceMs = nowMs;
    known.status = status;
  }

  /** Calls back for each, without making anything: it runs sixty times a second. */
  each(nowMs: number, tell: (index: number, lng: number, lat: number, status: DriverStatus) => void): void {
    let index = 0;
    for (const cab of this.#cabs.values()) {
      const share = Math.min(1, (nowMs - cab.sinceMs) / cab.glideMs);
      const lng = cab.from.lng + (cab.to.lng - cab.from.lng) * share;
      const lat = cab.from.lat + (cab.to.lat - cab.from.lat) * share;
      tell(index++, lng, lat, cab.status);
    }
  }

  /** Listeners hear not of every event: a first connection brings hundreds. */
  #note(nowMs: number): void {
    this.#changedAtMs = nowMs;
    if (this.#telling) return;
    this.#telling = setTimeout(() => {
      this.#telling = undefined;
      const counts = { free: 0, offered: 0, 'on-trip': 0 };
      for (const { status } of this.#cabs.values()) counts[status]++;
      this.#counts = counts;
      for (const listener of this.#listeners) listener();
    }, 250);
  }
}

function whereIs({ from, to, sinceMs, glideMs }: Cab, nowMs: number): Point {
  const share = Math.min(1, (nowMs - sinceMs) / glideMs);
  return { lat: from.lat + (to.lat - from.lat) * share, lng: from.lng + (to.lng - from.lng) * share };
}
