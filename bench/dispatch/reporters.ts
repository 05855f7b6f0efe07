import { DriverApi, type DriverProfile, type ServiceUrls } from '../../tools/client/api.ts';
import type { Target } from '../harness/load.ts';
import { compileWorkers, startWorker } from '../harness/processes.ts';
import { startRuntime } from '../harness/service-runtime.ts';
import { somewhere } from './city.ts';

/** As many as there are connections: each request is another driver's, and each driver reports now and then. */
const REPORTERS = 100;
const PASSWORD = 'a long enough password';
const profile = (i: number): DriverProfile => ({
  ...{ email: `driver-${i}@example.com`, password: PASSWORD, name: 'Bruno Example', phone: '+49301234567' },
  ...{ licenceNumber: 'B-123456', vehicle: { make: 'Cab', model: 'One', colour: 'white', plate: 'B-CS 1' } },
});

export interface Reporters {
  /** The no-op takes an empty object: reading and checking the points is part of what positions cost. */
  targets: Record<'positions' | 'no-op', Target>;
  stop(): Promise<void>;
}

/** The driver service in a process of its own, and drivers who are online. */
export async function startReporters(random: () => number): Promise<Reporters> {
  const file = await compileWorkers('bench/dispatch/workers', ['driver-service']);
  const runtime = await startRuntime('driver');
  const stops = [() => runtime.stop()];
  const stop = async () => {
    for (const end of stops.splice(0).reverse()) await end();
  };
  try {
    const worker = await startWorker(file('driver-service'), runtime.settings, { quiet: true });
    stops.push(() => worker.stop());
    const url = await worker.call<string>('url');
    const reporters: { token: string; lat: number; lng: number }[] = [];
    for (let i = 0; i < REPORTERS; i++) reporters.push({ token: await signUp(url, i), ...somewhere(random) });
    let turn = 0;
    const next = () => reporters[turn++ % REPORTERS]!;
    const report = () => {
      const { token, lat, lng } = next();
      // A step on: at each report the driver is somewhere else, and no faster than cars are.
      const point = { lat: lat + (turn % 1_000) / 1e8, lng, at: new Date().toISOString() };
      return { token, body: JSON.stringify({ points: [point] }) };
    };
    const nothing = () => ({ token: next().token, body: '{}' });
    const targets = {
      positions: { worker, url: `${url}/v1/drivers/me/positions`, post: report },
      'no-op': { worker, url: `${url}/noop`, post: nothing },
    };
    return { targets, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function signUp(url: string, i: number): Promise<string> {
  const urls: ServiceUrls = { passenger: url, driver: url, trip: url };
  const own = profile(i);
  const driver = new DriverApi(urls, { email: own.email, password: PASSWORD });
  await driver.register(own, `driver-${i}`);
  await driver.session.signIn();
  await driver.goOnline();
  return driver.session.token();
}
