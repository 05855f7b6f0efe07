import { createTestDatabase, type TestDatabase } from '@cabstand/testing';
import type { DataSource } from 'typeorm';
import { SigningKeys } from '../src/signing-keys.ts';
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

const replica = (keyEncryptionKey = keys.keyEncryptionKey) =>
  new SigningKeys(dataSource, {
    issuer: 'https://a.test',
    role: 'passenger',
    audience: [],
    accessTokenTtlMs: 0,
    refreshTokenTtlMs: 0,
    accounts: Accounts,
    ...keys,
    keyEncryptionKey,
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
  await expect(replica(Buffer.alloc(32)).current()).rejects.toThrow('KEY_ENCRYPTION_KEY');
  expect(await dataSource.query('SELECT FROM signing_keys')).toHaveLength(1);
});

it('a database that is away stops no start: the key is there when the database is', async () => {
  const keysOfReplica = replica();
  await database.stop();
  await expect(keysOfReplica.current()).rejects.toThrow();
  await expect(keysOfReplica.onApplicationBootstrap()).resolves.toBeUndefined();
  await database.start();
  expect((await keysOfReplica.current()).kid).toBe((await replica().current()).kid);
  await expect(replica(Buffer.alloc(32)).onApplicationBootstrap()).rejects.toThrow('KEY_ENCRYPTION_KEY');
});
