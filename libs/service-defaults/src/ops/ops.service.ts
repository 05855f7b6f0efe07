import type { Principal } from '@cabstand/auth';
import { DomainError } from '@cabstand/contracts';
import { DeadLetterOffice, MessagingStatus, type DeadLetterSummary } from '@cabstand/messaging';
import { Injectable, Logger } from '@nestjs/common';
import { page, positionOf, type Page } from '../page.ts';
import {
  cursorOf,
  DeadLetterCursor,
  deadLetterView,
  outboxView,
  type DeadLetterQuery,
  type DeadLetterView,
  type OutboxView,
  type Replayed,
  type ReplayRequest,
} from './ops.dto.ts';

/** What operators do with the service's messages, and the record of who did it. */
@Injectable()
export class OpsService {
  private readonly logger = new Logger('Ops');

  constructor(
    private readonly status: MessagingStatus,
    private readonly office: DeadLetterOffice,
  ) {}

  async outbox(): Promise<OutboxView> {
    return outboxView(await this.status.outbox());
  }

  async list({ queue, ...query }: DeadLetterQuery): Promise<Page<DeadLetterSummary>> {
    const found = await this.office.list(query.limit + 1, queue, positionOf(query, DeadLetterCursor));
    return page(found, query.limit, cursorOf);
  }

  async get(id: string): Promise<DeadLetterView> {
    const letter = await this.office.get(id);
    if (!letter) throw new DomainError('NOT_FOUND');
    return deadLetterView(letter);
  }

  async replay(me: Principal, id: string): Promise<Replayed> {
    this.record(me, 'ops.dead-letter-replayed', await this.office.replay(id));
    return { replayed: 1 };
  }

  async replayAll(me: Principal, filter: ReplayRequest): Promise<Replayed> {
    const replayed = await this.office.replayAll(filter, (letters) => {
      for (const letter of letters) this.record(me, 'ops.dead-letter-replayed', letter);
    });
    return { replayed };
  }

  async discard(me: Principal, id: string, reason: string): Promise<void> {
    this.record(me, 'ops.dead-letter-discarded', await this.office.discard(id), reason);
  }

  /** A message's own words, its type among them, stay out: they may say anything. */
  private record(me: Principal, event: string, letter: { id: string; queue: string }, reason?: string): void {
    const by = { issuer: me.issuer, subject: me.subject, clientId: me.clientId };
    this.logger.log({ event, by, deadLetterId: letter.id, queue: letter.queue, reason });
  }
}
