/** What the city tells its parent once a second. */
export interface CityReport {
  driversOnline: number;
  requested: number;
  underWay: number;
  completed: number;
  cancelled: number;
  unfulfilled: number;
  errors: number;
  /** The newest of them, for whoever wonders. */
  lastError: string | null;
  /** Milliseconds over the last 500 trips; null before the first. */
  requestToOfferMs: Spread | null;
  offerToAcceptMs: Spread | null;
}
interface Spread {
  p50: number;
  p99: number;
}

const KEPT = 500;

/** Counters of one run, and how long trips take to find a driver. */
export class Stats {
  driversOnline = 0;
  requested = 0;
  completed = 0;
  cancelled = 0;
  unfulfilled = 0;
  errors = 0;
  lastError: string | null = null;
  readonly #underWay = new Set<string>();
  readonly #requestedAtMs = new Map<string, number>();
  readonly #offeredAtMs = new Map<string, number>();
  readonly #requestToOfferMs: number[] = [];
  readonly #offerToAcceptMs: number[] = [];

  /** Takes the instant of the request, since an offer may be out before the answer to the request is in. */
  tripRequested(tripId: string, atMs: number): void {
    this.requested += 1;
    this.#requestedAtMs.set(tripId, atMs);
    const offeredAtMs = this.#offeredAtMs.get(tripId);
    if (offeredAtMs !== undefined) keep(this.#requestToOfferMs, offeredAtMs - atMs);
  }

  tripOffered(tripId: string): void {
    if (this.#offeredAtMs.has(tripId)) return;
    const nowMs = performance.now();
    this.#offeredAtMs.set(tripId, nowMs);
    const requestedAtMs = this.#requestedAtMs.get(tripId);
    if (requestedAtMs !== undefined) keep(this.#requestToOfferMs, nowMs - requestedAtMs);
  }

  tripAccepted(tripId: string): void {
    const offeredAtMs = this.#offeredAtMs.get(tripId);
    if (offeredAtMs !== undefined) keep(this.#offerToAcceptMs, performance.now() - offeredAtMs);
  }

  tripUnderWay(tripId: string): void {
    this.#underWay.add(tripId);
  }

  tripOver(tripId: string, status: string): void {
    if (status === 'completed' || status === 'cancelled' || status === 'unfulfilled') this[status] += 1;
    this.#underWay.delete(tripId);
    this.#requestedAtMs.delete(tripId);
    this.#offeredAtMs.delete(tripId);
  }

  failed(error: unknown): void {
    this.errors += 1;
    // What fetch failed for is only in its cause.
    const reason = error instanceof TypeError && error.cause instanceof Error ? error.cause : error;
    this.lastError = reason instanceof Error ? reason.message : String(reason);
  }

  report(): CityReport {
    const { driversOnline, requested, completed, cancelled, unfulfilled, errors, lastError } = this;
    return {
      ...{
        driversOnline,
        requested,
        underWay: this.#underWay.size,
        completed,
        cancelled,
        unfulfilled,
        errors,
        lastError,
      },
      requestToOfferMs: spread(this.#requestToOfferMs),
      offerToAcceptMs: spread(this.#offerToAcceptMs),
    };
  }
}

function keep(samples: number[], sample: number): void {
  samples.push(sample);
  if (samples.length > KEPT) samples.shift();
}

function spread(samples: number[]): Spread | null {
  if (samples.length === 0) return null;
  const sorted = samples.toSorted((a, b) => a - b);
  const at = (share: number) => Math.round(sorted[Math.ceil(sorted.length * share) - 1] ?? 0);
  return { p50: at(0.5), p99: at(0.99) };
}

/** What a run was, in a line. */
export function sumUp({ requested, completed, cancelled, unfulfilled, errors, ...report }: CityReport): string {
  const took = (spread: Spread | null) => (spread ? `p50 ${spread.p50} ms, p99 ${spread.p99} ms` : 'not measured');
  return [
    `the city wanted ${requested} trips: ${completed} completed, ${cancelled} cancelled, ${unfulfilled} unfulfilled, ${errors} errors`,
    `request → offer ${took(report.requestToOfferMs)}`,
    `offer → accept ${took(report.offerToAcceptMs)}`,
  ].join('; ');
}
