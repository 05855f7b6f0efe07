/**
 * npm start [-- --drivers N --passengers N --speed N --seed N --no-city --tls]
 *
 * The whole platform on this machine: PostgreSQL, RabbitMQ, the three services, their pages, and a city that uses them.
 */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { SERVICES } from '@cabstand/contracts';
import { certificateFiles, LOCAL, ROOT } from '../infra/index.ts';
import { sumUp, type CityReport } from './city/stats.ts';
import {
  bold,
  claimPlatform,
  dim,
  loadDotEnv,
  Output,
  readSettings,
  reviveInfrastructure,
  red,
  seconds,
  startPlatform,
  statusLine,
  StatusReader,
  Supervisor,
  type Platform,
} from './runtime/index.ts';

const STATUS_EVERY_MS = 1_000;
const CITY_GRACE_MS = 5_000;
/** npm may hand on a signal that the terminal has already delivered: the same key press, twice. */
const SAME_SIGNAL_MS = 2_000;

const startedAtMs = performance.now();
const out = new Output();

function options() {
  try {
    const { values } = parseArgs({
      options: {
        drivers: { type: 'string', default: '30' },
        passengers: { type: 'string', default: '15' },
        speed: { type: 'string', default: '8' },
        seed: { type: 'string', default: '1' },
        city: { type: 'boolean', default: true },
        tls: { type: 'boolean', default: false },
      },
      allowNegative: true,
    });
    const count = (name: 'drivers' | 'passengers' | 'speed' | 'seed') => {
      if (/^\d{1,4}$/.test(values[name])) return Number(values[name]);
      throw new Error(`--${name} takes a number, not ${values[name]}`);
    };
    const { city, tls } = values;
    const counts = {
      drivers: count('drivers'),
      passengers: count('passengers'),
      speed: count('speed'),
      seed: count('seed'),
    };
    return { ...counts, city, tls };
  } catch (error) {
    fail(error, 64);
  }
}

function fail(error: unknown, code = 1): never {
  out.endStatus();
  console.error(red((error as Error).message ?? String(error)));
  process.exit(code);
}

function block({ state }: Platform): string {
  const { broker, postgres, tls } = state.infrastructure;
  const management = broker.managementUrl && new URL(broker.managementUrl);
  const rows = [
    ['web', state.web.url, 'the city; a ride at /ride, a shift at /drive'],
    ...SERVICES.flatMap((service) => {
      const { url, managementUrl } = state.services[service];
      return [[service, url, `docs ${url}/docs   OpenAPI ${url}/openapi.json   health ${managementUrl}/readyz`]];
    }),
    [
      'RabbitMQ',
      management ? management.origin : new URL(broker.adminUrl).host,
      `vhost ${broker.vhost}; ${broker.how}${broker.isOurs ? '; password of admin: .local/secrets/rabbitmq-admin' : ''}`,
    ],
    ['PostgreSQL', new URL(postgres.databases.trip).host, `databases passenger, driver, trip; ${postgres.how}`],
    ...(tls
      ? [['TLS', '.local/tls/ca.crt', 'the authority to trust, as in curl --cacert; docs/how-to/use-tls.md']]
      : []),
    ['logs', '.local/logs/', 'warnings and errors are shown here as well'],
    ['operator', 'npm run -s token -- operator', 'an access token for the operator calls'],
  ];
  return rows.map(([name, url, more]) => `  ${bold(name!.padEnd(11))} ${url!.padEnd(30)} ${dim(more!)}`).join('\n');
}

function startCity(
  { state, tellCity }: Platform,
  counts: Record<'drivers' | 'passengers' | 'speed' | 'seed', number>,
): Supervisor {
  const urls = SERVICES.flatMap((service) => [`--${service}-url`, state.services[service].url]);
  const options = Object.entries(counts).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const city = new Supervisor({
    name: 'city',
    args: [join(ROOT, 'tools', 'city', 'main.ts'), ...options, ...urls],
    env: {
      ...process.env,
      ...(state.infrastructure.tls ? { NODE_EXTRA_CA_CERTS: certificateFiles(LOCAL, '').ca } : {}),
    } as Record<string, string>,
    say: (line) => out.line(line),
    // The status line reads the databases, which know more than this city; how long it waited, only the city knows.
    onMessage: (message) => tellCity((cityReport = message as CityReport)),
  });
  city.start();
  return city;
}

const { city: withCity, tls, ...counts } = options();
try {
  loadDotEnv();
  claimPlatform();
} catch (error) {
  fail(error);
}
const settings = (() => {
  try {
    return readSettings({ ...process.env, ...(tls ? { CABSTAND_TLS: '1' } : {}) });
  } catch (error) {
    fail(error, 78);
  }
})();

let platform: Platform | null = null;
let city: Supervisor | null = null;
let cityReport: CityReport | null = null;
let status: StatusReader | null = null;
let timer: NodeJS.Timeout | null = null;
let stoppingSinceMs: number | null = null;
let starting: Promise<void> = Promise.resolve();
const aborting = new AbortController();

async function stop(why: string): Promise<void> {
  if (stoppingSinceMs !== null) {
    if (performance.now() - stoppingSinceMs < SAME_SIGNAL_MS) return;
    out.line('stopping at once');
    platform?.kill();
    return;
  }
  const sinceMs = (stoppingSinceMs = performance.now());
  if (timer) clearInterval(timer);
  out.endStatus();
  out.line(`${why}: stopping the city, the services, RabbitMQ and PostgreSQL; data stays in .local/`);
  // While starting, this waits for the step under way, which stops what was started.
  aborting.abort();
  await starting.catch(() => undefined);
  await status?.close();
  await city?.stop(CITY_GRACE_MS);
  if (cityReport) out.line(sumUp(cityReport));
  await platform?.stop();
  out.line(`stopped in ${seconds(sinceMs)}`);
  process.exit(0);
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => void stop(signal));
// Whoever started us is gone without a word (npm was killed): nobody is left to press Ctrl-C.
const parent = process.ppid;
const watch = setInterval(() => {
  if (process.ppid === parent) return;
  clearInterval(watch);
  void stop('whoever started this is gone');
}, 1_000);
watch.unref();
// So is a reader that had enough (npm start | head).
process.stdout.once('error', () => {
  process.stdout.on('error', () => undefined);
  void stop('nobody reads');
});

async function start(): Promise<void> {
  out.line(bold('Cabstand: starting PostgreSQL, RabbitMQ, the three services and their pages'));
  platform = await startPlatform(settings, out, aborting.signal);
  if (withCity && stoppingSinceMs === null) {
    city = startCity(platform, counts);
    const { drivers, passengers } = counts;
    out.line(`  ${drivers} drivers and ${passengers} passengers move in (tools/city; without them: --no-city)`);
  }
}

starting = start();
try {
  await starting;
} catch (error) {
  if (stoppingSinceMs === null) fail(error);
}
if (platform && stoppingSinceMs === null) {
  const running: Platform = platform;
  out.line(`\n${bold(`Ready in ${seconds(startedAtMs)}`)}. Ctrl-C stops everything.\n`);
  out.line(`${block(running)}\n`);
  const reader = (status = new StatusReader(running.state));
  let reading = false;
  timer = setInterval(() => {
    if (reading) return;
    reading = true;
    void reader.read().then(async (figures) => {
      if (stoppingSinceMs === null) out.status(statusLine(figures, process.stdout.columns));
      await reviveInfrastructure(settings, out.step).catch((error: Error) => out.line(red(error.message)));
      reading = false;
    });
  }, STATUS_EVERY_MS);
}
