import createClient, { type Middleware } from 'openapi-fetch';
import type { components as DriverComponents, paths as DriverPaths } from './generated/driver.d.ts';
import type { components as PassengerComponents, paths as PassengerPaths } from './generated/passenger.d.ts';
import type { components as TripComponents, paths as TripPaths } from './generated/trip.d.ts';
import { ApiProblem, type Problem } from './problem.ts';
import { noteServerTime } from './server-clock.ts';
import { sessions, type Member } from './session.ts';
import type { SignedIn } from './signed-in.ts';

export type Trip = TripComponents['schemas']['Trip'];
export type Quote = TripComponents['schemas']['Quote'];
export type Point = Trip['pickup'];
export type Passenger = PassengerComponents['schemas']['OwnPassenger'];
export type Driver = DriverComponents['schemas']['Driver'];
export type Offer = DriverComponents['schemas']['Offer'];

const TIMEOUT_MS = 15_000;

/** Whoever has an access token to call with. */
export type TokenSource = Pick<SignedIn, 'token' | 'forget'>;

/** Calls with the session's token; one that is refused (a key was replaced, a session revoked) is renewed and the call made once more. */
function authorized(session: TokenSource): Middleware {
  const retries = new WeakMap<Request, Request>();
  return {
    async onRequest({ request }) {
      request.headers.set('authorization', `Bearer ${await session.token()}`);
      retries.set(request, request.clone());
      return request;
    },
    async onResponse({ request, response }) {
      const again = retries.get(request);
      if (response.status !== 401 || !again) return response;
      session.forget();
      again.headers.set('authorization', `Bearer ${await session.token()}`);
      return send(again);
    },
  };
}

/** Within a time, and with one kind of error whatever went wrong. */
async function send(request: Request): Promise<Response> {
  try {
    const signal = AbortSignal.any([request.signal, AbortSignal.timeout(TIMEOUT_MS)]);
    const response = await fetch(request, { signal });
    noteServerTime(response);
    // Read here: an answer that is cut off is one that never came.
    const body = await response.arrayBuffer();
    return new Response(body.byteLength === 0 ? null : body, response);
  } catch (error) {
    if (request.signal.aborted) throw error;
    throw new ApiProblem(0);
  }
}

function client<Paths extends object>(service: string, session?: TokenSource) {
  const made = createClient<Paths>({ baseUrl: `/api/${service}`, fetch: send });
  if (session) made.use(authorized(session));
  return made;
}

export const tripApi = (session: TokenSource) => client<TripPaths>('trip', session);
export const passengerApi = (session?: TokenSource) => client<PassengerPaths>('passenger', session);
export const driverApi = (session?: TokenSource) => client<DriverPaths>('driver', session);

/** The APIs as the browser's passenger and driver call them. */
export const asPassenger = { accounts: passengerApi(sessions.passenger), trips: tripApi(sessions.passenger) };
export const asDriver = { accounts: driverApi(sessions.driver), trips: tripApi(sessions.driver) };
export const tripsOf = (member: Member) => (member === 'passenger' ? asPassenger.trips : asDriver.trips);

interface Answered<Data> {
  data?: Data;
  error?: unknown;
  response: Response;
}

/** What a call answered. @throws ApiProblem when it was refused */
export async function answerOf<Data>(call: Promise<Answered<Data>>): Promise<Data> {
  const { data, error, response } = await call;
  if (response.ok) return data as Data;
  const problem = typeof error === 'object' && error !== null ? (error as Partial<Problem>) : {};
  throw new ApiProblem(response.status, problem, response.headers.get('retry-after'));
}
