import { Passwords } from '@cabstand/auth';
import { Database, startService } from '@cabstand/service-defaults';
import { createTestBroker, createTestDatabase, createTestIssuer } from '@cabstand/testing';
import { randomBytes, randomUUIDv7 } from 'node:crypto';
import pg from 'pg';
import { AppModule, databaseOptions } from '../src/app.module.ts';
import { Config } from '../src/config.ts';
import { PASSWORD } from './harness.ts';

it('people from before the sealing sign in as they did, and nobody else takes their address', async () => {
  const [database, broker, issuer] = await Promise.all([
    createTestDatabase('passenger'),
    createTestBroker(),
    createTestIssuer(),
  ]);
  const config = Config.parse({
    PORT: '0',
    MANAGEMENT_PORT: '0',
    LOG_LEVEL: 'silent',
    DATABASE_URL: database.url,
    AMQP_URL: broker.urlFor('passenger'),
    PUBLIC_URL: 'https://passenger.test',
    TRUSTED_ISSUERS: '[]',
    KEY_ENCRYPTION_KEY: randomBytes(32).toString('base64'),
    BLIND_INDEX_KEY: randomBytes(32).toString('base64'),
    REFRESH_TOKEN_KEY: randomBytes(32).toString('base64'),
  });
  const now = databaseOptions(config);
  const isSealing = ({ name }: { name: string }) => name.startsWith('Seal');
  const before = new Database({ ...now, migrations: now.migrations.filter((migration) => !isSealing(migration)) });
  await before.migrate();
  await before.close();
  const pool = new pg.Pool({ connectionString: database.url, max: 1 });
  await pool.query(
    `INSERT INTO passengers (id, issuer, email, password_hash, name, phone, sequence, created_at)
     VALUES ($1, $2, 'ada@example.com', $3, 'Ada Lovelace', '+49 151 2345678', 1, now())`,
    [randomUUIDv7(), config.PUBLIC_URL, await new Passwords().hash(PASSWORD, '')],
  );
  const after = new Database(now);
  await after.migrate();
  await after.close();
  const { rows } = await pool.query<{ text: string }>(
    `SELECT encode(email || name || phone, 'escape') AS text FROM passengers`,
  );
  expect(rows[0]!.text).not.toMatch(/ada|Ada|2345678/);

  const service = await startService(AppModule.forRoot, config, { service: 'passenger', title: 'Passengers' });
  const post = (path: string, body: object) =>
    fetch(service.url + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  const signedIn = await post('/v1/sessions', { email: 'Ada@example.com', password: PASSWORD });
  expect(signedIn.status).toBe(201);
  const { accessToken } = (await signedIn.json()) as { accessToken: string };
  const me = await fetch(`${service.url}/v1/passengers/me`, { headers: { authorization: `Bearer ${accessToken}` } });
  expect(await me.json()).toMatchObject({ email: 'ada@example.com', name: 'Ada Lovelace', phone: '+49 151 2345678' });
  const again = { email: 'ada@example.com', password: `${PASSWORD} again`, name: 'Eve', phone: '+49 151 2345678' };
  expect((await post('/v1/passengers', again)).status).toBe(409);
  await service.stop();
  await pool.end();
  await Promise.all([database.drop(), broker.drop()]);
  issuer.drop();
});
