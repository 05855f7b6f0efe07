import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { exportJWK, generateKeyPair, importJWK, SignJWT, type JWK } from 'jose';
import { LOCAL, secret } from '../../infra/index.ts';
import type { Settings } from './settings.ts';

/**
 * Stands in for an organisation's own identity provider: the local services trust it to grant `operator`, and nothing
 * else. Its key is made on first use and never leaves `.local`; the services read the public half from a file, so that
 * its tokens are good whether the provider (tools/local/identity-provider.ts) runs or not.
 */
export const OPERATORS_AUDIENCE = ['passenger', 'driver', 'trip'];
export const LOCAL_OPERATOR = '00000000-0000-7000-8000-000000000001';

/** What it is called is where it is while `npm start` runs. */
export const issuerUrl = ({ tls, ports }: Pick<Settings, 'tls' | 'ports'>) =>
  `http${tls ? 's' : ''}://localhost:${ports.identity}`;

/** The element of TRUSTED_ISSUERS for it; writes the public keys where the services read them. */
export async function developerIssuer(settings: Pick<Settings, 'tls' | 'ports'>) {
  const jwksUri = await publishKey();
  return { issuer: issuerUrl(settings), jwksUri, algorithm: 'ES256', roles: ['operator'] };
}

async function publishKey(): Promise<string> {
  const { d: _, ...publicKey } = await developerKey();
  const file = join(LOCAL, 'development-issuer.jwks.json');
  mkdirSync(LOCAL, { recursive: true });
  writeFileSync(file, JSON.stringify({ keys: [publicKey] }));
  return pathToFileURL(file).href;
}

/** An operator's access token (RFC 9068). `issuer` is what the services call the development issuer. */
export async function operatorToken(
  issuer: string,
  { subject = LOCAL_OPERATOR, ttlS = 300 }: { subject?: string; ttlS?: number } = {},
): Promise<string> {
  // Services that run already read it when they see a key that they don't know.
  await publishKey();
  const key = await developerKey();
  const now = Math.floor(Date.now() / 1_000);
  return new SignJWT({ client_id: 'development', sid: crypto.randomUUID(), role: 'operator' })
    .setProtectedHeader({ alg: 'ES256', kid: key.kid, typ: 'at+jwt' })
    .setIssuer(issuer)
    .setSubject(subject)
    .setAudience(OPERATORS_AUDIENCE)
    .setIssuedAt(now)
    .setExpirationTime(now + ttlS)
    .setJti(crypto.randomUUID())
    .sign(await importJWK(key, 'ES256'));
}

/** The private key. */
export async function developerKey(): Promise<JWK> {
  const fresh = await generateKeyPair('ES256', { extractable: true });
  const jwk = { ...(await exportJWK(fresh.privateKey)), kid: crypto.randomUUID(), alg: 'ES256', use: 'sig' };
  return JSON.parse(secret(LOCAL, 'development-issuer.json', () => JSON.stringify(jwk))) as JWK;
}
