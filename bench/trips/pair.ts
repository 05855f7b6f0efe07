import { randomUUID } from 'node:crypto';
import { newDriver, newPassenger, type NewDriver, type NewPassenger } from '../../apps/e2e/src/people.ts';
import { freshPlace, type Place } from '../../apps/e2e/src/places.ts';
import type { Offer, ServiceUrls } from '../../tools/client/api.ts';
import { nowMs } from '../harness/machine.ts';

/** As often as a driver's app says where it is. */
const REPORT_EVERY_MS = 5_000;
const NEWS_WITHIN_MS = 30_000;

/** A trip from the quote to both ratings. */
export interface Ride {
  tripId: string;
  passengerId: string;
  driverId: string;
  /** As the passenger was told before the trip. */
  fareMinor: number;
  /** From sending the request to the offer in the driver's stream. */
  offeredMs: number;
}

/**
 * A passenger and a driver who take trip after trip by the public API. They live far from all others, so that each
 * offer goes to the driver whose passenger asked. The driver learns everything from the event stream.
 */
export class Pair {
  readonly #passenger: NewPassenger;
  readonly #driver: NewDriver;
  readonly #place: Place;
  readonly #news = new Map<string, PromiseWithResolvers<{ data: unknown; atMs: number }>>();
  #leaving = new AbortController();
  #reportedAtMs = -Infinity;

  private constructor(passenger: NewPassenger, driver: NewDriver, place: Place) {
    this.#passenger = passenger;
    this.#driver = driver;
    this.#place = place;
  }

  static async settle(urls: ServiceUrls): Promise<Pair> {
    const place = freshPlace();
    const [passenger, driver] = [await newPassenger(urls), await newDriver(urls, place.pickup)];
    return new Pair(passenger, driver, place);
  }

  /** Opens the driver's stream. */
  async listen(): Promise<void> {
    this.#leaving = new AbortController();
    const opened = Promise.withResolvers<void>();
    void this.#read(this.#leaving.signal, () => opened.resolve());
    await opened.promise;
  }

  leave(): void {
    this.#leaving.abort();
  }

  async ride(): Promise<Ride> {
    const [passenger, driver] = [this.#passenger.api, this.#driver.api];
    await this.#report();
    const { quoteId, fareMinor } = await passenger.quote(this.#place.pickup, this.#place.dropoff);
    const sentAtMs = nowMs();
    const { id } = await passenger.requestTrip(quoteId, randomUUID());
    const { data: offer, atMs } = await this.#told(`offer ${id}`);
    await driver.accept((offer as Offer).offerId);
    await this.#told(`trip ${id} accepted`);
    await driver.arrive(id);
    await driver.start(id);
    await driver.complete(id);
    await Promise.all([passenger.rate(id, 5), driver.rate(id, 4)]);
    return {
      ...{ tripId: id, passengerId: this.#passenger.id, driverId: this.#driver.id },
      ...{ fareMinor, offeredMs: atMs - sentAtMs },
    };
  }

  async #report(): Promise<void> {
    if (nowMs() < this.#reportedAtMs + REPORT_EVERY_MS) return;
    this.#reportedAtMs = nowMs();
    await this.#driver.api.report([{ ...this.#place.pickup, at: new Date().toISOString() }]);
  }

  async #read(signal: AbortSignal, onOpen: () => void): Promise<void> {
    for await (const { event, data } of this.#driver.api.followOffers(signal, { onOpen })) {
      const atMs = nowMs();
      const { tripId, status } = data as { tripId: string; status?: string };
      this.#on(event === 'offer' ? `offer ${tripId}` : `${event} ${tripId} ${status}`).resolve({ data, atMs });
    }
  }

  async #told(what: string): Promise<{ data: unknown; atMs: number }> {
    const { promise, reject } = this.#on(what);
    const late = setTimeout(() => reject(new Error(`the driver was not told: ${what}`)), NEWS_WITHIN_MS);
    try {
      return await promise;
    } finally {
      clearTimeout(late);
      this.#news.delete(what);
    }
  }

  /** The news may come before anybody waits for it. */
  #on(what: string) {
    const news = this.#news.get(what) ?? Promise.withResolvers();
    this.#news.set(what, news);
    return news;
  }
}
