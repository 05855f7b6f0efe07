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
/** RFC 9068, section 2.1; RFC 7515, section 4.1.9 wants the short spelling, and issuers use it. */
const TYPE = 'at+jwt';

/**
 * The token's shape, stricter than the libraries that read it: three parts of canonical base64url (one
 * spelling for each token, so that nothing can be smuggled in padding bits), two JSON objects in which no
 * name occurs twice, an access token's `typ`, a `kid`. Null when anything is amiss.
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
  if (typ !== TYPE) return null;
  if (typeof kid !== 'string' || kid.length === 0 || kid.length > 200) return null;
  if (typeof alg !== 'string' || typeof payload.iss !== 'string') return null;
  return { kid, alg, issuer: payload.iss };
}

/** The one trusted issuer that the token claims to be from, if it is signed as that issuer signs. */
export function claimedIssuer(claimed: ClaimedToken, trusted: readonly TrustedIssuer[]): TrustedIssuer | null {
  const issuer = trusted.find((candidate) => candidate.issuer === claimed.issuer);
  return issuer && issuer.algorithm === claimed.alg ? issuer : null;
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

const isCanonicalBase64url = (part: string) =>
  part.length > 0 && Buffer.from(part, 'base64url').toString('base64url') === part;

function readObject(part: string): Record<string, unknown> | null {
  try {
    const json = utf8.decode(Buffer.from(part, 'base64url'));
    const value: unknown = JSON.parse(json);
    if (typeof value !== 'object' || value === null || Array.isArray(value) || repeatsName(json)) return null;
    return value as Record<string, unknown>;
  } catch {
    return null;
  }
}

/** Whether an object in this valid JSON names a member twice: readers differ in which of the two they take. */
function repeatsName(json: string): boolean {
  const open: Set<unknown>[] = [];
  for (const [token, name] of json.matchAll(/("(?:[^"\\]|\\.)*")\s*:|"(?:[^"\\]|\\.)*"|[{}]/g)) {
    if (token === '{') open.push(new Set());
    else if (token === '}') open.pop();
    else if (name !== undefined) {
      const names = open.at(-1)!;
      // Parsed, because a letter can be spelled as an escape as well.
      if (names.size === names.add(JSON.parse(name)).size) return true;
    }
  }
  return false;
}
