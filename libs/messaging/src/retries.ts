import { deadQueue, retryExchange, retryQueue, retryDelaysOf } from '@cabstand/contracts';
import { Logger } from '@nestjs/common';
import type { ConsumeMessage } from 'amqplib';
import type { PublishConnection } from './broker-connection.ts';
import { ConfirmedPublisher } from './confirmed-publisher.ts';
import { failureOf, failuresOf, HEADERS, republicationOf, type Failure } from './message.ts';
import type { MessagingSettings } from './options.ts';
import type { QueueSubscription } from './subscriptions.ts';
import { Backoff } from './waiting.ts';

const JITTER = 0.1;

export interface Failed {
  readonly subscription: QueueSubscription;
  readonly message: ConsumeMessage;
  /** Aborted once the message isn't ours any more. */
  readonly closed: AbortSignal;
}

/** Where messages go that weren't handled, with the broker's confirm; `kept` are still the broker's. */
export class Retries {
  private readonly logger = new Logger(Retries.name);
  private readonly publisher: ConfirmedPublisher;

  constructor(
    private readonly settings: MessagingSettings,
    connection: PublishConnection,
  ) {
    this.publisher = new ConfirmedPublisher('retry', connection, settings.confirmTimeoutMs);
  }

  stop(): void {
    this.publisher.stop();
  }

  /** Lets the message wait for its next attempt, or gives up on it after the last. */
  async retry(work: Failed, error: Error): Promise<'retried' | 'dead' | 'kept'> {
    const { attempt, history } = failuresOf(work.message.properties.headers);
    const failure = failureOf(error);
    const failures = [...history, failure];
    const { queue } = work.subscription;
    const step = retryDelaysOf(queue)[attempt - 1];
    const delayMs = (this.settings.retryDelaysMs ?? retryDelaysOf(queue).map((each) => each.delayMs))[attempt - 1];
    if (!step || delayMs === undefined) return this.bury(work, 'handler-failed', failure.error, failures);
    const headers = { [HEADERS.attempt]: attempt + 1, [HEADERS.history]: JSON.stringify(failures) };
    const expirationMs = Math.round(delayMs * (1 - JITTER + Math.random() * 2 * JITTER));
    const passed = await this.pass(work, retryQueue(queue, step.name), headers, expirationMs);
    return passed ? 'retried' : 'kept';
  }

  /** Into the dead queue, from where it is moved to `dead_letters`. */
  async bury(work: Failed, reason: string, detail: string, failures?: Failure[]): Promise<'dead' | 'kept'> {
    const { queue } = work.subscription;
    const { attempt, history } = failuresOf(work.message.properties.headers);
    this.logger.error({ event: 'message.dead', queue, attempt, reason });
    const headers = {
      [HEADERS.attempt]: attempt,
      [HEADERS.history]: JSON.stringify(failures ?? history),
      [HEADERS.reason]: reason,
      [HEADERS.detail]: detail,
    };
    return (await this.pass(work, deadQueue(queue), headers)) ? 'dead' : 'kept';
  }

  /**
   * Publishes the message again, into one of our own queues. Tries until the broker confirms, or until the
   * message isn't ours any more: giving it back would count against its delivery limit.
   */
  private async pass(
    { message, closed }: Failed,
    queue: string,
    headers: Record<string, unknown>,
    expirationMs?: number,
  ) {
    const options = { ...republicationOf(message, headers), expiration: expirationMs?.toString() };
    const backoff = new Backoff(closed);
    while (!closed.aborted) {
      const exchange = retryExchange(this.settings.service);
      const outcome = await this.publisher.publish(exchange, queue, message.content, options);
      if (outcome === 'confirmed') return true;
      this.logger.warn({ event: 'message.not-republished', queue, outcome });
      await backoff.wait();
    }
    return false;
  }
}
