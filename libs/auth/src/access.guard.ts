import { randomUUID } from 'node:crypto';
import { types } from 'node:util';
import { DomainError } from '@cabstand/contracts';
import { Injectable, type ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { AuthGuard } from '@nestjs/passport';
import type { FastifyReply } from 'fastify';
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

  /** Waits only where it has to: nearly every request brings a token that is known, and is under every limit. */
  override canActivate(context: ExecutionContext): boolean | Promise<boolean> {
    if (context.getType() !== 'http') return true;
    const access = this.reflector.getAllAndOverride<Access | undefined>(ACCESS, [
      context.getHandler(),
      context.getClass(),
    ]);
    if (access === 'public') return this.limits.check(context)?.then(() => true) ?? true;
    if (!access) throw new DomainError('ROLE_FORBIDDEN');
    try {
      const token = bearerToken(context.switchToHttp().getRequest());
      const known = token === null ? undefined : this.verified.find(token);
      if (known) return this.admit(context, access, known);
      return this.verify(context, token)
        .then((principal) => this.admit(context, access, principal))
        .catch((error: unknown) => {
          throw challenged(context, error);
        });
    } catch (error) {
      throw challenged(context, error);
    }
  }

  private async verify(context: ExecutionContext, token: string | null): Promise<Principal> {
    await super.canActivate(context);
    // Whoever is known later need not ask whether the list is there.
    await this.revoked.ready();
    const { principal } = context.switchToHttp().getRequest<{ principal: Principal }>();
    this.verified.add(token!, principal);
    return principal;
  }

  private admit(
    context: ExecutionContext,
    { policy, action }: Exclude<Access, 'public'>,
    principal: Principal,
  ): boolean | Promise<boolean> {
    if (this.revoked.isRevoked(principal)) throw new DomainError('TOKEN_INVALID');
    // A copy: what comes to be known of this request must not be known of the next.
    context.switchToHttp().getRequest<{ principal: Principal }>().principal = { ...principal };
    const granted = () => {
      if (!policy.grants(principal.role, action)) throw new DomainError('ROLE_FORBIDDEN');
      return true;
    };
    return this.limits.check(context, principal)?.then(granted) ?? granted();
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
