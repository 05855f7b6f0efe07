import type { ServiceName } from '@cabstand/contracts';
import { createTestIssuer, eventually, type TestIssuer } from '@cabstand/testing';
import { newDriver, newPassenger, type NewDriver, type NewPassenger } from '../people.ts';
import type { Platform } from '../platform.ts';
import { send, sendJson } from '../requests.ts';

/** The columns of docs/entitlement.md, which says who they are. */
export const PRINCIPALS = [
  'none',
  'expired',
  'forged',
  'foreign',
  'suspended',
  'passenger',
  'other passenger',
  'driver',
  'other driver',
  'former driver',
  'operator',
] as const;
export type PrincipalKind = (typeof PRINCIPALS)[number];
export type AccountRole = 'passenger' | 'driver';

/** Everybody who could come to a door. Each of them is real: registered, signed in, known to the other services. */
export interface Cast {
  passenger: NewPassenger;
  'other passenger': NewPassenger;
  driver: NewDriver;
  'other driver': NewDriver;
  'former driver': NewDriver;
  suspended: { passenger: NewPassenger; driver: NewDriver };
}

/** Trusted for passengers and drivers in every service, beside those that these have accounts with. */
export const foreignIssuer = (): Promise<TestIssuer> => createTestIssuer('https://partner.example');

export async function assemble(platform: Platform): Promise<Cast> {
  const { urls } = platform;
  const [passenger, other, barred] = await Promise.all([1, 2, 3].map(() => newPassenger(urls)));
  const [driver, otherDriver, former, barredDriver] = await Promise.all([1, 2, 3, 4].map(() => newDriver(urls)));
  const suspended = { passenger: barred!, driver: barredDriver! };
  const operator = await platform.operatorToken();
  for (const role of ['passenger', 'driver'] as const) {
    const url = `${urls[role]}/v1/${role}s/${suspended[role].id}/suspend`;
    expect((await sendJson('POST', url, undefined, operator)).status).toBe(200);
  }
  const cast = {
    ...{ passenger: passenger!, 'other passenger': other! },
    ...{ driver: driver!, 'other driver': otherDriver!, 'former driver': former!, suspended },
  };
  // The other services hear of a session's end; until then its token is good there.
  for (const { api } of Object.values(suspended)) {
    const headers = { authorization: `Bearer ${await api.session.token()}` };
    await eventually(async () => expect((await send(`${urls.trip}/v1/trips`, { headers })).status).toBe(401));
  }
  return cast;
}

/** New people in the parts that a call to this service may end. */
export async function recast({ urls }: Platform, cast: Cast, service: ServiceName): Promise<Cast> {
  if (service === 'passenger') {
    const [passenger, other] = await Promise.all([1, 2].map(() => newPassenger(urls)));
    return { ...cast, passenger: passenger!, 'other passenger': other! };
  }
  const [driver, other, former] = await Promise.all([1, 2, 3].map(() => newDriver(urls)));
  return { ...cast, driver: driver!, 'other driver': other!, 'former driver': former! };
}

interface Issuers {
  foreign: TestIssuer;
  /** Calls itself what an issuer of ours is called, and has another key. */
  impostors: Record<ServiceName | 'operator', TestIssuer>;
}

export async function issuersOf(platform: Platform, foreign: TestIssuer): Promise<Issuers> {
  const [passenger, driver, operator] = await Promise.all([
    createTestIssuer(platform.urls.passenger),
    createTestIssuer(platform.urls.driver),
    createTestIssuer(platform.operators.issuer),
  ]);
  return { foreign, impostors: { passenger, driver, trip: passenger, operator } };
}

/** The tokens that a kind of principal presents where `role` is whose call it is. */
export async function tokenOf(
  kind: PrincipalKind,
  role: AccountRole | 'operator',
  { cast, platform, issuers }: { cast: Cast; platform: Platform; issuers: Issuers },
): Promise<string | undefined> {
  const subject = role === 'operator' ? crypto.randomUUID() : cast[role].id;
  switch (kind) {
    case 'none':
      return undefined;
    case 'expired': {
      const exp = Math.floor(Date.now() / 1_000) - 1;
      const issuer = role === 'operator' ? platform.operators : issuers.foreign;
      return issuer.token(role, subject, { exp, iat: exp - 300 });
    }
    case 'forged':
      return issuers.impostors[role].token(role, subject);
    case 'foreign':
      return issuers.foreign.token(role, subject);
    case 'suspended':
      return cast.suspended[role === 'driver' ? 'driver' : 'passenger'].api.session.token();
    case 'operator':
      return platform.operatorToken();
    default:
      return cast[kind].api.session.token();
  }
}
