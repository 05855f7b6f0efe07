import { createTestDatabase, type TestDatabase } from '@cabstand/testing';
import type { DataSource } from 'typeorm';
import { KeyRing } from '../src/key-ring.ts';
import { SigningKeys } from '../src/signing-keys.ts';
import type { SessionOptions } from '../src/index.ts';
import { Accounts, keys, openDatabase } from './service.ts';

let database: TestDatabase;
let dataSource: DataSource;

beforeAll(async () => {
  database = await createTestDatabase('auth');
  dataSource = await openDatabase(database.url);
});
afterAll(async () => {
  await dataSource.destroy();
  await database.drop();
});

const ring = (...sealing: Buffer[]) =>
  KeyRing.from(JSON.stringify(Object.fromEntries(sealing.map((key, i) => [i + 1, key.toString('base64')]))));

const replica = (keyEncryptionKeys = keys.keyEncryptionKeys, changes: Partial<SessionOptions> = {}) =>
  new SigningKeys(dataSource, {
    issuer: 'https://a.test',
    role: 'passenger',
    audience: [],
    accessTokenTtlMs: 0,
    refreshTokenTtlMs: 0,
    accounts: Accounts,
    ...keys,
    keyEncryptionKeys,
    ...changes,
  });

it('replicas that start together make one key, and keep it encrypted', async () => {
  const pairs = await Promise.all(Array.from({ length: 8 }, () => replica().current()));
  expect(new Set(pairs.map(({ kid }) => kid)).size).toBe(1);
  const rows = await dataSource.query<{ box: Buffer }[]>('SELECT sealed_private_key AS box FROM signing_keys');
  expect(rows).toHaveLength(1);
  const secret = Buffer.from(pairs[0]!.privateKey.export({ format: 'jwk' }).d!, 'base64url');
  expect(rows[0]!.box.includes(secret)).toBe(false);
});

it('a replica with another encryption key says so instead of making a key of its own', async () => {
  await replica().current();
  await expect(replica(ring(Buffer.alloc(32))).current()).rejects.toThrow('KEY_ENCRYPTION_KEY');
  expect(await dataSource.query('SELECT FROM signing_keys')).toHaveLength(1);
});

it('a database that is away stops no start: the key is there when the database is', async () => {
  const keysOfReplica = replica();
  await database.stop();
  await expect(keysOfReplica.current()).rejects.toThrow();
  await expect(keysOfReplica.onApplicationBootstrap()).resolves.toBeUndefined();
  await database.start();
  expect((await keysOfReplica.current()).kid).toBe((await replica().current()).kid);
  await expect(replica(ring(Buffer.alloc(32))).onApplicationBootstrap()).rejects.toThrow('KEY_ENCRYPTION_KEY');
});

describe('a rotation', () => {
  const RS256 = { algorithm: 'RS256' } as const;
  const rotate = (keysOfReplica: SigningKeys) => dataSource.transaction((tx) => keysOfReplica.rotate(tx));
  /** As if so much time had passed. */
  const pass = (interval: string) =>
    dataSource.query(`UPDATE signing_keys SET signs_from = signs_from - interval '${interval}'`);
  const kids = async () => (await replica().jwks()).keys.map(({ kid }) => kid);

  beforeEach(() => dataSource.query('DELETE FROM signing_keys'));

  it('publishes the new key two minutes before every replica signs with it', async () => {
    const [one, other] = [replica(), replica()];
    const { kid: old } = await one.current();
    const { kid: next } = await rotate(one);
    expect(await kids()).toEqual([next, old]);
    await pass('119 seconds');
    expect([(await one.current()).kid, (await other.current()).kid]).toEqual([old, old]);
    await pass('2 seconds');
    expect([(await one.current()).kid, (await other.current()).kid]).toEqual([next, next]);
  });

  it('is one, however many ask for it', async () => {
    const { kid: old } = await replica().current();
    const asked = await Promise.all(Array.from({ length: 8 }, () => rotate(replica())));
    expect(new Set(asked.map(({ kid }) => kid)).size).toBe(1);
    expect(await kids()).toEqual([asked[0]!.kid, old]);
  });

  it('takes the old key away once its last token has expired, and its private half with it', async () => {
    const one = replica(undefined, { accessTokenTtlMs: 300_000 });
    const { kid: old } = await one.current();
    const { kid: next } = await rotate(one);
    await one.retire();
    await pass('120 seconds');
    await pass('355 seconds');
    await one.retire();
    expect(await kids()).toEqual([next, old]);
    await pass('6 seconds');
    await one.retire();
    expect(await dataSource.query('SELECT kid FROM signing_keys')).toEqual([{ kid: next }]);
  });

  it('is also how a key that got out is replaced at once: without it the next token is signed with another', async () => {
    const one = replica();
    const { kid: stolen } = await one.current();
    await dataSource.query('DELETE FROM signing_keys WHERE kid = $1', [stolen]);
    expect((await one.current()).kid).not.toBe(stolen);
    expect(await kids()).not.toContain(stolen);
  });

  it('keeps to the algorithm that the service is told', async () => {
    await replica().current();
    const rsa = replica(undefined, RS256);
    const { alg, kid, privateKey } = await rsa.current();
    expect([alg, privateKey.asymmetricKeyType]).toEqual(['RS256', 'rsa']);
    await rotate(rsa);
    await pass('1 hour');
    const next = await rsa.current();
    expect(next.kid).not.toBe(kid);
    expect(next.privateKey.asymmetricKeyType).toBe('rsa');
  });
});
