import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { exportJWK, generateKeyPair, SignJWT, type JWTPayload } from 'jose';

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
  drop(): void;
}

/** An issuer with a throw-away key: a second one of the same name is an impostor, its tokens must be refused. */
export async function createTestIssuer(issuer = 'https://issuer.test'): Promise<TestIssuer> {
  const { privateKey, publicKey } = await generateKeyPair('ES256');
  const kid = crypto.randomUUID();
  const folder = mkdtempSync(join(tmpdir(), 'cabstand-issuer-'));
  const file = join(folder, 'jwks.json');
  const key = { ...(await exportJWK(publicKey)), kid, alg: 'ES256', use: 'sig' };
  writeFileSync(file, JSON.stringify({ keys: [key] }));
  const jwksUri = pathToFileURL(file).href;
  return {
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
      return new SignJWT({ ...standard, ...claims }).setProtectedHeader({ alg: 'ES256', kid, typ }).sign(privateKey);
    },
    drop: () => rmSync(folder, { recursive: true, force: true }),
  };
}
