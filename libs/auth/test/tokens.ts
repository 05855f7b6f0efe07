import { generateKeyPairSync, randomUUID, sign, type KeyObject } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { TrustedIssuer } from '../src/index.ts';

export interface Key {
  kid: string;
  alg: 'ES256' | 'RS256';
  privateKey: KeyObject;
  publicKey: KeyObject;
}

export function createKey(alg: Key['alg'] = 'ES256', kid: string = randomUUID()): Key {
  const pair =
    alg === 'ES256'
      ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
      : generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { kid, alg, ...pair };
}

export const jwksOf = (...all: Key[]) => ({
  keys: all.map(({ kid, alg, publicKey }) => ({ ...publicKey.export({ format: 'jwk' }), kid, alg, use: 'sig' })),
});

/** A key set in a file, as an issuer that is configured by hand. */
export function publish(issuer: string, roles: TrustedIssuer['roles'], key: Key) {
  const folder = mkdtempSync(join(tmpdir(), 'cabstand-jwks-'));
  const file = join(folder, 'jwks.json');
  writeFileSync(file, JSON.stringify(jwksOf(key)));
  const trusted: TrustedIssuer = { issuer, jwksUri: pathToFileURL(file).href, algorithm: key.alg, roles };
  return { trusted, drop: () => rmSync(folder, { recursive: true }) };
}

export const encode = (value: unknown) =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

/** Signs anything, however wrong: what libraries would refuse to make is what has to be refused. */
export function signRaw(key: Key, header: unknown, payload: unknown): string {
  const input = `${encode(header)}.${encode(payload)}`;
  const options = key.alg === 'ES256' ? { key: key.privateKey, dsaEncoding: 'ieee-p1363' as const } : key.privateKey;
  return `${input}.${sign('sha256', Buffer.from(input), options).toString('base64url')}`;
}

export const headerOf = (key: Key, changes: object = {}) => ({
  alg: key.alg,
  typ: 'at+jwt',
  kid: key.kid,
  ...changes,
});

export function claimsOf(issuer: string, changes: object = {}) {
  const now = Math.floor(Date.now() / 1000);
  return {
    iss: issuer,
    sub: randomUUID(),
    aud: ['passenger', 'trip'],
    exp: now + 300,
    iat: now,
    jti: randomUUID(),
    client_id: 'test',
    sid: randomUUID(),
    role: 'passenger',
    ...changes,
  };
}
