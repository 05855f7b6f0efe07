import { OpsAudit, type Principal } from '@cabstand/auth';
import { Transactions } from '@cabstand/messaging';
import { Injectable, type CallHandler, type ExecutionContext, type NestInterceptor } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import type { Observable } from 'rxjs';
import { z } from 'zod';
import { RequestInvalid } from '../problem.ts';

const HEADER = 'access-reason';
const Reason = z
  .string()
  .trim()
  .regex(/^[^\p{C}\ufffd]{10,200}$/u);

/**
 * Operators see personal data masked, unless they say why they look at it: `Access-Reason`. It is on record before
 * anything is shown; if that fails, nothing is. From others the header means nothing.
 */
@Injectable()
export class AccessReasonInterceptor implements NestInterceptor {
  constructor(
    private readonly transactions: Transactions,
    private readonly audit: OpsAudit,
  ) {}

  async intercept(context: ExecutionContext, next: CallHandler): Promise<Observable<unknown>> {
    if (context.getType() !== 'http') return next.handle();
    const request = context.switchToHttp().getRequest<FastifyRequest & { principal?: Principal }>();
    const { principal } = request;
    if (principal?.role === 'operator' && request.headers[HEADER] !== undefined)
      principal.accessReason = await this.record(principal, request);
    return next.handle();
  }

  private async record(me: Principal, request: FastifyRequest): Promise<string> {
    // Node reads headers as Latin-1; what people write is UTF-8.
    const { success, data: reason } = Reason.safeParse(
      Buffer.from(String(request.headers[HEADER]), 'latin1').toString(),
    );
    if (!success) throw new RequestInvalid([{ path: 'Access-Reason', message: 'must be 10 to 200 characters' }]);
    // Nothing of the path has been checked yet, and anything may stand in it.
    const id = z.uuid().safeParse((request.params as { id?: string }).id);
    const target = id.success ? id.data : null;
    // With its cursor a page of a list can be told again.
    const { cursor } = request.query as { cursor?: unknown };
    const details = {
      call: `${request.method} ${request.routeOptions.url}`,
      ...(typeof cursor === 'string' ? { cursor } : {}),
    };
    await this.transactions.run((tx) =>
      this.audit.record(tx, me, [{ action: 'ops.personal-data-shown', target, details, reason }]),
    );
    return reason;
  }
}
