import { createPrivateKey, X509Certificate } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import tls from 'node:tls';
import { SERVICES } from '@cabstand/contracts';
import { Authority, type CertificateRequest, type KeyPair } from './authority.ts';

const DAY_MS = 24 * 60 * 60 * 1_000;
const AUTHORITY_DAYS = 5 * 365;
const CERTIFICATE_DAYS = 90;
/** What ends sooner is made anew. */
const RENEW_DAYS = 30;

const LOOPBACK = ['localhost', '127.0.0.1', '::1'];

type Holder = Omit<CertificateRequest, 'notAfter'>;

/**
 * Everybody who holds a certificate, by folder. `postgres` and `rabbitmq` serve; `postgres-admin` and `rabbitmq-admin`
 * are the administrators' certificates; a service serves its clients and is itself a client of the servers; `web` serves
 * browsers.
 * The first host is the holder's own name: all of them are at `localhost`, so only that tells one from another.
 */
const HOLDERS: Record<string, Holder> = {
  postgres: { name: 'postgres', hosts: ['postgres', ...LOOPBACK], usages: ['server'] },
  'postgres-admin': { name: 'postgres', hosts: [], usages: ['client'] },
  rabbitmq: { name: 'rabbitmq', hosts: ['rabbitmq', ...LOOPBACK], usages: ['server'] },
  'rabbitmq-admin': { name: 'admin', hosts: [], usages: ['client'] },
  web: { name: 'web', hosts: ['web', ...LOOPBACK], usages: ['server'] },
  ...Object.fromEntries(
    SERVICES.map((name): [string, Holder] => [
      name,
      { name, hosts: [name, ...LOOPBACK], usages: ['server', 'client'] },
    ]),
  ),
};

export const CERTIFICATE_HOLDERS = Object.keys(HOLDERS);

/** Paths as cert-manager names them in a mounted secret. */
export interface CertificateFiles {
  cert: string;
  key: string;
  ca: string;
}

export const certificateFiles = (dir: string, holder: string): CertificateFiles => ({
  cert: join(dir, 'tls', holder, 'tls.crt'),
  key: join(dir, 'tls', holder, 'tls.key'),
  ca: join(dir, 'tls', 'ca.crt'),
});

/**
 * Makes the installation's authority and certificates under `<dir>/tls`, and those anew that are near their end.
 * `renew` makes every certificate anew, under the same authority. Answers whose it made.
 */
export async function ensureCertificates(dir: string, { renew = false } = {}): Promise<string[]> {
  const { authority, isNew } = await installationAuthority(dir);
  const made: string[] = [];
  for (const [holder, request] of Object.entries(HOLDERS)) {
    const files = certificateFiles(dir, holder);
    if (!renew && !isNew && isGood(readPair(files))) continue;
    writePair(files, await authority.issue({ ...request, notAfter: inDays(CERTIFICATE_DAYS) }));
    made.push(holder);
  }
  return made;
}

/** Who signs for the installation; made on first use, and anew near its end, with everything that it signed. */
export async function installationAuthority(dir: string): Promise<{ authority: Authority; isNew: boolean }> {
  const { ca } = certificateFiles(dir, '');
  const files = { cert: ca, key: join(dir, 'tls', 'ca.key'), ca };
  const pair = readPair(files);
  if (isGood(pair)) return { authority: await Authority.from(pair), isNew: false };
  const authority = await Authority.create('Cabstand development', inDays(AUTHORITY_DAYS));
  writePair(files, authority.pair);
  return { authority, isNew: true };
}

/** Trusts the installation's authority in this process as well as the public ones: for `fetch`. */
export function trustAuthority(dir: string): void {
  const ca = readFileSync(certificateFiles(dir, '').ca, 'utf8');
  tls.setDefaultCACertificates([...new Set([...tls.getCACertificates('default'), ca])]);
}

function readPair({ cert, key }: CertificateFiles): KeyPair | null {
  try {
    return { cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') };
  } catch {
    return null;
  }
}

function isGood(pair: KeyPair | null): pair is KeyPair {
  if (!pair) return false;
  const certificate = new X509Certificate(pair.cert);
  return (
    certificate.checkPrivateKey(createPrivateKey(pair.key)) &&
    certificate.validToDate.getTime() > inDays(RENEW_DAYS).getTime()
  );
}

/** Whoever reads meanwhile finds the old file or the new one, never half of one; and no key is ever open to others. */
export function writePair({ cert, key }: CertificateFiles, pair: KeyPair): void {
  for (const [file, text] of [
    [key, pair.key],
    [cert, pair.cert],
  ] as const) {
    mkdirSync(join(file, '..'), { recursive: true, mode: 0o700 });
    const fresh = `${file}.new`;
    rmSync(fresh, { force: true });
    writeFileSync(fresh, text, { mode: 0o600, flag: 'wx' });
    renameSync(fresh, file);
  }
}

const inDays = (days: number) => new Date(Date.now() + days * DAY_MS);
