import { Authorize, CurrentPrincipal, type Principal } from '@cabstand/auth';
import { Body, Controller, Delete, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import { ApiAccessReason, ApiAnswer, ApiProblems } from '../openapi.ts';
import { pageOf, PageQuery } from '../page.ts';
import {
  DeadLetterId,
  DeadLetterItem,
  DeadLetterQuery,
  DeadLetterView,
  Discard,
  OutboxView,
  Replayed,
  ReplayRequest,
  SecurityEventItem,
  StatusView,
} from './ops.dto.ts';
import { opsPolicy } from './ops.policy.ts';
import { OpsService } from './ops.service.ts';

/** The same in every service, for its own outbox and its own queues. */
@Controller('v1/ops')
export class OpsController {
  constructor(private readonly ops: OpsService) {}

  /** The service's messaging at a glance. */
  @Get('status')
  @Authorize(opsPolicy, 'read')
  @ApiAnswer(200, StatusView)
  readStatus(): Promise<StatusView> {
    return this.ops.overview();
  }

  /** Events that are committed here and not yet confirmed by the broker. */
  @Get('outbox')
  @Authorize(opsPolicy, 'read')
  @ApiAnswer(200, OutboxView)
  readOutbox(): Promise<OutboxView> {
    return this.ops.outbox();
  }

  /** What attackers tried, newest first; the newest 10,000 are kept. */
  @Get('security-events')
  @Authorize(opsPolicy, 'read')
  @ApiAnswer(200, pageOf(SecurityEventItem))
  listSecurityEvents(@Query({ schema: PageQuery }) query: PageQuery) {
    return this.ops.securityEvents(query);
  }

  /** Newest first. */
  @Get('dead-letters')
  @Authorize(opsPolicy, 'read')
  @ApiAnswer(200, pageOf(DeadLetterItem))
  listDeadLetters(@Query({ schema: DeadLetterQuery }) query: DeadLetterQuery) {
    return this.ops.list(query);
  }

  /** With personal data masked, unless the operator says why they look. */
  @Get('dead-letters/:id')
  @Authorize(opsPolicy, 'read')
  @ApiAccessReason()
  @ApiAnswer(200, DeadLetterView)
  @ApiProblems('NOT_FOUND')
  readDeadLetter(
    @CurrentPrincipal() me: Principal,
    @Param('id', { schema: DeadLetterId }) id: string,
  ): Promise<DeadLetterView> {
    return this.ops.get(me, id);
  }

  /** Sends it to its queue again, for as many attempts as at first. It is gone from here, unless it fails again. */
  @Post('dead-letters/:id/replay')
  @HttpCode(200)
  @Authorize(opsPolicy, 'replay')
  @ApiAnswer(200, Replayed)
  @ApiProblems('NOT_FOUND', 'BROKER_UNAVAILABLE')
  replayDeadLetter(
    @CurrentPrincipal() me: Principal,
    @Param('id', { schema: DeadLetterId }) id: string,
  ): Promise<Replayed> {
    return this.ops.replay(me, id);
  }

  /** The same for all of a queue that are here now. */
  @Post('dead-letters/replay')
  @HttpCode(200)
  @Authorize(opsPolicy, 'replay')
  @ApiAnswer(200, Replayed)
  @ApiProblems('BROKER_UNAVAILABLE')
  replayDeadLetters(
    @CurrentPrincipal() me: Principal,
    @Body({ schema: ReplayRequest }) request: ReplayRequest,
  ): Promise<Replayed> {
    return this.ops.replayAll(me, request);
  }

  /** Throws it away for good; who did it, and why, is recorded. */
  @Delete('dead-letters/:id')
  @HttpCode(204)
  @Authorize(opsPolicy, 'discard')
  @ApiAnswer(204)
  @ApiProblems('NOT_FOUND')
  discardDeadLetter(
    @CurrentPrincipal() me: Principal,
    @Param('id', { schema: DeadLetterId }) id: string,
    @Body({ schema: Discard }) { reason }: Discard,
  ): Promise<void> {
    return this.ops.discard(me, id, reason);
  }
}
