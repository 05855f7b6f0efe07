import { Authority, writePair, type CertificateRequest } from '@cabstand/testing';
import { connect, credentials } from 'amqplib';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SecureContextOptions } from 'node:tls';
import { Database } from '../src/database.ts';
import { tlsOf } from '../src/index.ts';
import { Impostor, only } from './impostor.ts';

const HOUR_MS = 60 * 60 * 1_000;
const inHours = (hours: number) => new Date(Date.now() + hours * HOUR_MS);

const folder = mkdtempSync(join(tmpdir(), 'cabstand-links-'));
const [cert, key, ca] = ['tls.crt', 'tls.key', 'ca.crt'].map((name) => join(folder, name)) as [string, string, string];
const files = { TLS_CERT_FILE: cert, TLS_KEY_FILE: key, TLS_CA_FILE: ca };
let authority: Authority;

beforeAll(async () => {
  authority = await Authority.create('Cabstand development', inHours(1));
  writeFileSync(ca, authority.pair.cert);
  writePair({ cert, key, ca }, await issue({ name: 'passenger', hosts: [], usages: ['client'] }));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

type Link = 'PostgreSQL' | 'RabbitMQ' | 'keys of an issuer';
/** In whose name the server of each link has its certificate. Only the issuer's stands in a URL here. */
const NAMES: Record<Link, string> = { PostgreSQL: 'postgres', RabbitMQ: 'rabbitmq', 'keys of an issuer': 'localhost' };
const LINKS = Object.keys(NAMES) as Link[];

/** Connects as the service does. */
async function dial(link: Link, port: number): Promise<unknown> {
  const tls = tlsOf(files);
  if (link === 'keys of an issuer') return fetch(`https://localhost:${port}/.well-known/jwks.json`);
  if (link === 'RabbitMQ')
    return connect(`amqps://127.0.0.1:${port}/cabstand`, {
      ...tls?.to('rabbitmq'),
      credentials: credentials.external(),
    });
  const url = `postgres://passenger@127.0.0.1:${port}/passenger`;
  const database = new Database({ url, poolSize: 2, tls: tls?.to('postgres'), entities: [], migrations: [] });
  const { error } = await database.state();
  await database.close();
  throw error;
}

type Bad = [
  what: string,
  secure: (name: string) => Promise<SecureContextOptions> | SecureContextOptions | null,
  reason: RegExp,
];

const issue = (changes: Partial<CertificateRequest>, by = authority) =>
  by.issue({ name: 'server', hosts: ['127.0.0.1'], usages: ['server'], notAfter: inHours(1), ...changes });
const good = (name: string) => issue({ hosts: [name] });

/** Each differs from a good one in a single thing. */
const BAD: Bad[] = [
  ['has no certificate', () => ({}), /handshake|alert|certificate|closed|disconnected|reset/i],
  [
    'has one that expired',
    (name) => issue({ hosts: [name], notBefore: inHours(-2), notAfter: inHours(-1) }),
    /EXPIRED/,
  ],
  [
    "has one that isn't valid yet",
    (name) => issue({ hosts: [name], notBefore: inHours(1), notAfter: inHours(2) }),
    /NOT_YET/,
  ],
  [
    'has one of another authority',
    async (name) => issue({ hosts: [name] }, await Authority.create('Cabstand development', inHours(1))),
    /CERT_SIGNATURE_FAILURE|UNABLE_TO_VERIFY/,
  ],
  ["has another service's", () => issue({ name: 'trip', hosts: ['trip', '127.0.0.1'] }), /ALTNAME/],
  ['has one in another name', () => issue({ hosts: ['elsewhere.example'] }), /ALTNAME/],
  ['has one that is for clients', (name) => issue({ hosts: [name], usages: ['client'] }), /INVALID_PURPOSE/],
  ['speaks plain text', () => null, /support SSL|PACKET_LENGTH|WRONG_VERSION|closed|disconnected/],
  ['speaks TLS 1.0', async (name) => ({ ...(await good(name)), ...only('TLSv1') }), /PROTOCOL|alert/i],
  ['speaks TLS 1.1', async (name) => ({ ...(await good(name)), ...only('TLSv1.1') }), /PROTOCOL|alert/i],
  ['speaks TLS 1.2', async (name) => ({ ...(await good(name)), ...only('TLSv1.2') }), /PROTOCOL|alert/i],
];

/** What the service says to whoever stands in the server's place, or why it says nothing. */
async function say(link: Link, secure: SecureContextOptions | null): Promise<string> {
  const impostor = await Impostor.at(link === 'PostgreSQL' ? 'postgres' : 'other', secure);
  const refusal = dial(link, impostor.port).then(
    () => 'an answer',
    (error: NodeJS.ErrnoException) => {
      const cause = (error.cause ?? error) as NodeJS.ErrnoException;
      return `refused: ${cause.code} ${cause.message}`;
    },
  );
  // A greeting in clear is TLS's own, and tells nothing.
  const heard = impostor.heard.then((text) => (text.startsWith('\x16\x03') ? refusal : `told ${text}`));
  try {
    return await Promise.race([refusal, heard]);
  } finally {
    impostor.close();
    await refusal;
  }
}

describe.each(LINKS)('the service, connecting to %s,', (link) => {
  it('talks to a server with a good certificate', async () => {
    expect(await say(link, await good(NAMES[link]))).toMatch(/^told .*(user|AMQP|GET)/s);
  });

  it.each(BAD)('refuses one that %s', async (_, secure, reason) => {
    const said = await say(link, await secure(NAMES[link]));
    expect(said).toMatch(/^refused: /);
    expect(said).toMatch(reason);
  });
});
