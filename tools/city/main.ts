/**
 * A city to look at: drivers and passengers who know nothing but the public HTTP APIs.
 *
 *   node tools/city/main.ts [--drivers 30] [--passengers 15] [--seed 1] [--speed 8]
 *     [--passenger-url http://localhost:3001] [--driver-url …:3002] [--trip-url …:3003]
 *
 * Tells its parent once a second how things go (`process.send`), or prints the same as a line of JSON where it has none,
 * and in words what it was when it ends. The same seed is the same city: what its people decide, and in which order.
 * What it measures (request → offer → accept, as its people see it) makes it a load test as well.
 */
import { setMaxListeners } from 'node:events';
import { parseArgs } from 'node:util';
import { pause } from '../client/http.ts';
import { Day } from './day.ts';
import { Driver } from './driver.ts';
import type { City } from './inhabitant.ts';
import { Passenger } from './passenger.ts';
import { Stats, sumUp } from './stats.ts';
import { Streets } from './streets.ts';

const REPORT_EVERY_MS = 1_000;
/** What the drivers have to say goodbye: the whole city is gone within two seconds of being told. */
const GOODBYE_MS = 1_200;

const { values } = parseArgs({
  options: {
    drivers: { type: 'string', default: '30' },
    passengers: { type: 'string', default: '15' },
    seed: { type: 'string', default: '1' },
    speed: { type: 'string', default: '8' },
    'passenger-url': { type: 'string', default: 'http://localhost:3001' },
    'driver-url': { type: 'string', default: 'http://localhost:3002' },
    'trip-url': { type: 'string', default: 'http://localhost:3003' },
  },
});

const stopping = new AbortController();
// Each inhabitant waits on it several times over; that is no leak.
setMaxListeners(0, stopping.signal);

const city: City = {
  urls: { passenger: values['passenger-url'], driver: values['driver-url'], trip: values['trip-url'] },
  seed: count('seed'),
  speed: count('speed'),
  day: new Day(count('speed')),
  streets: new Streets(),
  stats: new Stats(),
  signal: stopping.signal,
};
const drivers = Array.from({ length: count('drivers') }, (_, i) => new Driver(city, i + 1));
const passengers = Array.from({ length: count('passengers') }, (_, i) => new Passenger(city, i + 1));

for (const signal of ['SIGTERM', 'SIGINT', 'disconnect'] as const) process.on(signal, () => stopping.abort());
const report = setInterval(tell, REPORT_EVERY_MS);
const lives = Promise.all([...drivers, ...passengers].map((inhabitant) => inhabitant.live()));
await new Promise<void>((resolve) => stopping.signal.addEventListener('abort', () => resolve()));
clearInterval(report);
const goodbye = lives.then(() => Promise.all(drivers.map((driver) => driver.endShift())));
await Promise.race([goodbye, pause(GOODBYE_MS)]);
if (!process.send) console.log(sumUp(city.stats.report()));
process.exit(0);

function tell(): void {
  if (process.send) process.send(city.stats.report(), undefined, undefined, () => undefined);
  else console.log(JSON.stringify(city.stats.report()));
}

function count(name: 'drivers' | 'passengers' | 'seed' | 'speed'): number {
  const number = Number(values[name]);
  if (Number.isFinite(number) && number >= 0) return number;
  console.error(`--${name} must be a number, not ${values[name]}`);
  process.exit(64);
}
