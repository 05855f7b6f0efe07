import 'reflect-metadata';
import { randomBytes, randomUUIDv7 } from 'node:crypto';
import type { Principal } from '@cabstand/auth';
import { Database, preparedFind, startService } from '@cabstand/service-defaults';
import { Module } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { AppModule, databaseOptions } from '../../../apps/trip/src/app.module.ts';
import { Config } from '../../../apps/trip/src/config.ts';
import { Driver } from '../../../apps/trip/src/people/driver.entity.ts';
import { Passenger } from '../../../apps/trip/src/people/passenger.entity.ts';
import { shownTo, toView } from '../../../apps/trip/src/trip/trip.dto.ts';
import { Trip } from '../../../apps/trip/src/trip/trip.entity.ts';
import { tripPolicy } from '../../../apps/trip/src/trip/trip.policy.ts';
import { serve, type Commands } from '../../harness/worker.ts';
import type { Settings } from '../../harness/service-runtime.ts';
import { NoopController } from './noop.controller.ts';

const PLACE = { lat: 52.52, lng: 13.405 };
const VEHICLE = { make: 'Skoda', model: 'Octavia', colour: 'cream', plate: 'B TX 204' };

@Module({ controllers: [NoopController] })
class NoopModule {}

@Module({})
class WithNoop {}

/** The trip service as it runs, its log included, and two routes that do nothing. */
serve(async ({ databaseUrl, amqpUrl, trustedIssuers }: Settings): Promise<Commands> => {
  const config = Config.parse({
    PORT: '0',
    MANAGEMENT_PORT: '0',
    DATABASE_URL: databaseUrl,
    AMQP_URL: amqpUrl,
    KEY_ENCRYPTION_KEY: randomBytes(32).toString('base64'),
    TRUSTED_ISSUERS: JSON.stringify(trustedIssuers),
  });
  const schema = new Database(databaseOptions(config));
  await schema.migrate();
  await schema.close();
  const { app, url } = await startService(
    () => ({ module: WithNoop, imports: [AppModule.forRoot(config), NoopModule] }),
    config,
    { service: 'trip', title: 'Trips' },
  );
  const { manager } = app.get(DataSource, { strict: false });
  let trip: Trip;
  let me: Principal;

  return {
    port: () => Number(new URL(url).port),
    /** A trip under way, of people whom events have told of. */
    addTrip: async ({ issuer, passengerId }: { issuer: string; passengerId: string }) => {
      const driverId = randomUUIDv7();
      const at = new Date();
      await manager.save(Passenger, { id: passengerId, firstName: 'Ada', suspended: false, profileSequence: 1 });
      await manager.save(Driver, { id: driverId, firstName: 'Grace', vehicle: VEHICLE, profileSequence: 1 });
      const id = randomUUIDv7();
      await manager.insert(Trip, {
        ...{ id, sequence: 2, status: 'accepted', quoteId: randomUUIDv7(), passengerIssuer: issuer, passengerId },
        ...{ driverIssuer: issuer, driverId, pickup: PLACE, dropoff: PLACE, fareMinor: 1_200, currency: 'EUR' },
        ...{ distanceM: 4_200, durationS: 600, requestedAt: at, acceptedAt: at },
      });
      trip = await manager.findOneOrFail(Trip, { where: { id }, relations: { passenger: true, driver: true } });
      me = { issuer, subject: passengerId, role: 'passenger', sessionId: null, clientId: 'test', expiresAt: at };
      return id;
    },
    /** CPU µs of what a read consists of, in this process, each alone. */
    parts: async () => {
      const view = toView(trip, shownTo(me, trip));
      const find = preparedFind(manager.connection, Trip, ['passenger', 'driver']);
      return {
        policy: await cpuUsOf(50_000, () => tripPolicy.check(me, 'read', trip)),
        view: await cpuUsOf(20_000, () => toView(trip, shownTo(me, trip))),
        serialisation: await cpuUsOf(50_000, () => JSON.stringify(view)),
        typeorm: await cpuUsOf(3_000, () => find(trip.id)),
        query: await cpuUsOf(3_000, () => manager.query('SELECT * FROM trips WHERE id = $1', [trip.id])),
      };
    },
  };
});

async function cpuUsOf(times: number, work: () => unknown): Promise<number> {
  for (let i = 0; i < times / 4; i++) await work();
  const before = process.cpuUsage();
  for (let i = 0; i < times; i++) {
    const pending = work();
    if (pending instanceof Promise) await pending;
  }
  const { user, system } = process.cpuUsage(before);
  return (user + system) / times;
}
