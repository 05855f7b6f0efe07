import type { ServiceName } from '@cabstand/contracts';
import { driverProfile, profile } from '../people.ts';
import type { Platform } from '../platform.ts';
import { send, sendJson } from '../requests.ts';
import type { AccountRole, Cast } from './cast.ts';
import { WAY, type Seeds } from './seeds.ts';

/** The stage that a call is made on. */
export interface Scene {
  platform: Platform;
  cast: Cast;
  seeds: Seeds;
  /** Of the row. */
  state: string;
}

export interface Call {
  /** In whose name `expired`, `forged` and `foreign` come; it is that of the cast's first passenger or driver. */
  role: AccountRole | 'operator';
  /** What it takes to make the call once: the values of the path, and the body. Made anew after each success. */
  prepare?: (scene: Scene) => Promise<Prepared> | Prepared;
  /** Succeeding ends the caller's account or session: the row gets people of its own. */
  isLast?: true;
}
interface Prepared {
  path?: Record<string, string>;
  body?: unknown;
}

const issuers = ({ urls }: Platform) => ({ passenger: urls.passenger, driver: urls.driver });

const trip = async ({ seeds, state, cast, platform }: Scene) => ({
  path: { id: await seeds.trip(state, cast, issuers(platform)) },
});
const offer = async ({ seeds, state, cast, platform }: Scene) => ({
  path: { offerId: await seeds.offer(state, cast, platform.urls.driver) },
});

async function quote({ platform, cast, seeds }: Scene): Promise<Prepared> {
  // Whoever has an active trip may have no second.
  await seeds.trip('completed', cast, issuers(platform));
  const { quoteId } = await cast.passenger.api.quote(WAY.pickup, WAY.dropoff);
  return { body: { quoteId } };
}

const account = (role: AccountRole): Record<string, Call> => ({
  [`POST /v1/${role}s`]: { role, prepare: () => ({ body: role === 'passenger' ? profile() : driverProfile() }) },
  'POST /v1/sessions': {
    role,
    prepare: ({ cast }) => ({ body: { email: cast[role].profile.email, password: cast[role].profile.password } }),
  },
  'POST /v1/sessions/refresh': {
    role,
    prepare: async ({ cast, platform }) => {
      const { email, password } = cast[role].profile;
      const signedIn = await sendJson(
        'POST',
        `${platform.urls[role]}/v1/sessions`,
        JSON.stringify({ email, password }),
      );
      return { body: { refreshToken: signedIn.json?.refreshToken } };
    },
  },
  'DELETE /v1/sessions/current': { role, isLast: true },
  [`GET /v1/${role}s/me`]: { role },
  [`PATCH /v1/${role}s/me`]: { role, prepare: () => ({ body: { phone: '+49307654321' } }) },
  [`DELETE /v1/${role}s/me`]: { role, isLast: true },
  [`GET /v1/${role}s/me/export`]: { role },
  [`PUT /v1/${role}s/me/password`]: {
    role,
    isLast: true,
    prepare: ({ cast }) => ({
      body: { currentPassword: cast[role].profile.password, newPassword: 'another long enough password' },
    }),
  },
  [`POST /v1/${role}s/{id}/suspend`]: {
    role: 'operator',
    isLast: true,
    prepare: ({ cast }) => ({ path: { id: cast[role].id } }),
  },
  [`POST /v1/${role}s/{id}/reinstate`]: {
    role: 'operator',
    prepare: ({ cast }) => ({ path: { id: cast[role].id } }),
  },
  'GET /.well-known/jwks.json': { role },
  'GET /v1/ops/signing-keys': { role: 'operator' },
  'POST /v1/ops/signing-keys/rotate': { role: 'operator' },
});

const ops = (service: ServiceName): Record<string, Call> => {
  const letter = async ({ seeds }: Scene) => ({ path: { id: await seeds.deadLetter(service) } });
  return {
    'GET /v1/ops/status': { role: 'operator' },
    'GET /v1/ops/security-events': { role: 'operator' },
    'GET /v1/ops/outbox': { role: 'operator' },
    'GET /v1/ops/dead-letters': { role: 'operator' },
    'GET /v1/ops/dead-letters/{id}': { role: 'operator', prepare: letter },
    'POST /v1/ops/dead-letters/{id}/replay': { role: 'operator', prepare: letter },
    'POST /v1/ops/dead-letters/replay': { role: 'operator', prepare: () => ({ body: { queue: 'none.at-all' } }) },
    'DELETE /v1/ops/dead-letters/{id}': {
      role: 'operator',
      prepare: async (scene) => ({ ...(await letter(scene)), body: { reason: 'a test' } }),
    },
    'PUT /v1/ops/faults/consumers/{queue}': {
      role: 'operator',
      prepare: () => ({
        path: { queue: `${service}.${service === 'trip' ? 'driver' : 'trip'}-events` },
        body: { state: 'running' },
      }),
    },
    'PUT /v1/ops/faults/relay': { role: 'operator', prepare: () => ({ body: { state: 'running' } }) },
  };
};

/** How to make each call of the platform, by service and as docs/entitlement.md names it. */
export const CALLS: Record<ServiceName, Record<string, Call>> = {
  passenger: { ...account('passenger'), ...ops('passenger') },
  driver: {
    ...account('driver'),
    ...ops('driver'),
    'PUT /v1/drivers/me/availability': { role: 'driver', prepare: () => ({ body: { status: 'offline' } }) },
    'POST /v1/drivers/me/positions': {
      role: 'driver',
      prepare: () => ({ body: { points: [{ ...WAY.pickup, at: new Date().toISOString() }] } }),
    },
    'GET /v1/drivers/me/offer': { role: 'driver', prepare: offer },
    'GET /v1/drivers/me/events': { role: 'driver' },
    'GET /v1/drivers/positions': { role: 'operator' },
    'POST /v1/offers/{offerId}/accept': { role: 'driver', prepare: offer },
    'POST /v1/offers/{offerId}/decline': { role: 'driver', prepare: offer },
  },
  trip: {
    ...ops('trip'),
    'GET /v1/ops/trip-figures': { role: 'operator' },
    'POST /v1/quotes': { role: 'passenger', prepare: () => ({ body: WAY }) },
    'POST /v1/trips': { role: 'passenger', prepare: quote },
    'GET /v1/trips': { role: 'passenger' },
    'GET /v1/trips/{id}': { role: 'passenger', prepare: trip },
    'GET /v1/trips/{id}/events': { role: 'passenger', prepare: trip },
    'POST /v1/trips/{id}/cancel': { role: 'passenger', prepare: trip },
    'POST /v1/trips/{id}/arrive': { role: 'driver', prepare: trip },
    'POST /v1/trips/{id}/start': { role: 'driver', prepare: trip },
    'POST /v1/trips/{id}/complete': { role: 'driver', prepare: trip },
    'POST /v1/trips/{id}/rating': {
      role: 'passenger',
      prepare: async (scene) => ({ ...(await trip(scene)), body: { stars: 5 } }),
    },
  },
};

/** The status that the call is answered with; of a stream, that it opens with. */
export async function statusOf(
  base: string,
  name: string,
  { path = {}, body }: Prepared,
  token: string | undefined,
): Promise<number> {
  const [method = '', template = ''] = name.split(' ');
  const url = base + template.replaceAll(/\{(\w+)\}/g, (_, key: string) => path[key] ?? 'missing');
  if (!/\/(events|positions)$/.test(template) || method !== 'GET')
    return (await sendJson(method, url, body === undefined ? undefined : JSON.stringify(body), token)).status;
  const leaving = new AbortController();
  const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const { status } = await fetch(url, { headers, signal: leaving.signal });
  leaving.abort();
  return status;
}

export const read = (url: string, token: string, headers: Record<string, string> = {}) =>
  send(url, { headers: { ...headers, authorization: `Bearer ${token}` } });
