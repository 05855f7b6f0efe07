import { DomainError } from '@cabstand/contracts';
import { Injectable, SetMetadata, type ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { LimitName } from './limit-rules.ts';
import { Limits, type Verdict } from './limits.ts';
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

  /**
   * Undefined, or a promise where the count of all replicas is waited for.
   * @throws DomainError RATE_LIMITED
   */
  check(context: ExecutionContext, principal?: Principal): Promise<void> | undefined {
    const http = context.switchToHttp();
    const request = http.getRequest<FastifyRequest>();
    const name =
      this.reflector.get<LimitName | undefined>(LIMITED, context.getHandler()) ??
      (!principal ? 'public' : request.method === 'GET' || request.method === 'HEAD' ? 'read' : 'write');
    const who = principal ? `${principal.issuer} ${principal.subject}` : networkOf(request.ip);
    const verdict = this.limits.take(name, who);
    const tell = (told: Verdict) => this.tell(http.getResponse<FastifyReply>(), told);
    return verdict instanceof Promise ? verdict.then(tell) : tell(verdict);
  }

  private tell(reply: FastifyReply, { limit, allowed, remaining, resetS }: Verdict): undefined {
    // draft-ietf-httpapi-ratelimit-headers-10
    void reply
      .header('ratelimit-policy', limit.policy)
      .header('ratelimit', `"${limit.name}";r=${remaining};t=${resetS}`);
    if (!allowed) throw new DomainError('RATE_LIMITED', undefined, { retryAfterS: resetS });
  }
}
