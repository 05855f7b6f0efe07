import { randomUUID } from 'node:crypto';
import { OVER, PassengerApi, type Trip } from '../client/api.ts';
import { pause } from '../client/http.ts';
import { FIRST_NAMES, Inhabitant, LAST_NAMES, credentialsOf, moveIn, type City } from './inhabitant.ts';
import { demandAt, tripAt } from './day.ts';
import { between, distanceM, pick } from './world.ts';

/** Shorter ways are walked. */
const SHORTEST_TRIP_M = 500;
const POLL_EVERY_MS = 3_000;

/** Wants a ride, waits for it, rides, rates it, rests; and sometimes has second thoughts. */
export class Passenger extends Inhabitant {
  readonly #api: PassengerApi;
  readonly #number: number;
  #settled = false;
  /** Kept until the trip is known to exist: a request whose answer was lost is repeated, not doubled. */
  #wish: { quoteId: string; key: string; quoteExpiresAtMs: number } | undefined;
  #tripId: string | undefined;

  constructor(city: City, number: number) {
    super(city, `passenger-${number}`);
    this.#number = number;
    this.#api = new PassengerApi(city.urls, credentialsOf('passenger', city, number));
  }

  protected async step(): Promise<void> {
    if (!this.#settled) await this.#settle();
    const trip = this.#tripId ? await this.#api.trip(this.#tripId) : await this.#api.tripUnderWay();
    await this.#ride(trip ?? (await this.#request()));
    // Between two trips: as long as others take to be driven, and longer when few want to go anywhere.
    await this.wait(between(this.pace, 30_000, 150_000) / this.city.speed / demandAt(this.city.day.hour()));
  }

  async #settle(): Promise<void> {
    const random = this.habits.dice('who they are');
    await moveIn(this.#api, () =>
      this.#api.register({
        ...credentialsOf('passenger', this.city, this.#number),
        name: `${pick(random, FIRST_NAMES)} ${pick(random, LAST_NAMES)}`,
        phone: `+4930${String(1_000_000 + this.#number)}`,
      }),
    );
    this.#settled = true;
  }

  async #request(): Promise<Trip> {
    if (!this.#wish || this.#wish.quoteExpiresAtMs < Date.now()) {
      const { pickup, dropoff } = this.#whereto();
      const quote = await this.#api.quote(pickup, dropoff);
      this.#wish = { quoteId: quote.quoteId, key: randomUUID(), quoteExpiresAtMs: Date.parse(quote.expiresAt) };
    }
    const requestedAtMs = performance.now();
    const trip = await this.#api.requestTrip(this.#wish.quoteId, this.#wish.key);
    this.#wish = undefined;
    this.city.stats.tripRequested(trip.id, requestedAtMs);
    return trip;
  }

  #whereto() {
    const { day, streets } = this.city;
    const random = this.habits.dice('goes');
    for (;;) {
      const { from, to } = tripAt(day.hour(), random);
      const pickup = streets.address(random, from.radiusM, from.centre);
      const dropoff = streets.address(random, to.radiusM, to.centre);
      if (distanceM(pickup, dropoff) >= SHORTEST_TRIP_M) return { pickup, dropoff };
    }
  }

  async #ride(trip: Trip): Promise<void> {
    this.#tripId = trip.id;
    this.city.stats.tripUnderWay(trip.id);
    const over = await this.#watch(trip);
    if (!over) return;
    this.#tripId = undefined;
    this.city.stats.tripOver(over.id, over.status);
    if (over.status === 'completed') await this.#api.rate(over.id, pick(this.habits.dice('rates'), [5, 5, 5, 4, 3]));
  }

  /** The stream tells the trip's news; polling finds what a broken stream didn't tell. Undefined when the city stops. */
  async #watch(trip: Trip): Promise<Trip | undefined> {
    let latest = trip;
    const ended = new AbortController();
    const signal = AbortSignal.any([this.city.signal, ended.signal]);
    const learn = (news: Trip) => {
      if (latest.status === 'requested' && news.status === 'accepted') this.city.stats.tripAccepted(news.id);
      latest = news;
      if (OVER.includes(news.status)) ended.abort();
    };
    const changesMindAtMs = this.habits.does('cancels as the passenger')
      ? Date.now() + between(this.pace, 10_000, 60_000) / this.city.speed
      : Infinity;
    learn(trip);
    const listening = this.#listen(trip.id, signal, learn);
    try {
      while (!signal.aborted) {
        await pause(POLL_EVERY_MS, signal);
        if (signal.aborted) break;
        if (Date.now() >= changesMindAtMs && latest.status !== 'in_progress') await this.#cancel(trip.id);
        learn(await this.#api.trip(trip.id));
      }
    } finally {
      ended.abort();
      await listening;
    }
    return OVER.includes(latest.status) ? latest : undefined;
  }

  async #listen(tripId: string, signal: AbortSignal, learn: (news: Trip) => void): Promise<void> {
    for await (const { event, data } of this.#api.followTrip(tripId, signal)) {
      if (event === 'trip') learn(data as Trip);
    }
  }

  async #cancel(tripId: string): Promise<void> {
    // The driver may have started in this very moment: then the ride goes on.
    await this.#api.cancel(tripId, 'changed my mind').catch(() => undefined);
  }
}
