import { Authorize, CurrentPrincipal, OpsAudit, type Principal } from '@cabstand/auth';
import { FaultSwitches, Transactions } from '@cabstand/messaging';
import { Body, Controller, HttpCode, Param, Put } from '@nestjs/common';
import { z } from 'zod';
import { ApiAnswer, ApiProblems } from '../openapi.ts';
import { faultPolicy } from './ops.policy.ts';

/** FAULT_SWITCHES; a class, so that it can be injected. */
export class FaultSettings {
  constructor(readonly switches: 'on' | 'off') {}
}

const QueueName = z.string().min(1).max(255);
const ConsumerState = z.strictObject({ state: z.enum(['running', 'stopped']) });
type ConsumerState = z.infer<typeof ConsumerState>;
const RelayState = z.strictObject({ state: z.enum(['running', 'paused']) });
type RelayState = z.infer<typeof RelayState>;

/** There only with FAULT_SWITCHES=on. A fault is this process's, and gone when it ends. */
@Controller('v1/ops/faults')
export class FaultController {
  constructor(
    private readonly faults: FaultSwitches,
    private readonly transactions: Transactions,
    private readonly audit: OpsAudit,
  ) {}

  /** Stopped: messages wait in the queue. Running: they are handled, those that waited first. */
  @Put('consumers/:queue')
  @HttpCode(204)
  @Authorize(faultPolicy, 'switch')
  @ApiAnswer(204)
  @ApiProblems('NOT_FOUND')
  async switchConsumer(
    @CurrentPrincipal() me: Principal,
    @Param('queue', { schema: QueueName }) queue: string,
    @Body({ schema: ConsumerState }) { state }: ConsumerState,
  ): Promise<void> {
    await this.faults.switchConsumer(queue, state === 'running');
    await this.record(me, `ops.consumer-${state}`, queue);
  }

  /** Paused: events wait in the outbox. */
  @Put('relay')
  @HttpCode(204)
  @Authorize(faultPolicy, 'switch')
  @ApiAnswer(204)
  async switchRelay(
    @CurrentPrincipal() me: Principal,
    @Body({ schema: RelayState }) { state }: RelayState,
  ): Promise<void> {
    this.faults.switchRelay(state === 'running');
    await this.record(me, `ops.relay-${state}`);
  }

  private record(me: Principal, action: string, target: string | null = null): Promise<void> {
    return this.transactions.run((tx) => this.audit.record(tx, me, [{ action, target }]));
  }
}
