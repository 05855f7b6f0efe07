import { DomainError } from '@cabstand/contracts';
import { Injectable, SetMetadata, type ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { LimitName } from './limit-rules.ts';
import { Limits } from './limits.ts';
import { networkOf } from './network.ts';
import type { Principal } from './principal.ts';

const LIMITED = Symbol('cabstand:limited');

/** Under which limit the route's calls count; see LIMIT_RULES for what counts without it. */
export const Limited = (name: LimitName) => SetMetadata(LIMITED, name);

/** Counts requests, as soon as the guard knows whose they are. */
@Injectable()
export class RequestLimits {
  constructor(
    private readonly reflector: Reflector,
    private readonly limits: Limits,
  ) {}

  /** @throws DomainError RATE_LIMITED */
  async check(context: ExecutionContext, principal?: Principal): Promise<void> {
    const http = context.switchToHttp();
    const request = http.getRequest<FastifyRequest>();
    const name =
      this.reflector.get<LimitName | undefined>(LIMITED, context.getHandler()) ??
      (!principal ? 'public' : /^(GET|HEAD)$/.test(request.method) ? 'read' : 'write');
    const who = principal ? `${principal.issuer} ${principal.subject}` : networkOf(request.ip);
    const { limit, allowed, remaining, resetS } = await this.limits.take(name, who);
    // draft-ietf-httpapi-ratelimit-headers-10
    void http
      .getResponse<FastifyReply>()
      .header('ratelimit-policy', `"${name}";q=${limit.calls};w=${limit.windowMs / 1_000}`)
      .header('ratelimit', `"${name}";r=${remaining};t=${resetS}`);
    if (!allowed) throw new DomainError('RATE_LIMITED', undefined, { retryAfterS: resetS });
  }
}
