import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { ConsumeConnection, PublishConnection } from './broker-connection.ts';

/** Events of one type that the broker hasn't confirmed yet. */
export interface OutboxFigures {
  type: string;
  depth: number;
  oldestAgeS: number;
  /** The broker returned or refused them. */
  refused: number;
  /** They wait behind a refused one of their aggregate. */
  waiting: number;
}

/** For `/readyz`, which shows the connection but doesn't depend on it, and for operators. */
@Injectable()
export class MessagingStatus {
  constructor(
    private readonly publishing: PublishConnection,
    private readonly consuming: ConsumeConnection,
    private readonly dataSource: DataSource,
  ) {}

  get connected(): boolean {
    return this.publishing.connected && this.consuming.connected;
  }

  outbox(): Promise<OutboxFigures[]> {
    return this.dataSource.query(`
      SELECT type, count(*)::int AS depth, extract(epoch FROM now() - min(occurred_at))::float AS "oldestAgeS",
        (count(*) FILTER (WHERE refused_at < 'infinity'))::int AS refused,
        (count(*) FILTER (WHERE refused_at = 'infinity'))::int AS waiting
      FROM outbox GROUP BY type ORDER BY type`);
  }
}
