import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SERVICES } from '@cabstand/contracts';
import { eventually } from '@cabstand/testing';
import { filesIn, isPortInUse, recordedProcesses } from '../../infra/index.ts';
import { Start, startEnvironment } from './start-process.ts';

const local = mkdtempSync(join(tmpdir(), 'cabstand-start-'));
let ports: Record<string, number>;
let env: NodeJS.ProcessEnv;
let start: Start;

beforeAll(async () => {
  ({ env, ports } = await startEnvironment(local));
  start = new Start(env, '--drivers', '6', '--passengers', '3');
  await start.says(/Ready in/, 180_000);
}, 200_000);

afterAll(async () => {
  start.child.kill('SIGTERM');
  await start.exit;
  rmSync(local, { recursive: true, force: true });
});

const trip = () => recordedProcesses(local).find(({ name }) => name === 'trip');
const answers = async (variable: string, path: string) =>
  (await fetch(`http://127.0.0.1:${ports[variable]}${path}`).catch(() => null))?.status;

describe('npm start', () => {
  it('lists each URL and shows trips being completed', async () => {
    for (const service of SERVICES) await start.says(`http://localhost:${ports[`${service.toUpperCase()}_PORT`]}/docs`);
    await start.says(`http://localhost:${ports['WEB_PORT']} `);
    expect(await answers('WEB_PORT', '/ride')).toBe(200);
    expect(await answers('WEB_PORT', '/api/trip/openapi.json')).toBe(200);
    // Whoever had a flat tyre on the way to the first pickup has a break of nearly two minutes.
    await eventually(() => expect(start.figure('drivers online')).toBe(6), { timeoutMs: 240_000, everyMs: 500 });
    // A ride across the city takes a minute or two.
    await eventually(() => expect(start.figure('completed')).toBeGreaterThan(0), { timeoutMs: 240_000, everyMs: 500 });
  }, 480_000);

  it('is not started a second time beside itself', async () => {
    const second = new Start(env);
    expect(await second.exit).toBe(1);
    expect(second.output).toContain(`running already (pid ${start.child.pid})`);
  });

  it('names the ports that are in use and who holds them', async () => {
    const elsewhere = mkdtempSync(join(tmpdir(), 'cabstand-elsewhere-'));
    const other = new Start({ ...env, CABSTAND_LOCAL: elsewhere });
    expect(await other.exit).toBe(1);
    expect(other.output).toContain(`port ${ports.TRIP_PORT} (the trip service) is in use by`);
    expect(other.output).toContain(`(pid ${trip()?.pid})`);
    rmSync(elsewhere, { recursive: true, force: true });
  });

  it('starts a service again that was killed, while the others go on serving', async () => {
    const killed = trip()!;
    const completed = start.figure('completed');
    process.kill(killed.pid, 'SIGKILL');
    await start.says('trip ended unexpectedly (SIGKILL)');
    expect(await answers('PASSENGER_MANAGEMENT_PORT', '/readyz')).toBe(200);
    expect(await answers('DRIVER_MANAGEMENT_PORT', '/readyz')).toBe(200);
    await eventually(async () => expect(await answers('TRIP_MANAGEMENT_PORT', '/readyz')).toBe(200), {
      timeoutMs: 30_000,
    });
    expect(trip()?.pid).not.toBe(killed.pid);
    await eventually(() => expect(start.figure('completed')).toBeGreaterThan(completed), {
      timeoutMs: 240_000,
      everyMs: 500,
    });
  });

  it('stops everything it started when it is told twice, and comes back with its data', async () => {
    const requested = start.figure('requested');
    start.child.kill('SIGTERM');
    start.child.kill('SIGTERM');
    expect(await start.exit).toBe(0);
    expect(start.output).not.toContain('stopping at once');
    expect(recordedProcesses(local)).toEqual([]);
    expect(filesIn(join(local, 'run')).filter((name) => name.endsWith('.json'))).toEqual([]);
    for (const [variable, port] of Object.entries(ports))
      expect([variable, await isPortInUse(port)]).toEqual([variable, false]);

    start = new Start(env, '--no-city');
    await start.says(/Ready in/, 60_000);
    await eventually(() => expect(start.figure('requested')).toBeGreaterThanOrEqual(requested));
    expect(readFileSync(join(local, 'logs', 'trip.log'), 'utf8')).toContain('service.started');
  });
});
