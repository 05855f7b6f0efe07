import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { SERVICES } from '@cabstand/contracts';
import { eventually } from '@cabstand/testing';
import type { AttackClass, Verdict } from '../attack.ts';
import { inParallel } from '../in-parallel.ts';
import { get, placesOf, put, type Operation } from '../openapi.ts';
import { send } from '../wire.ts';
import type { World } from '../world.ts';

/** What would be worth having, if a field of a row could be set that the call has no business with. */
const EXTRA: Record<string, unknown> = {
  id: '00000000-0000-7000-8000-000000000000',
  role: 'operator',
  roles: ['operator'],
  isAdmin: true,
  issuer: 'https://evil.example',
  sub: '00000000-0000-7000-8000-000000000000',
  status: 'completed',
  passengerId: '00000000-0000-7000-8000-000000000000',
  driverId: '00000000-0000-7000-8000-000000000000',
  driver_id: '00000000-0000-7000-8000-000000000000',
  fareMinor: 1,
  currency: 'XXX',
  distanceM: 0,
  suspended: false,
  suspendedAt: null,
  passwordHash: '$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA',
  sequence: 1_000_000,
  starsTotal: 5_000,
  ratingsCount: 1_000,
  rating: 5,
  createdAt: '2000-01-01T00:00:00.000Z',
  deletedAt: '2000-01-01T00:00:00.000Z',
  constructor: 'Operator',
  prototype: { role: 'operator' },
};
const FEW = ['id', 'role', 'status', 'driverId', 'fareMinor', 'suspended', 'passwordHash', 'constructor', 'prototype'];
/** A literal can't hold this key, and JSON can. */
const PROTO = '"__proto__":{"role":"operator","isAdmin":true}';

/** Counters of limits and what is kept for others to read are written by refused calls too. */
const NOT_THE_CALLERS = /limit|inbox|issuer|security|lockout|login|attempt|audit|migrations|relay/;

interface Call {
  operation: Operation;
  body: unknown;
  url: string;
}

export const massAssignment: AttackClass = {
  name: 'mass assignment',
  about: 'fields that a call does not take, at every level of every body: 400, and no row changed',
  async run(world, { quick }) {
    const verdicts: Verdict[] = [];
    const calls: Call[] = [];
    for (const operation of world.operations.filter(({ method }) => method !== 'GET')) {
      const call = await world.goodCall(operation);
      // Without a field too many it isn't refused for its shape: what follows is refused for that field alone.
      if (operation.body) {
        const { status, text } = await world.call(operation, call.url, call.body);
        const broken = [400, 401, 403].includes(status) && !/CREDENTIALS|REFRESH_TOKEN/.test(text);
        verdicts.push({
          attack: `${operation.name} as it should be`,
          broken: broken ? `${status} ${text}` : undefined,
        });
      }
      calls.push({ operation, ...call });
    }
    // Changing the password has ended the sessions.
    await world.signIn();
    const before = await settledFingerprints(world);
    const keys = quick ? FEW : Object.keys(EXTRA);
    for (const call of calls) verdicts.push(...(await attack(world, call, keys)));
    const after = await settledFingerprints(world);
    const changed = Object.keys(after).filter((table) => after[table] !== before[table]);
    verdicts.push({
      attack: 'rows afterwards',
      broken: changed.length > 0 ? `${changed.join(', ')} changed` : undefined,
    });
    return verdicts;
  },
};

async function attack(world: World, { operation, body: good, url }: Call, keys: readonly string[]): Promise<Verdict[]> {
  const token = await world.tokenFor(operation);
  const places = operation.body ? placesOf(operation.body).filter(({ schema }) => schema.type === 'object') : [];
  const attempts = (places.length > 0 ? places : [{ path: [], schema: {} }]).flatMap(({ path, schema }) => {
    const at = get(good ?? {}, path) as object;
    const bodyWith = (key: string, value: unknown) => JSON.stringify(put(good ?? {}, path, { ...at, [key]: value }));
    const additions = keys.filter((key) => !(key in (schema.properties ?? {})));
    return [
      ...additions.map((key) => ({ key: [...path, key], body: bodyWith(key, EXTRA[key]) })),
      { key: [...path, '__proto__'], body: bodyWith('PROTO', 0).replace('"PROTO":0', PROTO) },
    ];
  });
  return inParallel(attempts, 4, async ({ key, body }) => {
    const { status, text } = await send({ method: operation.method, url, token, body });
    const broken = status === 400 ? undefined : `answered ${status} ${text.slice(0, 200)}`;
    return { attack: `${operation.name} with ${key.join('.')}`, broken };
  });
}

/** The same, once what was written has gone everywhere. */
async function settledFingerprints(world: World): Promise<Record<string, string>> {
  let last: Record<string, string> = {};
  return eventually(
    async () => {
      const found = await fingerprints(world);
      const isSettled = isDeepStrictEqual(found, last);
      last = found;
      if (!isSettled) throw new Error('something is still being written');
      return found;
    },
    { timeoutMs: 30_000 },
  );
}

/** What stands in each table, so that a change anywhere is noticed without knowing what the tables mean. */
async function fingerprints(world: World): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const service of SERVICES) {
    const tables = await world.rows<{ name: string }>(
      service,
      `SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public' ORDER BY 1`,
    );
    for (const { name } of tables.filter((table) => !NOT_THE_CALLERS.test(table.name))) {
      const rows = await world.rows<{ row: string }>(service, `SELECT t::text AS row FROM ${name} t ORDER BY 1`);
      found[`${service}.${name}`] = createHash('sha256').update(JSON.stringify(rows)).digest('hex');
    }
  }
  return found;
}
