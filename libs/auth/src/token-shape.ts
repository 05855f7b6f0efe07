import type { TrustedIssuer } from './variables.ts';

export const TOKEN_MAX_BYTES = 8 * 1024;

/** What a token says of itself, before anything of it has been believed. */
export interface ClaimedToken {
  kid: string;
  alg: string;
  issuer: string;
}

/** A key in the header would let the token choose what verifies it; `crit` and `b64` would change what the rest means. */
const FORBIDDEN_HEADERS = ['jwk', 'jku', 'x5c', 'x5u', 'crit', 'b64', 'zip', 'enc'];
/** RFC 9068, section 2.1. */
const TYPES = ['at+jwt', 'application/at+jwt'];

/**
 * The token's shape, stricter than the libraries that read it: three parts of canonical base64url (one
 * spelling for each token, so that nothing can be smuggled in padding bits), two JSON objects, an access
 * token's `typ`, a `kid`. Null when anything is amiss.
 */
export function readShape(token: string): ClaimedToken | null {
  if (token.length > TOKEN_MAX_BYTES) return null;
  const parts = token.split('.');
  if (parts.length !== 3 || !parts.every(isCanonicalBase64url)) return null;
  const header = readObject(parts[0]!);
  const payload = readObject(parts[1]!);
  if (!header || !payload) return null;
  if (FORBIDDEN_HEADERS.some((name) => name in header)) return null;
  const { typ, kid, alg } = header;
  if (typeof typ !== 'string' || !TYPES.includes(typ.toLowerCase())) return null;
  if (typeof kid !== 'string' || kid.length === 0 || kid.length > 200) return null;
  if (typeof alg !== 'string' || typeof payload.iss !== 'string') return null;
  return { kid, alg, issuer: payload.iss };
}

/** The one trusted issuer that the token claims to be from, if it is signed as that issuer signs. */
export function claimedIssuer(claimed: ClaimedToken, trusted: readonly TrustedIssuer[]): TrustedIssuer | null {
  const issuer = trusted.find((candidate) => candidate.issuer === claimed.issuer);
  return issuer && issuer.algorithm === claimed.alg ? issuer : null;
}

const isCanonicalBase64url = (part: string) =>
  part.length > 0 && Buffer.from(part, 'base64url').toString('base64url') === part;

function readObject(part: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(part, 'base64url')));
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null;
  } catch {
    return null;
  }
}
