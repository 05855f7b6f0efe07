import type { GeoPoint, TripStatus } from '@cabstand/contracts';
import { DriverApi, OVER, type Offer, type Trip } from '../client/api.ts';
import { ApiError, pause } from '../client/http.ts';
import { FIRST_NAMES, Inhabitant, LAST_NAMES, credentialsOf, moveIn, type City } from './inhabitant.ts';
import { tripAt } from './day.ts';
import { along, between, headingDeg, pick } from './world.ts';

/** At ten times this the driver service still believes it (90 m/s); a city that is faster than that teleports. */
const SPEED_MPS = 30 / 3.6;
const BREAK_MS = 15 * 60_000;
/** A driver who stands still reports less often, but often enough to count as fresh (`DISPATCH_POSITION_MAX_AGE`). */
const STANDING_REPORT_EVERY_MS = 8_000;
const POLL_EVERY_MS = 4_000;
const AWAIT_AT_MOST_MS = 30_000;
const CARS = ['Octavia', 'Corolla', 'Ioniq 5', 'Model 3', 'E-Class'] as const;
const COLOURS = ['white', 'black', 'silver', 'blue', 'ivory'] as const;

/** Waits for offers, takes most of them, and drives: to the pickup, to the dropoff, and around meanwhile. */
export class Driver extends Inhabitant {
  readonly #api: DriverApi;
  readonly #number: number;
  #online = false;
  #position: GeoPoint;
  /** What is left of the way that the driver is on, and where it leads. */
  #way: GeoPoint[] = [];
  #destination: GeoPoint | undefined;
  #reportedAtMs = 0;
  #movedAtMs = 0;
  #polledAtMs = 0;
  #offer: Offer | undefined;
  #trip: Trip | undefined;
  /** Accepted, but the trip service may not know it yet. */
  #awaitedTripId: string | undefined;
  #awaitedSinceMs = 0;
  /** Won't get to the pickup of the trip at hand. */
  #hasTrouble = false;
  #streaming = false;
  #isListening = false;
  #wake: () => void = () => undefined;

  constructor(city: City, number: number) {
    super(city, `driver-${number}`);
    this.#number = number;
    this.#position = this.#somewhere();
    this.#api = new DriverApi(city.urls, credentialsOf('driver', city, number));
  }

  protected async step(): Promise<void> {
    if (!this.#online) await this.#startShift();
    if (!this.#streaming) await this.#poll();
    if (this.#offer) await this.#answer(this.#offer);
    if (this.#awaitedTripId) await this.#lookForTrip(this.#awaitedTripId);
    if (this.#trip) await this.#work(this.#trip);
    else await this.#roam();
    await this.#rest(between(this.pace, 1_000, 1_800));
  }

  /** Says goodbye when nobody is on board, so that no offer goes to a car that is gone. */
  async endShift(): Promise<void> {
    if (this.#online && !this.#trip && !this.#awaitedTripId) await this.#api.goOffline().catch(() => undefined);
  }

  async #startShift(): Promise<void> {
    const { city } = this;
    const random = this.habits.dice('who they are');
    await moveIn(this.#api, () =>
      this.#api.register({
        ...credentialsOf('driver', city, this.#number),
        name: `${pick(random, FIRST_NAMES)} ${pick(random, LAST_NAMES)}`,
        phone: `+4930${String(2_000_000 + this.#number)}`,
        licenceNumber: `B-${String(this.#number).padStart(6, '0')}`,
        vehicle: {
          make: 'Cab',
          model: pick(random, CARS),
          colour: pick(random, COLOURS),
          plate: `B-CS ${String(1_000 + this.#number)}`,
        },
      }),
    );
    await this.#api.goOnline();
    await this.#report();
    this.#trip = await this.#api.tripUnderWay();
    this.#online = true;
    city.stats.driversOnline += 1;
    if (!this.#isListening) void this.#listen();
    this.#isListening = true;
  }

  async #listen(): Promise<void> {
    const hooks = { onOpen: () => (this.#streaming = true), onLost: () => (this.#streaming = false) };
    for await (const { event, data } of this.#api.followOffers(this.city.signal, hooks)) {
      if (event === 'offer') this.#receive(data as Offer);
      if (event === 'offer-withdrawn' && this.#offer?.offerId === (data as Offer).offerId) this.#offer = undefined;
      if (event === 'trip') this.#hearOfTrip(data as { tripId: string; status: TripStatus });
      this.#wake();
    }
  }

  #receive(offer: Offer): void {
    this.#offer = offer;
    this.city.stats.tripOffered(offer.tripId);
  }

  #hearOfTrip({ tripId, status }: { tripId: string; status: TripStatus }): void {
    if (OVER.includes(status)) {
      if (this.#trip?.id === tripId) this.#trip = undefined;
      if (this.#awaitedTripId === tripId) this.#awaitedTripId = undefined;
    } else if (this.#trip?.id !== tripId) this.#await(tripId);
  }

  /** Without a stream offers and trips are asked for. */
  async #poll(): Promise<void> {
    if (Date.now() - this.#polledAtMs < POLL_EVERY_MS) return;
    this.#polledAtMs = Date.now();
    if (this.#trip) this.#take(await this.#api.trip(this.#trip.id));
    else {
      const offer = await this.#api.offer();
      if (offer && offer.offerId !== this.#offer?.offerId) this.#receive(offer);
    }
  }

  async #answer(offer: Offer): Promise<void> {
    this.#offer = undefined;
    if (this.habits.does('overhears an offer')) return;
    // Nobody answers in no time.
    await this.wait(between(this.pace, 200, 1_500));
    try {
      if (this.habits.does('declines an offer')) await this.#api.decline(offer.offerId);
      else this.#await((await this.#api.accept(offer.offerId)).tripId);
    } catch (error) {
      // Too late or taken back: the next one comes. What never arrived is tried again while the offer lasts.
      if (error instanceof ApiError && error.status < 500) return;
      this.#offer = offer;
      throw error;
    }
  }

  #await(tripId: string): void {
    if (this.#awaitedTripId !== tripId) this.#hasTrouble = this.habits.does('cancels as the driver');
    this.#awaitedTripId = tripId;
    this.#awaitedSinceMs = Date.now();
  }

  async #lookForTrip(tripId: string): Promise<void> {
    const trip = await this.#api.trip(tripId).catch((error: unknown) => {
      // Not mine yet: milliseconds usually, longer while the broker is away.
      if (error instanceof ApiError && error.status === 404) return undefined;
      throw error;
    });
    if (trip) this.#take(trip);
    // What comes later than that, the stream tells.
    if (trip || Date.now() - this.#awaitedSinceMs > AWAIT_AT_MOST_MS) this.#awaitedTripId = undefined;
  }

  #take(trip: Trip): void {
    this.#trip = OVER.includes(trip.status) ? undefined : trip;
  }

  async #work(trip: Trip): Promise<void> {
    try {
      if (trip.status === 'accepted' && this.#hasTrouble) {
        this.#take(await this.#api.cancel(trip.id, 'a flat tyre'));
        await this.#haveABreak();
      } else if (trip.status === 'accepted' && (await this.#drive(trip.pickup)))
        this.#take(await this.#api.arrive(trip.id));
      else if (trip.status === 'arrived') this.#take(await this.#api.start(trip.id));
      else if (trip.status === 'in_progress' && (await this.#drive(trip.dropoff))) {
        this.#take(await this.#api.complete(trip.id));
        await this.#api.rate(trip.id, pick(this.habits.dice('rates'), [5, 5, 4]));
        if (this.habits.does('takes a break after a trip')) await this.#haveABreak();
      }
    } catch (error) {
      if (!(error instanceof ApiError) || (error.status !== 409 && error.status !== 404)) throw error;
      // Cancelled meanwhile, or an answer was lost and the step was taken: the trip itself says which.
      this.#trip = await this.#api.tripUnderWay();
    }
  }

  async #haveABreak(): Promise<void> {
    const { stats, speed } = this.city;
    await this.#api.goOffline();
    stats.driversOnline -= 1;
    this.#online = false;
    await this.wait(BREAK_MS / speed);
  }

  async #roam(): Promise<void> {
    // Half of the free drivers stand, as they would at a rank.
    if (this.#number % 2 === 0) {
      if (Date.now() - this.#reportedAtMs >= STANDING_REPORT_EVERY_MS) await this.#report();
      return;
    }
    const whereto = (this.#destination ??= this.#somewhere());
    if (await this.#drive(whereto)) this.#destination = undefined;
  }

  /** Where somebody may want to be picked up. */
  #somewhere(): GeoPoint {
    const { day, streets } = this.city;
    const random = this.habits.dice('roams');
    const { from } = tripAt(day.hour(), random);
    return streets.address(random, from.radiusM, from.centre);
  }

  /** Along the streets, as far as the time since the last step allows. True when there. */
  async #drive(to: GeoPoint): Promise<boolean> {
    const nowMs = Date.now();
    const sinceMs = Math.min(nowMs - this.#movedAtMs, 3_000);
    this.#movedAtMs = nowMs;
    const end = this.#way.at(-1);
    if (end?.lat !== to.lat || end.lng !== to.lng) this.#way = this.city.streets.way(this.#position, to);
    const from = this.#position;
    const { at, left } = along(from, this.#way, SPEED_MPS * this.city.speed * (sinceMs / 1_000));
    [this.#position, this.#way] = [at, left];
    await this.#report(headingDeg(from, at));
    return left.length === 0;
  }

  async #report(heading?: number): Promise<void> {
    const moving = heading === undefined ? {} : { headingDeg: heading, speedMps: Number(SPEED_MPS.toFixed(1)) };
    await this.#api.report([{ ...this.#position, at: new Date().toISOString(), ...moving }]);
    this.#reportedAtMs = Date.now();
  }

  /** Waits, but an event of the stream ends the wait. */
  async #rest(ms: number): Promise<void> {
    const woken = new AbortController();
    this.#wake = () => woken.abort();
    await pause(ms, AbortSignal.any([this.city.signal, woken.signal]));
  }
}
