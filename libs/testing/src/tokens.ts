import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { JWTPayload } from 'jose';
import { encode, signWith, type Forger } from './token-forge.ts';

export type TestRole = 'passenger' | 'driver' | 'operator';

const AUDIENCES: Record<TestRole, string[]> = {
  passenger: ['passenger', 'trip'],
  driver: ['driver', 'trip'],
  operator: ['passenger', 'driver', 'trip'],
};

export interface TestIssuer {
  issuer: string;
  /** `file:` URL of its public keys. */
  jwksUri: string;
  /** An element of TRUSTED_ISSUERS that lets this issuer grant these roles. */
  trustedIssuer(...roles: TestRole[]): { issuer: string; jwksUri: string; algorithm: 'ES256'; roles: TestRole[] };
  /** An access token (RFC 9068). `claims` override, `undefined` leaves one out; `typ` is the header's. */
  token(role: TestRole, subject: string, claims?: JWTPayload, typ?: string): Promise<string>;
  /** For making tokens as bad as they come, for the service of that name. */
  forger(audience: string, bait?: string): Forger;
  drop(): void;
}

/** An issuer with a throw-away key: a second one of the same name is an impostor, its tokens must be refused. */
export function createTestIssuer(issuer = 'https://issuer.test'): Promise<TestIssuer> {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const kid = crypto.randomUUID();
  const folder = mkdtempSync(join(tmpdir(), 'cabstand-issuer-'));
  const file = join(folder, 'jwks.json');
  const key = { ...publicKey.export({ format: 'jwk' }), kid, alg: 'ES256', use: 'sig' };
  writeFileSync(file, JSON.stringify({ keys: [key] }));
  const jwksUri = pathToFileURL(file).href;
  const sign = (header: unknown, claims: unknown) => {
    const input = `${encode(header)}.${encode(claims)}`;
    return `${input}.${signWith(privateKey, input)}`;
  };
  return Promise.resolve({
    issuer,
    jwksUri,
    trustedIssuer: (...roles) => ({ issuer, jwksUri, algorithm: 'ES256', roles }),
    token: (role, subject, claims = {}, typ = 'at+jwt') => {
      const now = Math.floor(Date.now() / 1_000);
      const standard = {
        iss: issuer,
        sub: subject,
        aud: AUDIENCES[role],
        iat: now,
        exp: now + 300,
        jti: crypto.randomUUID(),
        client_id: 'test',
        sid: crypto.randomUUID(),
        role,
      };
      return Promise.resolve(sign({ alg: 'ES256', kid, typ }, { ...standard, ...claims }));
    },
    forger: (audience, bait = 'http://127.0.0.1:9/') => ({ issuer, audience, kid, publicKey, sign, bait }),
    drop: () => rmSync(folder, { recursive: true, force: true }),
  });
}
