import { randomUUID } from 'node:crypto';
import type { GeoPoint } from '@cabstand/contracts';
import { eventually } from '@cabstand/testing';
import {
  DriverApi,
  PassengerApi,
  type DriverProfile,
  type Offer,
  type Profile,
  type ServiceUrls,
  type Trip,
} from '../../../tools/client/api.ts';
import { ApiError, type CallOptions } from '../../../tools/client/http.ts';
import type { Place } from './places.ts';

export const PASSWORD = 'a long enough password';

export const profile = (overrides: Partial<Profile> = {}): Profile => ({
  email: `${randomUUID()}@example.com`,
  password: PASSWORD,
  name: 'Ada Example',
  phone: '+49301234567',
  ...overrides,
});

export const driverProfile = (overrides: Partial<DriverProfile> = {}): DriverProfile => ({
  ...profile({ name: 'Bruno Example' }),
  licenceNumber: 'B-123456',
  vehicle: { make: 'Cab', model: 'One', colour: 'white', plate: 'B-CS 1' },
  ...overrides,
});

export interface NewPassenger {
  id: string;
  api: PassengerApi;
  profile: Profile;
}
export interface NewDriver {
  id: string;
  api: DriverApi;
  profile: DriverProfile;
}

export async function newPassenger(urls: ServiceUrls, options: CallOptions = {}): Promise<NewPassenger> {
  const own = profile();
  const api = new PassengerApi(urls, { email: own.email, password: own.password }, options);
  const { id } = await api.register(own, randomUUID());
  await api.session.signIn();
  return { id, api, profile: own };
}

/** Online where told, or offline when told nowhere. */
export async function newDriver(urls: ServiceUrls, at?: GeoPoint, options: CallOptions = {}): Promise<NewDriver> {
  const own = driverProfile();
  const api = new DriverApi(urls, { email: own.email, password: own.password }, options);
  const { id } = await api.register(own, randomUUID());
  await api.session.signIn();
  if (at) await goOnlineAt(api, at);
  return { id, api, profile: own };
}

export async function goOnlineAt(api: DriverApi, at: GeoPoint): Promise<void> {
  await api.goOnline();
  await api.report([{ ...at, at: new Date().toISOString() }]);
}

export async function requestTrip(passenger: PassengerApi, { pickup, dropoff }: Place): Promise<Trip> {
  const { quoteId } = await passenger.quote(pickup, dropoff);
  return passenger.requestTrip(quoteId, randomUUID());
}

/** The driver's open offer, for that trip where one is named. */
export function untilOffered(driver: DriverApi, tripId?: string, timeoutMs = 10_000): Promise<Offer> {
  return eventually(
    async () => {
      const offer = await driver.offer();
      if (!offer || (tripId && offer.tripId !== tripId)) throw new Error(`no offer for ${tripId ?? 'any trip'} yet`);
      return offer;
    },
    { timeoutMs },
  );
}

/** The trip as this side sees it, once it reads so. */
export function untilTrip(
  member: PassengerApi | DriverApi,
  tripId: string,
  status: Trip['status'],
  timeoutMs = 10_000,
): Promise<Trip> {
  return eventually(
    async () => {
      const trip = await member.trip(tripId);
      if (trip.status !== status) throw new Error(`trip ${tripId} is ${trip.status}, not ${status}`);
      return trip;
    },
    { timeoutMs },
  );
}

/** From the request to the driver who has the trip. */
export async function acceptedTrip(
  passenger: PassengerApi,
  driver: DriverApi,
  place: Place,
  timeoutMs?: number,
): Promise<Trip> {
  const { id } = await requestTrip(passenger, place);
  const { offerId } = await untilOffered(driver, id, timeoutMs);
  await driver.accept(offerId);
  return untilTrip(driver, id, 'accepted', timeoutMs);
}

/** The rest of the way. */
export async function drive(driver: DriverApi, tripId: string): Promise<Trip> {
  await driver.arrive(tripId);
  await driver.start(tripId);
  return driver.complete(tripId);
}

/** What the call was refused with; a call that succeeds fails the test. */
export async function refusal(call: Promise<unknown>): Promise<{ status: number; code: string }> {
  try {
    await call;
  } catch (error) {
    if (error instanceof ApiError) return { status: error.status, code: error.code };
    throw error;
  }
  throw new Error('the call was not refused');
}
