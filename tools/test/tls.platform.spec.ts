import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { SERVICES } from '@cabstand/contracts';
import { eventually } from '@cabstand/testing';
import pg from 'pg';
import {
  certificateFiles,
  freePort,
  Management,
  ROOT,
  secret,
  trustAuthority,
  withCertificate,
} from '../../infra/index.ts';
import { Start, startEnvironment } from './start-process.ts';

const local = mkdtempSync(join(tmpdir(), 'cabstand-tls-'));
let ports: Record<string, number>;
let env: NodeJS.ProcessEnv;
let start: Start;

beforeAll(async () => {
  ({ env, ports } = await startEnvironment(local));
  start = new Start(env, '--tls', '--drivers', '4', '--passengers', '2');
  await start.says(/Ready in/, 180_000);
  trustAuthority(local);
}, 200_000);

afterAll(async () => {
  start.child.kill('SIGTERM');
  await start.exit;
  rmSync(local, { recursive: true, force: true });
});

/** `npm run journey`, in the platform that runs. */
function journey(): Promise<{ code: number | null; output: string }> {
  const child = spawn(process.execPath, [join(ROOT, 'tools', 'journey', 'main.ts')], { env });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (output += text));
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, output })));
}

const portOf = (service: string) => ports[`${service.toUpperCase()}_PORT`];

const certificateOf = (holder: string) =>
  readFileSync(certificateFiles(local, holder).cert, 'utf8').replaceAll(/-.*-|\s/g, '');

/** The certificate that somebody's public port shows to those who connect now. */
function shownBy(holder: string): Promise<string> {
  const options = { ca: readFileSync(certificateFiles(local, holder).ca), servername: holder };
  return new Promise((resolve, reject) => {
    request(`https://127.0.0.1:${portOf(holder)}/livez`, { ...options, agent: false }, (response) => {
      const { raw } = (response.socket as import('node:tls').TLSSocket).getPeerCertificate();
      response.destroy();
      resolve(raw.toString('base64'));
    })
      .on('error', reject)
      .end();
  });
}

describe('npm start -- --tls', () => {
  it('serves HTTPS at the three public ports, and nothing in plain text', async () => {
    for (const service of SERVICES) {
      await start.says(new RegExp(`https://localhost:${portOf(service)}/docs`));
      expect((await fetch(`https://localhost:${portOf(service)}/openapi.json`)).status).toBe(200);
      await expect(fetch(`http://localhost:${portOf(service)}/openapi.json`)).rejects.toThrow();
    }
  });

  it('serves the pages over HTTPS too, and reaches the services over it', async () => {
    const response = await fetch(`https://localhost:${portOf('web')}/api/trip/openapi.json`);
    expect(response.status).toBe(200);
    expect(response.headers.get('strict-transport-security')).toContain('max-age');
  });

  it('hands nothing from the pages to a service that somebody else vouches for', async () => {
    const port = await freePort();
    const environment = { PORT: String(port), TRIP_URL: `https://localhost:${portOf('trip')}` };
    // Without the authority, the service is a stranger.
    const pages = spawn(process.execPath, [join(ROOT, 'dist', 'apps', 'web', 'main.js')], { env: environment });
    const ended = once(pages, 'exit');
    const ask = async () => (await fetch(`http://localhost:${port}/api/trip/openapi.json`)).status;
    try {
      await eventually(async () => expect(await ask()).toBe(503), { timeoutMs: 30_000 });
    } finally {
      pages.kill();
      await ended;
    }
  });

  it.each([...SERVICES, 'web'])('shows callers of %s its certificate', async (holder) => {
    expect(await shownBy(holder)).toBe(certificateOf(holder));
  });

  it('takes a journey to its end, and the city lives', async () => {
    const { code, output } = await journey();
    expect(output).toMatch(/status +completed/);
    expect(code).toBe(0);
    await eventually(() => expect(start.figure('completed')).toBeGreaterThan(0), { timeoutMs: 120_000, everyMs: 500 });
  });

  it('keeps the traces of its trips, which come over HTTPS too', async () => {
    const script = join(ROOT, 'tools', 'token.ts');
    const { stdout: token } = await promisify(execFile)(process.execPath, [script, 'operator'], { env });
    const read = async <Answer>(service: string, path: string) => {
      const headers = { authorization: `Bearer ${token.trim()}` };
      const response = await fetch(`https://localhost:${portOf(service)}${path}`, { headers });
      return (await response.json()) as Answer;
    };
    const { items } = await read<{ items: { id: string }[] }>('trip', '/v1/trips?limit=1');
    await eventually(async () => {
      const { spans } = await read<{ spans: { service: string }[] }>('local_tools', `/traces?tripId=${items[0]!.id}`);
      expect([...new Set(spans.map(({ service }) => service))].sort()).toEqual(SERVICES.toSorted());
    });
  });

  it("has every service at PostgreSQL under its certificate's name, over TLS 1.3", async () => {
    const url = `postgres://postgres@127.0.0.1:${ports.POSTGRES_PORT}/postgres`;
    const admin = new pg.Client({ connectionString: withCertificate(url, certificateFiles(local, 'postgres-admin')) });
    await admin.connect();
    const { rows } = await admin.query(
      `SELECT DISTINCT usename AS role, ssl, version, client_dn AS name FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
       WHERE backend_type = 'client backend' ORDER BY 1`,
    );
    await admin.end();
    const over = (role: string) => ({ role, ssl: true, version: 'TLSv1.3', name: `/CN=${role}` });
    expect(rows).toEqual(['driver', 'passenger', 'postgres', 'trip'].map(over));
  });

  it("has every service at RabbitMQ under its certificate's name, over TLS 1.3", async () => {
    const credentials = `admin:${secret(local, 'rabbitmq-admin')}`;
    const management = new Management(`https://${credentials}@127.0.0.1:${ports.RABBITMQ_MANAGEMENT_PORT}`);
    interface Connection {
      user: string;
      ssl: boolean;
      ssl_protocol: string;
      auth_mechanism: string;
      peer_cert_subject: string;
    }
    const connections = await management.get<Connection[]>('/api/connections');
    expect(new Set(connections.map(({ user }) => user))).toEqual(new Set(SERVICES));
    for (const connection of connections) {
      const { user } = connection;
      const expected = {
        ssl: true,
        ssl_protocol: 'tlsv1.3',
        auth_mechanism: 'EXTERNAL',
        peer_cert_subject: `CN=${user}`,
      };
      expect(connection).toMatchObject(expected);
    }
    const listeners = (await management.get<{ listeners: { protocol: string }[] }>('/api/overview')).listeners;
    expect(listeners.map(({ protocol }) => protocol)).toEqual(expect.arrayContaining(['amqp/ssl', 'https']));
    expect(listeners.map(({ protocol }) => protocol)).not.toEqual(expect.arrayContaining(['amqp']));
    expect(listeners.map(({ protocol }) => protocol)).not.toEqual(expect.arrayContaining(['http']));
  });

  it('compares the topology, and verifies tokens with keys fetched over HTTPS', async () => {
    for (const service of SERVICES) {
      const metrics = await fetch(`http://127.0.0.1:${ports[`${service.toUpperCase()}_MANAGEMENT_PORT`]}/metrics`);
      expect(await metrics.text()).toMatch(/^messaging_bindings_known(\{.*\})? 1/m);
      const log = readFileSync(join(local, 'logs', `${service}.log`), 'utf8');
      expect(log).not.toMatch(/issuer-keys\.fetch-failed|topology\.unchecked/);
    }
    const asked = readFileSync(join(local, 'logs', 'passenger.log'), 'utf8');
    expect(asked).toMatch(/jwks\.json.*status=200/);
  });

  it('uses certificates that are renewed while it runs', async () => {
    await promisify(execFile)(process.execPath, [join(ROOT, 'tools', 'certificates.ts'), 'renew'], { env });
    for (const holder of [...SERVICES, 'web'])
      await eventually(async () => expect(await shownBy(holder)).toBe(certificateOf(holder)), { timeoutMs: 10_000 });
  });

  it('starts without TLS on the same data afterwards', async () => {
    start.child.kill('SIGTERM');
    await start.exit;
    start = new Start(env, '--no-city');
    await start.says(/Ready in/, 120_000);
    expect((await fetch(`http://localhost:${portOf('trip')}/openapi.json`)).status).toBe(200);
    expect((await journey()).code).toBe(0);
  });

  it('is refused beside servers that were not made for it', async () => {
    const other = new Start(
      { ...env, CABSTAND_LOCAL: mkdtempSync(join(local, 'other-')), AMQP_URL: 'amqp://x' },
      '--tls',
    );
    expect(await other.exit).toBe(78);
    expect(other.output).toContain('--tls makes certificates for servers of its own, and none for AMQP_URL');
  });
});
