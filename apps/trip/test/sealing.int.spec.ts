import { Database, startService } from '@cabstand/service-defaults';
import { createTestBroker, createTestDatabase, createTestIssuer } from '@cabstand/testing';
import { randomBytes, randomUUIDv7 } from 'node:crypto';
import pg from 'pg';
import { DataSource } from 'typeorm';
import { AppModule, databaseOptions } from '../src/app.module.ts';
import { Config } from '../src/config.ts';
import { Driver } from '../src/people/driver.entity.ts';
import { Passenger } from '../src/people/passenger.entity.ts';
import { Rating } from '../src/trip/rating.entity.ts';
import { VEHICLE } from './harness.ts';

it('a database from before is sealed by the migration, and read as it was', async () => {
  const [database, broker, issuer] = await Promise.all([
    createTestDatabase('trip'),
    createTestBroker(),
    createTestIssuer(),
  ]);
  const config = Config.parse({
    PORT: '0',
    MANAGEMENT_PORT: '0',
    LOG_LEVEL: 'silent',
    DATABASE_URL: database.url,
    AMQP_URL: broker.urlFor('trip'),
    TRUSTED_ISSUERS: JSON.stringify([issuer.trustedIssuer('passenger')]),
    KEY_ENCRYPTION_KEY: randomBytes(32).toString('base64'),
  });
  const now = databaseOptions(config);
  const isSealing = ({ name }: { name: string }) => name.startsWith('Seal');
  const before = new Database({ ...now, migrations: now.migrations.filter((migration) => !isSealing(migration)) });
  await before.migrate();
  await before.close();
  const pool = new pg.Pool({ connectionString: database.url, max: 1 });
  const [passengerId, driverId, nobodyId, tripId] = [randomUUIDv7(), randomUUIDv7(), randomUUIDv7(), randomUUIDv7()];
  await pool.query(`INSERT INTO passengers (id, first_name) VALUES ($1, 'Ada'), ($2, NULL)`, [passengerId, nobodyId]);
  await pool.query(`INSERT INTO drivers (id, first_name, vehicle) VALUES ($1, 'Grace', $2)`, [driverId, VEHICLE]);
  const rating = 'INSERT INTO ratings VALUES ($1, $2, $3, $4, $5, 5, $6, now())';
  await pool.query(rating, [tripId, 'passenger', passengerId, 'driver', driverId, 'sang all the way']);
  await pool.query(rating, [tripId, 'driver', driverId, 'passenger', passengerId, null]);

  const after = new Database(now);
  expect(await after.migrate()).toContain('SealPeople1770000000000');
  await after.close();
  const dump = await pool.query<Record<string, Buffer>>(
    `SELECT p.first_name AS passenger, d.first_name AS driver, d.vehicle, r.comment
       FROM passengers p, drivers d, ratings r WHERE p.id = r.rater_id AND comment IS NOT NULL`,
  );
  expect(dump.rows).toHaveLength(1);
  for (const sealed of Object.values(dump.rows[0]!))
    expect(sealed.toString('latin1')).not.toMatch(/Ada|Grace|plate|sang/);

  const service = await startService(AppModule.forRoot, config, { service: 'trip', title: 'Trips' });
  const { manager } = service.app.get(DataSource);
  expect(await manager.findOneBy(Passenger, { id: passengerId })).toMatchObject({ firstName: 'Ada' });
  expect(await manager.findOneBy(Passenger, { id: nobodyId })).toMatchObject({ firstName: null, dataKey: null });
  expect(await manager.findOneBy(Driver, { id: driverId })).toMatchObject({ firstName: 'Grace', vehicle: VEHICLE });
  const ratings = await manager.find(Rating, { where: { tripId }, order: { raterRole: 'ASC' } });
  expect(ratings.map(({ comment }) => comment)).toEqual([null, 'sang all the way']);
  await service.stop();
  await pool.end();
  await Promise.all([database.drop(), broker.drop()]);
  issuer.drop();
});
