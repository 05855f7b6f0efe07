import 'reflect-metadata';
import { randomBytes, randomUUIDv7 } from 'node:crypto';
import type { GeoPoint } from '@cabstand/contracts';
import { Database, dataSourceOptions, type Jobs } from '@cabstand/service-defaults';
import { DataSource, type EntityManager } from 'typeorm';
import { databaseOptions } from '../../../apps/driver/src/app.module.ts';
import { Config } from '../../../apps/driver/src/config.ts';
import { DispatchSettings } from '../../../apps/driver/src/dispatch/dispatch-settings.ts';
import type { DriversFreed } from '../../../apps/driver/src/dispatch/drivers-freed.ts';
import { KnownPositions } from '../../../apps/driver/src/dispatch/known-positions.ts';
import { Matching } from '../../../apps/driver/src/dispatch/matching.ts';
import { randomOf } from '../../harness/stats.ts';
import { serve, type Commands } from '../../harness/worker.ts';
import { City, somewhere } from '../city.ts';
import { Places } from '../places.ts';

export interface MatchingSettings {
  databaseUrl: string;
  drivers: number;
  seed: number;
}

/** Who is nearest, and who gets the trip: the driver service's own way and PostGIS, over the same drivers on one server. */
serve(async ({ databaseUrl, drivers, seed }: MatchingSettings): Promise<Commands> => {
  const random = randomOf(seed);
  const config = configOf(databaseUrl);
  const schema = new Database(databaseOptions(config));
  await schema.migrate();
  await schema.close();
  const dataSource = await new DataSource(dataSourceOptions(databaseOptions(config))).initialize();
  const city = new City(
    Array.from({ length: drivers }, () => randomUUIDv7()),
    random,
  );
  await goOnline(dataSource, city);
  const places = await Places.of(dataSource, city.drivers, random);

  const settings = new DispatchSettings(config);
  // No trip waits for these drivers, and no other replica tells where they are.
  const known = new KnownPositions(dataSource, settings, { announce: () => undefined } as DriversFreed, {} as Jobs);
  for (const { id, at } of city.drivers) known.heard(id, at, new Date());
  const matching = new Matching(settings, known);
  type Reserve = (tx: EntityManager, tripId: string, pickup: GeoPoint) => Promise<unknown>;
  const ways: Record<'index' | 'postgis', Reserve> = {
    index: (tx, tripId, pickup) => matching.reserve(tx, { tripId, pickup }),
    postgis: (tx, tripId, pickup) => places.reserve(tx, tripId, pickup),
  };

  return {
    searchesPerS: (durationMs: number) => city.searchesPerS(durationMs),
    postgisSearchesPerS: (durationMs: number) => places.searchesPerS(durationMs),
    /** Milliseconds of a search with its reservation, which is then undone: committing takes as long for both. */
    reservations: async ({ way, count }: { way: keyof typeof ways; count: number }) => {
      const times: number[] = [];
      const runner = dataSource.createQueryRunner();
      for (let i = 0; i < count; i++) {
        await runner.startTransaction();
        const [tripId, pickup] = [randomUUIDv7(), somewhere(random)];
        const startedAt = performance.now();
        if (!(await ways[way](runner.manager, tripId, pickup))) throw new Error('nobody was reserved, among thousands');
        times.push(performance.now() - startedAt);
        await runner.rollbackTransaction();
      }
      await runner.release();
      return times;
    },
  };
});

const configOf = (databaseUrl: string) =>
  Config.parse({
    DATABASE_URL: databaseUrl,
    AMQP_URL: 'amqp://127.0.0.1',
    PUBLIC_URL: 'https://driver.test',
    TRUSTED_ISSUERS: '[]',
    KEY_ENCRYPTION_KEY: randomBytes(32).toString('base64'),
    BLIND_INDEX_KEY: randomBytes(32).toString('base64'),
    REFRESH_TOKEN_KEY: randomBytes(32).toString('base64'),
    DISPATCH_POSITION_MAX_AGE: '1h',
  });

/** Everybody, and free. */
async function goOnline(dataSource: DataSource, { drivers }: City): Promise<void> {
  await dataSource.transaction(async (tx) => {
    // Without accounts, which nothing here reads.
    await tx.query('SET LOCAL session_replication_role = replica');
    await tx.query(
      `INSERT INTO availability (driver_id, driver_issuer, status, stream_sequence)
       SELECT id, 'https://driver.test', 'online', 0 FROM unnest($1::uuid[]) AS id`,
      [drivers.map(({ id }) => id)],
    );
  });
}
