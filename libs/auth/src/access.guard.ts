import { randomUUID } from 'node:crypto';
import { types } from 'node:util';
import { DomainError } from '@cabstand/contracts';
import { Injectable, type ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { AuthGuard } from '@nestjs/passport';
import type { FastifyReply, FastifyRequest } from 'fastify';
import passport from 'passport';
import { ACCESS, type Access } from './access.decorators.ts';
import { AccessTokenStrategy, bearerToken, KeyLookupError } from './access-token.strategy.ts';
import type { Principal } from './principal.ts';
import { RequestLimits } from './request-limits.ts';
import { RevokedSessions } from './revoked-sessions.ts';
import { VerifiedTokens } from './verified-tokens.ts';

/** Stands before every HTTP route: no policy, no entry. */
@Injectable()
export class AccessGuard extends AuthGuard() {
  constructor(
    strategy: AccessTokenStrategy,
    private readonly reflector: Reflector,
    private readonly revoked: RevokedSessions,
    private readonly verified: VerifiedTokens,
    private readonly limits: RequestLimits,
  ) {
    // passport's registry is one for the process: under a fixed name a second application would replace this one's keys.
    const name = `access-token-${randomUUID()}`;
    passport.use(name, strategy);
    super({ defaultStrategy: name, property: 'principal', session: false });
  }

  /** Waits only for what it has to: nearly every request brings a token that is known, and is under every limit. */
  override async canActivate(context: ExecutionContext): Promise<boolean> {
    if (context.getType() !== 'http') return true;
    const access = this.reflector.getAllAndOverride<Access | undefined>(ACCESS, [
      context.getHandler(),
      context.getClass(),
    ]);
    if (access === 'public') {
      await this.limits.check(context);
      return true;
    }
    if (!access) throw new DomainError('ROLE_FORBIDDEN');
    const principal = await this.authenticate(context).catch((error: unknown) => {
      throw challenged(context, error);
    });
    const limited = this.limits.check(context, principal);
    if (limited) await limited;
    if (!access.policy.grants(principal.role, access.action)) throw new DomainError('ROLE_FORBIDDEN');
    return true;
  }

  private async authenticate(context: ExecutionContext): Promise<Principal> {
    const request = context.switchToHttp().getRequest<FastifyRequest & { principal: Principal }>();
    const token = bearerToken(request);
    const known = token === null ? undefined : this.verified.find(token);
    const principal = known ?? (await this.verify(context, token));
    const loading = this.revoked.ready();
    if (loading) await loading;
    if (this.revoked.isRevoked(principal)) throw new DomainError('TOKEN_INVALID');
    // A copy: what comes to be known of this request must not be known of the next.
    return (request.principal = { ...principal });
  }

  private async verify(context: ExecutionContext, token: string | null): Promise<Principal> {
    await super.canActivate(context);
    const { principal } = context.switchToHttp().getRequest<{ principal: Principal }>();
    this.verified.add(token!, principal);
    return principal;
  }

  /** `error` is what `validate` threw, `info` why passport-jwt refused; the type of neither is known. */
  override handleRequest<User>(error: unknown, user: User | false, info: unknown): User {
    if (user && !error) return user;
    const failure = info instanceof KeyLookupError ? info.cause : error;
    if (failure) throw types.isNativeError(failure) ? failure : new Error('token not checked', { cause: failure });
    if (info instanceof DomainError) throw info;
    if (info instanceof Error && info.message === 'No auth token') throw new DomainError('TOKEN_MISSING');
    // Whatever jsonwebtoken and what it stands on throw, a TypeError for an odd signature included.
    throw new DomainError('TOKEN_INVALID', undefined, { cause: info });
  }
}

/** RFC 6750, section 3: a 401 says how to authenticate. */
function challenged(context: ExecutionContext, error: unknown): unknown {
  if (error instanceof DomainError && error.kind === 'unauthenticated')
    void context
      .switchToHttp()
      .getResponse<FastifyReply>()
      .header('www-authenticate', error.code === 'TOKEN_INVALID' ? 'Bearer error="invalid_token"' : 'Bearer');
  return error;
}
