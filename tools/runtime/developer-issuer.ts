import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { exportJWK, generateKeyPair, importJWK, SignJWT, type JWK } from 'jose';
import { LOCAL, secret } from '../../infra/index.ts';

/**
 * Stands in for an organisation's own identity provider: the local services trust it to grant `operator`, and
 * nothing else. Its key is made on first use and never leaves `.local`.
 */
const ISSUER = 'https://development-issuer.cabstand.local';
const AUDIENCE = ['passenger', 'driver', 'trip'];

/** The element of TRUSTED_ISSUERS for it; writes the public keys where the services read them. */
export async function developerIssuer() {
  const { d: _, ...publicKey } = await privateKey();
  const file = join(LOCAL, 'development-issuer.jwks.json');
  mkdirSync(LOCAL, { recursive: true });
  writeFileSync(file, JSON.stringify({ keys: [publicKey] }));
  return { issuer: ISSUER, jwksUri: pathToFileURL(file).href, algorithm: 'ES256', roles: ['operator'] };
}

/** An operator's access token (RFC 9068). */
export async function operatorToken(subject: string, ttlS: number): Promise<string> {
  const key = await privateKey();
  const now = Math.floor(Date.now() / 1_000);
  return new SignJWT({ client_id: 'development', sid: crypto.randomUUID(), role: 'operator' })
    .setProtectedHeader({ alg: 'ES256', kid: key.kid, typ: 'at+jwt' })
    .setIssuer(ISSUER)
    .setSubject(subject)
    .setAudience(AUDIENCE)
    .setIssuedAt(now)
    .setExpirationTime(now + ttlS)
    .setJti(crypto.randomUUID())
    .sign(await importJWK(key, 'ES256'));
}

async function privateKey(): Promise<JWK> {
  const fresh = await generateKeyPair('ES256', { extractable: true });
  const jwk = { ...(await exportJWK(fresh.privateKey)), kid: crypto.randomUUID(), alg: 'ES256', use: 'sig' };
  return JSON.parse(secret(LOCAL, 'development-issuer.json', () => JSON.stringify(jwk))) as JWK;
}
