import { randomUUID } from 'node:crypto';
import { OpsAudit, SecurityLog, type Principal } from '@cabstand/auth';
import { DeadLetterOffice, MessagingStatus, type DeadLetterSummary, type Recording } from '@cabstand/messaging';
import { Injectable } from '@nestjs/common';
import { page, positionOf, type Page, type PageQuery } from '../page.ts';
import {
  cursorOf,
  DeadLetterCursor,
  deadLetterView,
  outboxView,
  queueView,
  SecurityEventId,
  securityEventItem,
  type DeadLetterQuery,
  type DeadLetterView,
  type OutboxView,
  type Replayed,
  type ReplayRequest,
  type StatusView,
} from './ops.dto.ts';
import { FaultSettings } from './fault.controller.ts';
import { opsPolicy } from './ops.policy.ts';

/** What operators do with the service's messages, and the record of who did it. */
@Injectable()
export class OpsService {
  private readonly process = { id: randomUUID(), startedAt: new Date().toISOString() };

  constructor(
    private readonly status: MessagingStatus,
    private readonly office: DeadLetterOffice,
    private readonly audit: OpsAudit,
    private readonly faults: FaultSettings,
    private readonly securityLog: SecurityLog,
  ) {}

  async overview(): Promise<StatusView> {
    const { status } = this;
    const [outbox, queues, deadLetters] = await Promise.all([this.outbox(), status.queues(), status.deadLetters()]);
    const { types: _, ...depth } = outbox;
    return {
      process: { ...this.process, ...status.totals },
      messaging: status.connected ? 'connected' : 'disconnected',
      relay: status.relayPaused ? 'paused' : 'running',
      outbox: depth,
      queues: queues.map(queueView),
      deadLetters,
      faultSwitches: this.faults.switches,
    };
  }

  async outbox(): Promise<OutboxView> {
    return outboxView(await this.status.outbox());
  }

  async securityEvents(query: PageQuery) {
    const found = await this.securityLog.list(query.limit + 1, positionOf(query, SecurityEventId));
    return page(found.map(securityEventItem), query.limit, ({ id }) => id);
  }

  async list({ queue, ...query }: DeadLetterQuery): Promise<Page<DeadLetterSummary>> {
    const found = await this.office.list(query.limit + 1, queue, positionOf(query, DeadLetterCursor));
    return page(found, query.limit, cursorOf);
  }

  /** @throws DomainError NOT_FOUND */
  async get(me: Principal, id: string): Promise<DeadLetterView> {
    const letter = await this.office.get(id);
    opsPolicy.check(me, 'read', letter);
    return deadLetterView(letter, opsPolicy.view(me, letter));
  }

  async replay(me: Principal, id: string): Promise<Replayed> {
    await this.office.replay(id, this.recording(me, 'ops.dead-letter-replayed'));
    return { replayed: 1 };
  }

  async replayAll(me: Principal, filter: ReplayRequest): Promise<Replayed> {
    return { replayed: await this.office.replayAll(filter, this.recording(me, 'ops.dead-letter-replayed')) };
  }

  discard(me: Principal, id: string, reason: string): Promise<void> {
    return this.office.discard(id, this.recording(me, 'ops.dead-letter-discarded', reason));
  }

  /** A message's own words, its type among them, stay out: they may say anything. */
  private recording(me: Principal, action: string, reason?: string): Recording {
    return (tx, letters) =>
      this.audit.record(
        tx,
        me,
        letters.map(({ id, queue }) => ({ action, target: id, details: { queue }, reason })),
      );
  }
}
