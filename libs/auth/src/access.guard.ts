import { randomUUID } from 'node:crypto';
import { types } from 'node:util';
import { DomainError } from '@cabstand/contracts';
import { Injectable, type ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { AuthGuard } from '@nestjs/passport';
import type { FastifyReply } from 'fastify';
import passport from 'passport';
import { ACCESS, type Access } from './access.decorators.ts';
import { AccessTokenStrategy, KeyLookupError } from './access-token.strategy.ts';
import type { Principal } from './principal.ts';
import { RevokedSessions } from './revoked-sessions.ts';

/** Stands before every HTTP route: no policy, no entry. */
@Injectable()
export class AccessGuard extends AuthGuard() {
  constructor(
    strategy: AccessTokenStrategy,
    private readonly reflector: Reflector,
    private readonly revoked: RevokedSessions,
  ) {
    // passport's registry is one for the process: under a fixed name a second application would replace this one's keys.
    const name = `access-token-${randomUUID()}`;
    passport.use(name, strategy);
    super({ defaultStrategy: name, property: 'principal', session: false });
  }

  override async canActivate(context: ExecutionContext): Promise<boolean> {
    if (context.getType() !== 'http') return true;
    const access = this.reflector.getAllAndOverride<Access | undefined>(ACCESS, [
      context.getHandler(),
      context.getClass(),
    ]);
    if (access === 'public') return true;
    if (!access) throw new DomainError('ROLE_FORBIDDEN');
    const principal = await this.authenticate(context).catch((error: unknown) => {
      throw challenged(context, error);
    });
    if (!access.policy.grants(principal.role, access.action)) throw new DomainError('ROLE_FORBIDDEN');
    return true;
  }

  private async authenticate(context: ExecutionContext): Promise<Principal> {
    await super.canActivate(context);
    const { principal } = context.switchToHttp().getRequest<{ principal: Principal }>();
    await this.revoked.ready();
    if (this.revoked.isRevoked(principal)) throw new DomainError('TOKEN_INVALID');
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
