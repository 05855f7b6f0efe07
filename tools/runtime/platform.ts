import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { SERVICES, type ServiceName } from '@cabstand/contracts';
import {
  assertPortsFree,
  forgetProcess,
  LOCAL,
  recordedProcesses,
  ROOT,
  stopProcess,
  trustAuthority,
} from '../../infra/index.ts';
import type { CityReport } from '../city/stats.ts';
import { startLocalTools } from '../local/index.ts';
import { runLogged } from './commands.ts';
import { publicUrl, serviceEnvironment, watchedEnvironment, webEnvironment, webUrl } from './environment.ts';
import { issuerUrl } from './developer-issuer.ts';
import { useInfrastructure, type Infrastructure } from './infrastructure.ts';
import { lockHolder, tryLock, unlock } from './lock.ts';
import type { Output } from './output.ts';
import { readSettings, type Settings } from './settings.ts';
import { Supervisor } from './supervisor.ts';

/** What a tool needs to know of the platform that runs. */
export interface PlatformState {
  services: Record<ServiceName, { url: string; managementUrl: string }>;
  web: { url: string };
  infrastructure: Infrastructure;
  /** Whose tokens make somebody an operator. */
  issuer: string;
}

export interface Platform {
  state: PlatformState;
  /** Shown to operators. */
  tellCity(report: CityReport): void;
  stop(): Promise<void>;
  /** Ends the services at once; what they had under way is redone after the next start. */
  kill(): void;
}

/** Services end within 10 s of SIGTERM by promise (P8); this is a little more. */
const SERVICE_GRACE_MS = 12_000;
const READY_WITHIN_MS = 60_000;
const BUILT = [...SERVICES, 'web'] as const;
type App = (typeof BUILT)[number];
const RUN = join(LOCAL, 'run');
const START_LOCK = join(RUN, 'start.lock');
const STATE = join(RUN, 'platform.state');

/** The platform that `npm start` (or another tool) is running now. */
export function runningPlatform(): PlatformState | null {
  if (!lockHolder(START_LOCK)) return null;
  try {
    const state = JSON.parse(readFileSync(STATE, 'utf8')) as PlatformState;
    if (state.infrastructure.tls) trustAuthority(LOCAL);
    return state;
  } catch {
    return null;
  }
}

/** What the development issuer is called, by the platform that runs or by one that would be started now. */
export const developerIssuerName = () => runningPlatform()?.issuer ?? issuerUrl(readSettings());

/** Takes the right to run the platform. @throws Error naming the process that has it */
export function claimPlatform(): void {
  const holder = tryLock(START_LOCK);
  if (holder)
    throw new Error(
      `Cabstand is running already (pid ${holder.pid}); stop it with Ctrl-C there, or run: npm run reset`,
    );
}

export const platformHolder = () => lockHolder(START_LOCK);

/**
 * Everything that `npm start` runs but the city. The caller has claimed the platform. Aborting stops what has been
 * started so far, before it throws.
 */
export async function startPlatform(settings: Settings, out: Output, signal?: AbortSignal): Promise<Platform> {
  await stopLeftovers();
  await assertPortsFree([
    { what: 'the pages', port: settings.ports.web, variable: 'WEB_PORT' },
    { what: "the operator's sign-in", port: settings.ports.identity, variable: 'IDENTITY_PORT' },
    { what: "the operator page's tools", port: settings.ports.localTools, variable: 'LOCAL_TOOLS_PORT' },
    ...SERVICES.flatMap((service) => {
      const { http, management } = settings.ports[service];
      const name = service.toUpperCase();
      return [
        { what: `the ${service} service`, port: http, variable: `${name}_PORT` },
        { what: `the ${service} service's management`, port: management, variable: `${name}_MANAGEMENT_PORT` },
      ];
    }),
  ]);
  const [using, built] = await Promise.allSettled([useInfrastructure(settings, out.step), out.step('build', build)]);
  if (using.status === 'rejected') throw using.reason;
  const { infrastructure, release } = using.value;
  const supervisors: Supervisor[] = [];
  let local: Awaited<ReturnType<typeof startLocalTools>> | undefined;
  const stop = async () => {
    rmSync(STATE, { force: true });
    await Promise.all(supervisors.map((supervisor) => supervisor.stop(SERVICE_GRACE_MS)));
    await local?.stop();
    await release();
    unlock(START_LOCK);
  };
  const kill = () => supervisors.forEach((supervisor) => supervisor.kill());
  try {
    if (built.status === 'rejected') throw built.reason;
    signal?.throwIfAborted();
    const environments = await Promise.all(
      SERVICES.map(async (service) => [service, await serviceEnvironment(settings, infrastructure, service)] as const),
    );
    await out.step('migrations', () => migrate(environments));
    const say = (line: string) => out.line(line);
    const watched = watchedEnvironment(settings);
    const crash = (service: ServiceName) => supervisors.find(({ name }) => name === service)?.crash();
    local = await startLocalTools(settings, infrastructure, crash);
    for (const [name, env] of environments) {
      supervisors.push(
        new Supervisor({ name, args: [mainOf(name)], env: { ...env, ...watched, LOG_FORMAT: 'json' }, say }),
      );
    }
    supervisors.push(new Supervisor({ name: 'web', args: [mainOf('web')], env: webEnvironment(settings), say }));
    await out.step('services', async () => {
      supervisors.forEach((supervisor) => supervisor.start());
      await Promise.all([
        ...SERVICES.map((service) =>
          untilReady(service, `http://127.0.0.1:${settings.ports[service].management}/readyz`, signal),
        ),
        untilReady('web', `${webUrl(settings)}/livez`, signal),
      ]);
      return { what: `${BUILT.join(', ')} are ready`, value: null };
    });
  } catch (error) {
    await stop();
    throw error;
  }
  const state = {
    services: urlsOf(settings),
    web: { url: webUrl(settings) },
    infrastructure,
    issuer: issuerUrl(settings),
  };
  mkdirSync(RUN, { recursive: true });
  writeFileSync(STATE, JSON.stringify(state), { mode: 0o600 });
  return { state, tellCity: local.tellCity, stop, kill };
}

/**
 * What runs is a copy of the build: a build that goes on meanwhile (npm test, nx build) empties its folder first, and a
 * service that crashed at that moment could not be started again.
 */
const copyOf = (app: App) => join(LOCAL, 'services', app);
const mainOf = (app: App) => join(copyOf(app), 'main.js');

const urlsOf = (settings: Settings) =>
  Object.fromEntries(
    SERVICES.map((service) => {
      const managementUrl = `http://localhost:${settings.ports[service].management}`;
      return [service, { url: publicUrl(settings, service), managementUrl }];
    }),
  ) as PlatformState['services'];

/** Services whose supervisor was ended by force still hold their ports. */
async function stopLeftovers(): Promise<void> {
  const names = new Set<string>([...BUILT, 'city']);
  for (const record of recordedProcesses(LOCAL).filter(({ name }) => names.has(name))) {
    await stopProcess(record, { graceMs: SERVICE_GRACE_MS });
    forgetProcess(LOCAL, record.name);
  }
}

async function build() {
  for (let attempt = 1; ; attempt += 1) {
    const args = ['run-many', '--targets=build', `--projects=${BUILT.join(',')}`];
    await runLogged(join(LOCAL, 'logs', 'build.log'), 'nx', args);
    try {
      for (const app of BUILT) {
        rmSync(copyOf(app), { recursive: true, force: true });
        await cp(join(ROOT, 'dist', 'apps', app), copyOf(app), { recursive: true });
      }
      return { what: `${BUILT.join(', ')} (nx build)`, value: null };
    } catch (error) {
      // Another build has just emptied the folder; ours then makes it anew.
      if (attempt === 3) throw error;
    }
  }
}

async function migrate(environments: (readonly [ServiceName, Record<string, string>])[]) {
  await Promise.all(
    environments.map(([service, env]) =>
      runLogged(join(LOCAL, 'logs', `migrate-${service}.log`), process.execPath, [mainOf(service), 'migrate'], env),
    ),
  );
  return { what: `${SERVICES.join(', ')} are up to date`, value: null };
}

async function untilReady(app: App, url: string, signal?: AbortSignal): Promise<void> {
  const deadlineMs = performance.now() + READY_WITHIN_MS;
  for (;;) {
    signal?.throwIfAborted();
    const response = await fetch(url).catch(() => null);
    await response?.body?.cancel();
    if (response?.ok) return;
    if (performance.now() > deadlineMs)
      throw new Error(`${app} is not ready after ${READY_WITHIN_MS / 1_000} s; see .local/logs/${app}.log`);
    await delay(50);
  }
}
