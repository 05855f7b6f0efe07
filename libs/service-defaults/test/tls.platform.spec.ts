import {
  Authority,
  createTestIssuer,
  eventually,
  Management,
  startSecureServers,
  writePair,
  type CertificateFiles,
  type SecureServers,
  type TestIssuer,
} from '@cabstand/testing';
import { randomBytes, X509Certificate } from 'node:crypto';
import { copyFileSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { get, request } from 'node:https';
import { connect as connectPlain, type Socket } from 'node:net';
import { dirname, join } from 'node:path';
import { connect as connectTls, type SecureContextOptions } from 'node:tls';
import { setImmediate as breathe } from 'node:timers/promises';
import pg from 'pg';
import { loadConfig, startService, type RunningService } from '../src/index.ts';
import { Service } from '../src/bootstrap.ts';
import { notesConfig, NotesModule, notesService } from './fixture/notes.app.ts';
import { only } from './impostor.ts';

const HOUR_MS = 60 * 60 * 1_000;
const inHours = (hours: number) => new Date(Date.now() + hours * HOUR_MS);

let servers: SecureServers;
let issuer: TestIssuer;
let files: CertificateFiles;
let service: RunningService;
let ca: string;

beforeAll(async () => {
  [servers, issuer] = await Promise.all([startSecureServers(), createTestIssuer()]);
  ca = servers.authority.pair.cert;
  files = mount(servers.filesOf('passenger'));
  const env = {
    ...servers.envOf('passenger', files),
    ...{ PORT: '0', MANAGEMENT_PORT: '0', LOG_LEVEL: 'silent' },
    KEY_ENCRYPTION_KEY: randomBytes(32).toString('base64'),
    TRUSTED_ISSUERS: JSON.stringify([issuer.trustedIssuer('passenger')]),
  };
  const config = loadConfig(notesConfig, env);
  await new Service(NotesModule.forRoot, config, notesService).migrate();
  service = await startService(NotesModule.forRoot, config, notesService);
}, 120_000);
afterAll(async () => {
  await service.stop();
  await servers.stop();
  issuer.drop();
});

/** As Kubernetes mounts a secret: what the paths lead through is a link, which changes over to another folder. */
function mount(from: CertificateFiles): CertificateFiles {
  const folder = join(dirname(from.ca), 'mounted');
  mkdirSync(folder, { recursive: true });
  swap(folder, from);
  const names = { cert: 'tls.crt', key: 'tls.key', ca: 'ca.crt' };
  for (const name of Object.values(names)) symlinkSync(join('..data', name), join(folder, name));
  return { cert: join(folder, names.cert), key: join(folder, names.key), ca: join(folder, names.ca) };
}

function swap(folder: string, from: CertificateFiles): void {
  const version = `..${randomBytes(4).toString('hex')}`;
  mkdirSync(join(folder, version));
  copyFileSync(from.cert, join(folder, version, 'tls.crt'));
  copyFileSync(from.key, join(folder, version, 'tls.key'));
  copyFileSync(from.ca, join(folder, version, 'ca.crt'));
  rmSync(join(folder, '..data.new'), { force: true });
  symlinkSync(version, join(folder, '..data.new'));
  renameSync(join(folder, '..data.new'), join(folder, '..data'));
}

const portOf = (url: string) => Number(new URL(url).port);

/** A connection to the service by itself: what it was shown, and over which version. */
function greet(
  options: SecureContextOptions & { servername?: string } = {},
): Promise<{ serial: string; version: string }> {
  return new Promise((resolve, reject) => {
    const socket = connectTls({ host: '127.0.0.1', port: portOf(service.url), ca, ...options }, () => {
      resolve({ serial: socket.getPeerCertificate().serialNumber, version: socket.getProtocol() ?? '' });
      socket.destroy();
    });
    socket.on('error', reject);
  });
}

describe('the edge', () => {
  it('speaks TLS 1.2 and 1.3', async () => {
    expect((await greet()).version).toBe('TLSv1.3');
    expect((await greet({ minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' })).version).toBe('TLSv1.2');
  });

  it.each(['TLSv1', 'TLSv1.1'] as const)('refuses %s', async (version) => {
    await expect(greet(only(version))).rejects.toThrow(/alert protocol version/);
  });

  it('answers nothing in plain text', async () => {
    const socket = connectPlain(portOf(service.url), '127.0.0.1');
    let answer = '';
    socket.on('error', () => undefined).on('data', (data) => (answer += String(data)));
    socket.write('GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await new Promise((resolve) => socket.on('close', resolve));
    expect(answer).not.toContain('HTTP/1.1 200');
    expect(answer).not.toContain('openapi');
  });

  it('holds no connection for long on which nothing comes, be it before the handshake or after it', async () => {
    const to = { host: '127.0.0.1', port: portOf(service.url) };
    const silent = Array.from({ length: 20 }, () => [
      connectPlain(to),
      // A handshake that was begun and never goes on.
      connectPlain(to, function (this: Socket) {
        this.write(Buffer.from('16030100c8', 'hex'));
      }),
      connectTls({ ...to, ca }),
      connectTls({ ...to, ca }, function (this: Socket) {
        this.write('GET / HTTP/1.1\r\n');
      }),
    ]).flat();
    await Promise.all(
      silent.map((socket) => {
        socket.on('error', () => undefined).resume();
        return new Promise((resolve) => socket.on('close', resolve));
      }),
    );
  }, 16_000);

  it('is told from others by its certificate', async () => {
    await expect(greet({ ca: [] })).rejects.toThrow(/self-signed certificate|unable to verify/);
    const another = await Authority.create('Cabstand development', inHours(1));
    await expect(greet({ ca: another.pair.cert })).rejects.toThrow(/certificate|signature/);
    await expect(greet({ servername: 'trip' })).rejects.toMatchObject({ code: 'ERR_TLS_CERT_ALTNAME_INVALID' });
    await expect(greet({ servername: 'passenger' })).resolves.toBeDefined();
  });

  it('answers requests as it does without TLS', async () => {
    expect(service.url).toMatch(/^https:/);
    const answer = await fetch(new URL('/v1/notes', service.url));
    expect([answer.status, await answer.json()]).toMatchObject([401, { code: 'TOKEN_MISSING' }]);
    expect(await (await fetch(`${service.managementUrl}/readyz`)).json()).toMatchObject({ messaging: 'connected' });
  });
});

describe('a renewed certificate', () => {
  const serialOf = (cert: string) => new X509Certificate(cert).serialNumber;
  const renew = () =>
    servers.authority.issue({
      name: 'passenger',
      hosts: ['127.0.0.1'],
      usages: ['server', 'client'],
      notAfter: inHours(5),
    });

  it('is what new connections get, while no request fails', async () => {
    const before = (await greet()).serial;
    const statuses = new Map<string, number>();
    const count = (what: string) => statuses.set(what, (statuses.get(what) ?? 0) + 1);
    let over = false;
    const ask = async (agent?: false) => {
      while (!over) {
        await new Promise<void>((resolve) => {
          get(new URL('/v1/notes', service.url), { ca, agent }, (response) => {
            response.resume().on('end', resolve);
            count(String(response.statusCode));
          }).on('error', (error) => {
            count(error.message);
            resolve();
          });
        });
        await breathe();
      }
    };
    const asking = [ask(), ask(), ask(false), ask(false)];
    const fresh = await renew();
    const made = { ...files, cert: join(dirname(files.ca), 'fresh.crt'), key: join(dirname(files.ca), 'fresh.key') };
    writePair(made, fresh);
    swap(dirname(files.ca), { ...made, ca: servers.filesOf('passenger').ca });
    await eventually(async () => expect((await greet()).serial).toBe(serialOf(fresh.cert)));
    // Enough to have been answered before, while and after it changed, however slow the machine is.
    await eventually(() => expect(statuses.get('401')).toBeGreaterThan(20));
    over = true;
    await Promise.all(asking);
    expect([...statuses.keys()]).toEqual(['401']);
    expect(before).not.toBe(serialOf(fresh.cert));
  });

  it('says in a metric when it ends', async () => {
    const text = await (await fetch(`${service.managementUrl}/metrics`)).text();
    const [, seconds] = /^tls_certificate_not_after(?:{.*})? ([\d.e+]+)/m.exec(text) ?? [];
    expect(Number(seconds) * 1_000).toBe(new X509Certificate(readFileSync(files.cert)).validToDate.getTime());
  });

  it('is shown to PostgreSQL and RabbitMQ by new connections', async () => {
    const { serialNumber, validToDate } = new X509Certificate(readFileSync(files.cert));
    const admin = new pg.Client({ connectionString: servers.postgresUrl });
    await admin.connect();
    const end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'passenger'";
    const shown =
      'SELECT DISTINCT client_serial::text AS serial FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE usename = $1';
    await admin.query(end);
    await eventually(async () => {
      const { rows } = await admin.query<{ serial: string }>(shown, ['passenger']);
      expect(rows).toEqual([{ serial: BigInt(`0x${serialNumber}`).toString() }]);
    });
    await admin.end();

    const management = new Management(servers.managementUrl);
    interface Connection {
      name: string;
      user: string;
      peer_cert_validity: string;
    }
    const connections = async () =>
      (await management.get<Connection[]>('/api/connections')).filter(({ user }) => user === 'passenger');
    for (const { name } of await connections()) await management.delete(`/api/connections/${encodeURIComponent(name)}`);
    const until = validToDate.toISOString().slice(0, 19);
    await eventually(async () => {
      const validities = (await connections()).map(({ peer_cert_validity: validity }) => validity);
      expect(validities).toEqual([expect.stringContaining(until), expect.stringContaining(until)]);
    });
  });

  it('whose key is missing waits for it, and the one before stays', async () => {
    const before = (await greet()).serial;
    const [fresh, key] = [await renew(), readFileSync(files.key, 'utf8')];
    const folder = dirname(files.ca);
    const made = { ...files, cert: join(folder, 'half.crt'), key: join(folder, 'half.key') };
    writePair(made, { cert: fresh.cert, key });
    const ours = { ...made, ca: servers.filesOf('passenger').ca };
    swap(folder, ours);
    await expect(
      eventually(async () => expect((await greet()).serial).not.toBe(before), { timeoutMs: 4_500 }),
    ).rejects.toThrow();
    writePair(made, fresh);
    swap(folder, ours);
    await eventually(async () => expect((await greet()).serial).toBe(serialOf(fresh.cert)));
  });
});

it('an unfinished request is answered over the certificate with which it began', async () => {
  const answer = new Promise<number>((resolve, reject) => {
    const sending = request(new URL('/v1/open-notes', service.url), { ca, method: 'POST' }, (response) =>
      resolve(response.resume().statusCode ?? 0),
    );
    sending.on('error', reject);
    sending.setHeader('content-type', 'application/json');
    sending.write('{"text":');
    void greet()
      .then(async ({ serial }) => {
        const made = {
          ...files,
          cert: join(dirname(files.ca), 'later.crt'),
          key: join(dirname(files.ca), 'later.key'),
        };
        const hosts = ['127.0.0.1'];
        writePair(
          made,
          await servers.authority.issue({
            name: 'passenger',
            hosts,
            usages: ['server', 'client'],
            notAfter: inHours(5),
          }),
        );
        swap(dirname(files.ca), { ...made, ca: servers.filesOf('passenger').ca });
        await eventually(async () => expect((await greet()).serial).not.toBe(serial));
        sending.end('"late"}');
      })
      .catch(reject);
  });
  expect(await answer).toBe(202);
});
