import { DomainError, Role } from '@cabstand/contracts';
import { Inject, Injectable } from '@nestjs/common';
import { PassportStrategy } from '@nestjs/passport';
import type { FastifyRequest } from 'fastify';
import { Strategy } from 'passport-jwt';
import { z } from 'zod';
import { AUTH_OPTIONS, IssuerKeys, type AuthOptions } from './issuer-keys.ts';
import type { Principal } from './principal.ts';
import { claimedRole } from './claimed-role.ts';
import { claimedIssuer, readShape } from './token-shape.ts';

const FUTURE_TOLERANCE_S = 60;
const HEADER = 'authorization';
/** The end of the year 9999; what is beyond can't be said as a date. */
const LATEST_EXPIRY_S = 253_402_300_799;

/** passport can't tell a bad token from a failure of ours; this can. */
export class KeyLookupError extends Error {
  constructor(override readonly cause: unknown) {
    super('no key to check the token with', { cause });
    this.name = 'KeyLookupError';
  }
}

const registered = {
  iss: z.string(),
  exp: z.int().max(LATEST_EXPIRY_S),
  iat: z.int(),
  jti: z.string().min(1).max(255),
  client_id: z.string().min(1).max(255),
};
/** RFC 9068, section 2.2, plus whose session it is and as what. Accounts of ours have UUIDs; an operator's issuer names people as it likes. */
const Claims = z.discriminatedUnion('role', [
  z.object({ ...registered, role: z.enum(['passenger', 'driver']), sub: z.uuid(), sid: z.uuid() }),
  z.object({
    ...registered,
    role: z.literal(Role.enum.operator),
    sub: z.string().min(1).max(255),
    sid: z.string().max(255).optional(),
  }),
]);

/**
 * Verifies access tokens. passport-jwt checks signature, algorithm, audience, `exp` and `nbf`; the key
 * provider decides before that whose key the token may be checked with, and `validate` after it what the
 * claims have to say.
 */
@Injectable()
export class AccessTokenStrategy extends PassportStrategy(Strategy) {
  private readonly options: AuthOptions;

  constructor(keys: IssuerKeys, @Inject(AUTH_OPTIONS) options: AuthOptions) {
    super({
      jwtFromRequest: (request: FastifyRequest) => bearerToken(request),
      audience: options.audience,
      issuer: options.trustedIssuers.map(({ issuer }) => issuer),
      algorithms: [...new Set(options.trustedIssuers.map(({ algorithm }) => algorithm))],
      secretOrKeyProvider: (_request: FastifyRequest, token: string, done: (error: unknown, key?: never) => void) => {
        const claimed = readShape(token);
        const issuer = claimed && claimedIssuer(claimed, options.trustedIssuers);
        if (!issuer) return done(new DomainError('TOKEN_INVALID'));
        // The type knows strings only; jsonwebtoken takes a KeyObject, and spares itself parsing a PEM each time.
        keys
          .find(issuer, claimed.kid)
          .then((key) => done(null, key as unknown as never))
          .catch((error: unknown) => done(new KeyLookupError(error)));
      },
    });
    this.options = options;
  }

  /** @throws DomainError TOKEN_INVALID */
  validate(payload: { iss: string }): Principal {
    const issuer = this.options.trustedIssuers.find((candidate) => candidate.issuer === payload.iss);
    const { success, data: claims } = Claims.safeParse({ ...payload, role: issuer && claimedRole(issuer, payload) });
    if (!success || claims.iat > Date.now() / 1000 + FUTURE_TOLERANCE_S) throw new DomainError('TOKEN_INVALID');
    return {
      issuer: claims.iss,
      subject: claims.sub,
      role: claims.role,
      sessionId: claims.sid ?? null,
      clientId: claims.client_id,
      expiresAt: new Date(claims.exp * 1000),
    };
  }
}

/**
 * The token of the one Authorization header; null when there is none.
 * @throws DomainError TOKEN_INVALID when the request presents more than one, or one in its query (RFC 6750, section 2)
 */
export function bearerToken(request: FastifyRequest): string | null {
  const { rawHeaders } = request.raw;
  let count = 0;
  // Names and values by turns; by length first, because this runs for each header of each request.
  for (let i = 0; i < rawHeaders.length; i += 2)
    if (rawHeaders[i]!.length === HEADER.length && rawHeaders[i]!.toLowerCase() === HEADER) count++;
  const inQuery = typeof request.query === 'object' && request.query !== null && 'access_token' in request.query;
  if (count > 1 || inQuery) throw new DomainError('TOKEN_INVALID');
  return /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1] ?? null;
}
