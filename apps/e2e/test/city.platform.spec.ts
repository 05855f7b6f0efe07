import { fork, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { SERVICES } from '@cabstand/contracts';
import { eventually } from '@cabstand/testing';
import { ROOT } from '../../../infra/paths.ts';
import type { CityReport } from '../../../tools/city/stats.ts';
import { expectAgreement } from '../src/agreement.ts';
import { Platform } from '../src/platform.ts';

let platform: Platform;
let city: ChildProcess;
let report: CityReport | undefined;

const MAIN = join(ROOT, 'tools', 'city', 'main.ts');
const urls = () => SERVICES.flatMap((service) => [`--${service}-url`, platform.urls[service]]);

function moveIn(): ChildProcess {
  const counts = ['--drivers', '12', '--passengers', '8', '--speed', '40', '--seed', '7'];
  const child = fork(MAIN, [...counts, ...urls()], { execArgv: [] });
  report = undefined;
  child.on('message', (message) => (report = message as CityReport));
  return child;
}

async function moveOut(): Promise<void> {
  const startedAtMs = performance.now();
  city.kill('SIGTERM');
  const [code] = (await once(city, 'exit')) as [number | null];
  expect(code).toBe(0);
  expect(performance.now() - startedAtMs).toBeLessThan(2_000);
}

/** So many more trips than now come to their end. */
async function untilCompleted(more: number): Promise<void> {
  const before = report?.completed ?? 0;
  await eventually(() => expect((report?.completed ?? 0) - before).toBeGreaterThanOrEqual(more), {
    timeoutMs: 90_000,
    everyMs: 200,
  });
}

beforeAll(async () => {
  // Tokens that expire all the time, so that renewing them is part of it.
  platform = await Platform.start({ env: { ACCESS_TOKEN_TTL: '15s', DISPATCH_OFFER_TTL: '5s' } });
  city = moveIn();
});
afterAll(async () => {
  city?.kill('SIGKILL');
  await platform?.stop();
});

it('lives on public APIs alone, without an error', async () => {
  // Now and then one of them has a break.
  await eventually(() => expect(report?.driversOnline).toBe(12), { timeoutMs: 90_000, everyMs: 200 });
  await untilCompleted(10);
  expect(report).toMatchObject({ errors: 0 });
});

it.each(SERVICES)('goes on when the %s service is killed and comes back', async (service) => {
  const [process] = platform.services[service];
  await process.stop('SIGKILL');
  await process.start();
  await untilCompleted(8);
});

it('goes on when the broker goes away and comes back', async () => {
  await platform.broker.stop();
  await eventually(async () => {
    const { status, body } = await platform.services.trip[0].readiness();
    expect({ status, messaging: body.messaging }).toEqual({ status: 200, messaging: 'disconnected' });
  });
  await platform.broker.start();
  await untilCompleted(8);
});

it('leaves within two seconds, and takes up its trips when it comes back', async () => {
  await moveOut();
  city = moveIn();
  await untilCompleted(8);
  await moveOut();
});

it('has left databases that agree', async () => {
  await expectAgreement(platform, 30_000);
  const crashes = platform.log().filter((line) => /^Node\.js v\d+/.test(line));
  expect(crashes).toEqual([]);
});

it('says what it was when it was run by hand', async () => {
  const child = spawn(process.execPath, [MAIN, '--drivers', '2', '--passengers', '2', '--seed', '7', ...urls()]);
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  await eventually(() => expect(output).toContain('"driversOnline":2'), { timeoutMs: 30_000 });
  child.kill('SIGTERM');
  expect(await once(child, 'close')).toEqual([0, null]);
  expect(output.trimEnd().split('\n').at(-1)).toMatch(
    /^the city wanted \d+ trips: .*; request → offer .*; offer → accept /,
  );
});
