import { retryDelaysOf, retryQueue } from '@cabstand/contracts';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { ConsumeConnection, PublishConnection, type KeptChannel } from './broker-connection.ts';
import { MessagingMetrics } from './metrics.ts';
import { MessagingSettings } from './options.ts';
import { Relay } from './relay.ts';
import { queuesOf } from './subscriptions.ts';
import { MessagingTransport } from './transport.ts';
import { sleep } from './waiting.ts';

/** A broker that says nothing must not keep an operator waiting. */
const ASK_MS = 1_000;

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

/** A work queue of this service. Null is what the broker didn't tell. */
export interface QueueFigures {
  queue: string;
  /** Nobody has them in hand. */
  waiting: number | null;
  /** Handed out to this process and not settled. */
  inHand: number;
  /** They failed, and wait for their next attempt. */
  retrying: number | null;
  consuming: boolean;
  /** By this process: when, and how long after the event was committed. Null before the first. */
  lastHandled: { at: Date; lagS: number } | null;
}

/** For `/readyz`, which shows the connection but doesn't depend on it, and for operators. */
@Injectable()
export class MessagingStatus {
  private readonly inspecting: KeptChannel;

  constructor(
    private readonly settings: MessagingSettings,
    private readonly publishing: PublishConnection,
    private readonly consuming: ConsumeConnection,
    private readonly dataSource: DataSource,
    private readonly metrics: MessagingMetrics,
    private readonly transport: MessagingTransport,
    private readonly relay: Relay,
  ) {
    this.inspecting = consuming.keep('inspect', () => Promise.resolve());
  }

  get connected(): boolean {
    return this.publishing.connected && this.consuming.connected;
  }

  get relayPaused(): boolean {
    return this.relay.paused;
  }

  /** Since this process started: events that the broker confirmed, and messages that were handled. */
  get totals(): Readonly<MessagingMetrics['totals']> {
    return this.metrics.totals;
  }

  outbox(): Promise<OutboxFigures[]> {
    return this.dataSource.query(`
      SELECT type, count(*)::int AS depth, extract(epoch FROM now() - min(occurred_at))::float AS "oldestAgeS",
        (count(*) FILTER (WHERE refused_at < 'infinity'))::int AS refused,
        (count(*) FILTER (WHERE refused_at = 'infinity'))::int AS waiting
      FROM outbox GROUP BY type ORDER BY type`);
  }

  async deadLetters(): Promise<number> {
    const [row] = await this.dataSource.query<{ count: number }[]>('SELECT count(*)::int FROM dead_letters');
    return row!.count;
  }

  queues(): Promise<QueueFigures[]> {
    return Promise.all(
      queuesOf(this.settings).map(async ({ queue }) => {
        const retryQueues = retryDelaysOf(queue).map(({ name }) => retryQueue(queue, name));
        const [waiting, retrying] = await Promise.all([this.depth([queue]), this.depth(retryQueues)]);
        const lastHandled = this.metrics.lastHandled.get(queue) ?? null;
        const inHand = this.transport.inHandOf(queue);
        return { queue, waiting, inHand, retrying, consuming: this.transport.consumes(queue), lastHandled };
      }),
    );
  }

  /** Over AMQP, because the management API's figures are seconds old. A passive declaration takes no right. */
  private async depth(queues: string[]): Promise<number | null> {
    const { channel } = this.inspecting;
    if (!channel) return null;
    const asked = Promise.all(queues.map((queue) => channel.checkQueue(queue)));
    const told = asked.then(
      (all) => all.reduce((sum, { messageCount }) => sum + messageCount, 0),
      // The channel ends with it, and is opened again.
      () => null,
    );
    return Promise.race([told, sleep(ASK_MS).then(() => null)]);
  }
}
