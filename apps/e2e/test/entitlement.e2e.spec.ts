import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SERVICES, type ServiceName } from '@cabstand/contracts';
import { eventually, type TestIssuer } from '@cabstand/testing';
import { ROOT } from '../../../infra/paths.ts';
import type { Page, Trip } from '../../../tools/client/api.ts';
import { CALLS, read, statusOf, type Scene } from '../src/entitlement/calls.ts';
import {
  assemble,
  foreignIssuer,
  issuersOf,
  PRINCIPALS,
  recast,
  tokenOf,
  type Cast,
  type PrincipalKind,
} from '../src/entitlement/cast.ts';
import { Seeds, WAY } from '../src/entitlement/seeds.ts';
import { tablesOf, type Row } from '../src/entitlement/tables.ts';
import { documentOf, operationsOf } from '../src/openapi.ts';
import { Platform } from '../src/platform.ts';
import { StreamReader } from '../src/stream-reader.ts';

const TABLES = tablesOf(readFileSync(join(ROOT, 'docs', 'entitlement.md'), 'utf8'));
const tableOf = (heading: string) => {
  const found = TABLES.find((table) => table.heading === heading);
  if (!found) throw new Error(`docs/entitlement.md has no table under "${heading}"`);
  return found;
};
/** One row for each of the states that it names; `–` is none in particular. */
const each = (rows: Row[], column: string): [state: string, row: Row][] =>
  rows.flatMap((row) => row[column]!.split(', ').map((state): [string, Row] => [state, row]));

let platform: Platform;
let foreign: TestIssuer;
let issuers: Awaited<ReturnType<typeof issuersOf>>;
let cast: Cast;
let seeds: Seeds;

beforeAll(async () => {
  foreign = await foreignIssuer();
  platform = await Platform.start({
    alsoTrusted: [foreign.trustedIssuer('passenger', 'driver')],
    // With it there are more routes than without.
    env: { FAULT_SWITCHES: 'on' },
  });
  [issuers, cast] = await Promise.all([issuersOf(platform, foreign), assemble(platform)]);
  seeds = new Seeds(platform);
});
afterAll(async () => {
  await seeds?.close();
  await platform?.stop();
});

describe.each(SERVICES)('every call of the %s service', (service) => {
  const { columns, rows } = tableOf(`${service} service`);

  it('is in docs/entitlement.md, for every principal, and no other', async () => {
    expect(columns).toEqual(['Call', 'When', ...PRINCIPALS]);
    const operations = operationsOf(await documentOf(platform, service));
    const offered = operations.map(({ method, path }) => `${method} ${path}`).toSorted();
    expect([...new Set(rows.map(({ Call }) => Call))].toSorted()).toEqual(offered);
    expect(Object.keys(CALLS[service]).toSorted()).toEqual(offered);
  });

  it.each(each(rows, 'When').map(([state, row]) => [row.Call!, state, row] as const))(
    '%s (%s)',
    async (name, state, row) => {
      const expected = Object.fromEntries(PRINCIPALS.map((kind) => [kind, Number(row[kind])]));
      expect(await answersTo(service, name, state)).toEqual(expected);
    },
  );
});

/** What each kind of principal is answered. Whatever succeeds may change things, and is prepared anew for the next. */
async function answersTo(service: ServiceName, name: string, state: string): Promise<Record<PrincipalKind, number>> {
  const { role, prepare, isLast } = CALLS[service][name]!;
  const scene: Scene = { platform, seeds, state, cast: isLast ? await recast(platform, cast, service) : cast };
  const answers: Partial<Record<PrincipalKind, number>> = {};
  let prepared = (await prepare?.(scene)) ?? {};
  for (const kind of PRINCIPALS) {
    const token = await tokenOf(kind, role, { cast: scene.cast, platform, issuers });
    const status = await statusOf(platform.urls[service], name, prepared, token);
    answers[kind] = status;
    if (status < 300 && !name.startsWith('GET ')) prepared = (await prepare?.(scene)) ?? {};
  }
  return answers as Record<PrincipalKind, number>;
}

describe('what of a trip is seen', () => {
  const { columns, rows } = tableOf('Fields of a trip');
  const viewers = columns.slice(1);
  const REASON = { 'access-reason': 'an entitlement test' };

  it.each(each(rows, 'Trip'))('when it is %s', async (state, row) => {
    const id = await seeds.trip(state, cast, platform.urls);
    for (const viewer of viewers) {
      const kind = (viewer.split(' ')[0] ?? '') as 'passenger' | 'driver' | 'operator';
      const token = (await tokenOf(kind, 'operator', { cast, platform, issuers }))!;
      const headers: Record<string, string> = viewer.endsWith('reason') ? REASON : {};
      const seen = await everyViewOf(id, token, headers);
      expect({ viewer, seen }).toEqual({ viewer, seen: [row[viewer], row[viewer], row[viewer]] });
    }
  });

  it('is nothing in anybody else’s list', async () => {
    const id = await seeds.trip('accepted', cast, platform.urls);
    for (const kind of ['foreign', 'other passenger', 'other driver', 'former driver'] as const) {
      const token = (await tokenOf(kind, 'passenger', { cast, platform, issuers }))!;
      const { text } = await read(`${platform.urls.trip}/v1/trips?limit=100`, token);
      expect({ kind, text }).toEqual({ kind, text: expect.not.stringContaining(id) });
    }
  });
});

/** In the words of the table: of the single trip, in the list, in the stream. */
async function everyViewOf(id: string, token: string, headers: Record<string, string>): Promise<string[]> {
  const url = `${platform.urls.trip}/v1/trips`;
  const one = await read(`${url}/${id}`, token, headers);
  const list = (await read(`${url}?limit=100`, token, headers)).json as unknown as Page<Trip>;
  const listed = list.items.find((trip) => trip.id === id);
  if (one.status === 404 && !listed) return ['nothing', 'nothing', 'nothing'];
  const stream = await StreamReader.open(`${url}/${id}/events`, token, undefined, headers);
  const [event] = await stream.until<Trip>('trip', 1);
  stream.leave();
  const views = [one.json as unknown as Trip, listed!, event!.data];
  // First names and plates are all that a trip ever says of people.
  const { phone, email } = cast.passenger.profile;
  for (const never of [phone, email, cast.driver.profile.email, cast.driver.profile.licenceNumber, 'Example'])
    expect(JSON.stringify(views)).not.toContain(never);
  return views.map(inWords);
}

function inWords({ pickup, dropoff, passenger, driver }: Trip): string {
  const { firstName, vehicle } = { ...driver };
  const isRough = pickup.lat === 52.52 && pickup.lng === 13.41 && dropoff.lat === 52.51 && dropoff.lng === 13.45;
  const way = isRough ? 'rough way' : 'way';
  if (!isRough) expect({ pickup, dropoff }).toEqual(WAY);
  const nameOf = (what: string, value: string | undefined, whole: string) =>
    value === undefined ? [] : value === whole ? [what] : value === '***' ? [`masked ${what}`] : [`${what}: ${value}`];
  const car = cast.driver.profile.vehicle;
  if (vehicle) expect({ ...vehicle, plate: car.plate }).toEqual(car);
  return [
    way,
    ...nameOf('passenger', passenger?.firstName, 'Ada'),
    ...nameOf('driver', firstName, 'Bruno'),
    ...nameOf('plate', vehicle?.plate, car.plate),
  ].join(', ');
}

it('counts who is refused what is not theirs', async () => {
  await eventually(async () => {
    const metrics = await platform.services.trip[0].metrics();
    expect(metrics).toMatch(/security_events_total\{[^}]*kind="access-denied"[^}]*\} [1-9]/);
  });
});
