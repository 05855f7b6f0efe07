import type { GeoPoint, TripStatus, Vehicle } from '@cabstand/contracts';
import { followEvents, type StreamEvent } from './event-stream.ts';
import { ApiError, call, type CallOptions } from './http.ts';
import { Session, type Credentials } from './session.ts';

/** Base URLs of the three public APIs. */
export interface ServiceUrls {
  passenger: string;
  driver: string;
  trip: string;
}

export interface Profile {
  email: string;
  password: string;
  name: string;
  phone: string;
}
export interface DriverProfile extends Profile {
  licenceNumber: string;
  vehicle: Vehicle;
}
export interface Account {
  id: string;
  email: string;
  name: string;
  phone: string;
  createdAt: string;
}

export interface Quote {
  quoteId: string;
  fareMinor: number;
  currency: string;
  distanceM: number;
  durationS: number;
  distanceSource: 'estimate' | 'route';
  expiresAt: string;
}

export interface Trip {
  id: string;
  status: TripStatus;
  passengerId: string;
  passenger?: { firstName: string };
  driverId: string | null;
  driver?: { firstName: string; vehicle: Vehicle; rating: number | null };
  pickup: GeoPoint;
  dropoff: GeoPoint;
  fareMinor: number;
  currency: string;
  distanceM: number;
  durationS: number;
  requestedAt: string;
  acceptedAt: string | null;
  arrivedAt: string | null;
  startedAt: string | null;
  completedAt: string | null;
  cancelledAt: string | null;
  cancelledBy: string | null;
}

export interface Offer {
  offerId: string;
  tripId: string;
  pickup: GeoPoint;
  dropoff: GeoPoint;
  fareMinor: number;
  currency: string;
  pickupDistanceM: number;
  expiresAt: string;
}

export interface Page<T> {
  items: T[];
  nextCursor: string | null;
}

export interface Position extends GeoPoint {
  at: string;
  headingDeg?: number;
  speedMps?: number;
}

export const OVER: readonly TripStatus[] = ['completed', 'cancelled', 'unfulfilled'];

/** What a passenger and a driver have in common: an account at one service, and trips at the other. */
class Member {
  readonly session: Session;
  protected readonly urls: ServiceUrls;
  protected readonly options: CallOptions;

  protected constructor(urls: ServiceUrls, session: Session, options: CallOptions) {
    this.urls = urls;
    this.session = session;
    this.options = options;
  }

  trip(id: string): Promise<Trip> {
    return this.send('GET', `${this.urls.trip}/v1/trips/${id}`);
  }

  trips(query = ''): Promise<Page<Trip>> {
    return this.send('GET', `${this.urls.trip}/v1/trips${query}`);
  }

  cancel(id: string, reason?: string): Promise<Trip> {
    return this.send('POST', `${this.urls.trip}/v1/trips/${id}/cancel`, reason === undefined ? {} : { reason });
  }

  rate(id: string, stars: number): Promise<unknown> {
    return this.send('POST', `${this.urls.trip}/v1/trips/${id}/rating`, { stars });
  }

  /**
   * The trip of this member that is still going on: what to pick up again after a restart. Not always the newest one: a
   * driver gets an older request when other drivers have kept it for a while.
   */
  async tripUnderWay(): Promise<Trip | undefined> {
    const { items } = await this.trips('?limit=20');
    return items.find((trip) => !OVER.includes(trip.status));
  }

  followTrip(id: string, signal: AbortSignal, hooks: StreamHooks = {}): AsyncGenerator<StreamEvent> {
    return this.follow(`${this.urls.trip}/v1/trips/${id}/events`, signal, hooks);
  }

  protected follow(url: string, signal: AbortSignal, hooks: StreamHooks): AsyncGenerator<StreamEvent> {
    const onLost = (error: unknown) => {
      if (error instanceof ApiError && error.status === 401) this.session.forget();
      hooks.onLost?.(error);
    };
    return followEvents(url, () => this.session.token(), { ...hooks, signal, onLost });
  }

  /** With a fresh token; a token that is refused (a key was replaced, a session revoked) is forgotten, and a new one tried once. */
  protected async send<T>(method: string, url: string, body?: unknown, headers?: Record<string, string>): Promise<T> {
    const once = async () => {
      const token = await this.session.token();
      return (await call<T>(method, url, { ...this.options, token, body, headers: headers ?? {} })).body;
    };
    try {
      return await once();
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 401) throw error;
      this.session.forget();
      return await once();
    }
  }
}

const keyed = (key?: string): Record<string, string> => (key === undefined ? {} : { 'idempotency-key': key });

interface StreamHooks {
  onOpen?: () => void;
  onLost?: (error: unknown) => void;
}

export class PassengerApi extends Member {
  constructor(urls: ServiceUrls, credentials: Credentials, options: CallOptions = {}) {
    super(urls, new Session(urls.passenger, credentials, options), options);
  }

  async register(profile: Profile, idempotencyKey?: string): Promise<Account> {
    const url = `${this.urls.passenger}/v1/passengers`;
    return (await call<Account>('POST', url, { ...this.options, headers: keyed(idempotencyKey), body: profile })).body;
  }

  quote(pickup: GeoPoint, dropoff: GeoPoint): Promise<Quote> {
    return this.send('POST', `${this.urls.trip}/v1/quotes`, { pickup, dropoff });
  }

  /** The same key makes a second call with it the first one's answer, so that a lost answer costs no second trip. */
  requestTrip(quoteId: string, idempotencyKey: string): Promise<Trip> {
    return this.send('POST', `${this.urls.trip}/v1/trips`, { quoteId }, keyed(idempotencyKey));
  }
}

export class DriverApi extends Member {
  constructor(urls: ServiceUrls, credentials: Credentials, options: CallOptions = {}) {
    super(urls, new Session(urls.driver, credentials, options), options);
  }

  async register(profile: DriverProfile, idempotencyKey?: string): Promise<Account> {
    const url = `${this.urls.driver}/v1/drivers`;
    return (await call<Account>('POST', url, { ...this.options, headers: keyed(idempotencyKey), body: profile })).body;
  }

  goOnline(): Promise<unknown> {
    return this.send('PUT', `${this.urls.driver}/v1/drivers/me/availability`, { status: 'online' });
  }

  goOffline(): Promise<unknown> {
    return this.send('PUT', `${this.urls.driver}/v1/drivers/me/availability`, { status: 'offline' });
  }

  report(points: Position[]): Promise<unknown> {
    return this.send('POST', `${this.urls.driver}/v1/drivers/me/positions`, { points });
  }

  /** Undefined when no offer is open. */
  offer(): Promise<Offer | undefined> {
    return this.send('GET', `${this.urls.driver}/v1/drivers/me/offer`);
  }

  accept(offerId: string): Promise<{ offerId: string; tripId: string; status: string }> {
    return this.send('POST', `${this.urls.driver}/v1/offers/${offerId}/accept`);
  }

  decline(offerId: string): Promise<{ offerId: string; tripId: string; status: string }> {
    return this.send('POST', `${this.urls.driver}/v1/offers/${offerId}/decline`);
  }

  arrive(tripId: string): Promise<Trip> {
    return this.send('POST', `${this.urls.trip}/v1/trips/${tripId}/arrive`);
  }

  start(tripId: string): Promise<Trip> {
    return this.send('POST', `${this.urls.trip}/v1/trips/${tripId}/start`);
  }

  complete(tripId: string): Promise<Trip> {
    return this.send('POST', `${this.urls.trip}/v1/trips/${tripId}/complete`);
  }

  followOffers(signal: AbortSignal, hooks: StreamHooks = {}): AsyncGenerator<StreamEvent> {
    return this.follow(`${this.urls.driver}/v1/drivers/me/events`, signal, hooks);
  }
}
