import { preparedFind } from '@cabstand/service-defaults';
import { randomUUIDv7 } from 'node:crypto';
import { DataSource } from 'typeorm';
import { Driver } from '../src/people/driver.entity.ts';
import { Passenger } from '../src/people/passenger.entity.ts';
import { Trip } from '../src/trip/trip.entity.ts';
import { startPlatform, type Platform } from './harness.ts';

let platform: Platform;
let dataSource: DataSource;
beforeAll(async () => {
  platform = await startPlatform();
  dataSource = platform.services[0]!.app.get(DataSource, { strict: false });
});
afterAll(() => platform.stop());

const VEHICLE = { make: 'Skoda', model: 'Octavia', colour: 'cream', plate: 'B TX 204' };

it.each([
  ['of nobody known', {}],
  ['of a known passenger', { passenger: { firstName: 'Ada' } }],
  ['of people who are known', { passenger: { firstName: 'Ada' }, driver: { firstName: 'Grace', vehicle: VEHICLE } }],
  ['of a driver who was erased', { driver: { firstName: null, vehicle: null } }],
  ['with a reason in the canceller’s own words', { trip: { cancelReason: 'found a bike', dataKey: null } }],
])('a prepared find reads what findOne reads: a trip %s', async (_, given: Given) => {
  const { manager } = dataSource;
  const person = await platform.person('passenger');
  const { id } = await platform.requestTrip(person);
  const driverId = randomUUIDv7();
  if (given.passenger) await manager.save(Passenger, { id: person.id, ...given.passenger });
  if (given.driver) {
    await manager.save(Driver, { id: driverId, ...given.driver });
    await manager.update(Trip, { id }, { driverId, driverIssuer: platform.issuer.issuer, acceptedAt: new Date() });
  }
  if (given.trip) await manager.save(Trip, { id, ...given.trip });
  const expected = await manager.findOne(Trip, { where: { id }, relations: { passenger: true, driver: true } });
  const found = await preparedFind(dataSource, Trip, ['passenger', 'driver'])(id);
  expect(found).toStrictEqual(expected);
  expect(found).toBeInstanceOf(Trip);
  expect(found!.passenger?.firstName).toBe(given.passenger?.firstName);
});

it('finds nothing where there is nothing', async () => {
  expect(await preparedFind(dataSource, Trip, ['passenger'])(randomUUIDv7())).toBeNull();
});

interface Given {
  passenger?: Partial<Passenger>;
  driver?: Partial<Driver>;
  trip?: Partial<Trip>;
}
