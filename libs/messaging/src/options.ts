import type { SecureContextOptions } from 'node:tls';
import { EVENTS, type EventDefinition, type ServiceName } from '@cabstand/contracts';

/** AES-GCM boxes that open with the same keys in the same place. */
export interface SealingKeys {
  seal(plaintext: Buffer, place: string): Buffer;
  open(box: Buffer, place: string): Buffer;
}

/** The options with their defaults; a class, so that it can be injected. */
export class MessagingSettings {
  /** Whose outbox, queues and exchanges these are. */
  readonly service!: ServiceName;
  readonly amqpUrl!: string;
  /** With it, the broker takes us for whom our certificate names (SASL EXTERNAL), not for whom the URL does. */
  readonly tls?: SecureContextOptions;
  /** Base URL of the broker's HTTP API with credentials in it. Without it missing bindings cannot be counted. */
  readonly managementUrl?: string;
  /** The contracts: which events exist, who publishes and who consumes them. */
  readonly events: readonly EventDefinition[] = EVENTS;
  /** Messages that the broker hands out ahead, for each queue. */
  readonly prefetch: number = 500;
  /** Handlers that run at once, for each queue. Each holds a database connection: keep it below the pool's size. */
  readonly concurrency: number = 5;
  /** Events handled in one transaction when so many wait. With 1 each has a transaction of its own. */
  readonly largestBatch: number = 100;
  /** A handler that takes longer has failed: its transaction is cut off and the message is retried. */
  readonly handlerTimeoutMs: number = 30_000;
  /** Waits before each further attempt, instead of those of the contracts; at most as many as there are retry queues. */
  readonly retryDelaysMs?: readonly number[];
  /** Bigger bodies are refused by the outbox, and dead on arrival. */
  readonly maxBodyBytes: number = 256 * 1024;
  /** Confirms that make no progress for so long mean that the connection is dead. */
  readonly confirmTimeoutMs: number = 10_000;
  /** A connection is dropped after two to three of these without a sign of life. */
  readonly heartbeatS: number = 5;
  /** How often the outbox is looked at although nobody woke the relay. */
  readonly pollEveryMs: number = 1_000;
  /** How long an id is remembered: longer than any outage plus its backlog. */
  readonly inboxKeepMs: number = 14 * 24 * 60 * 60 * 1_000;
  /** How often older ids are forgotten. */
  readonly pruneEveryMs: number = 10 * 60_000;
  readonly topologyCheckEveryMs: number = 60_000;
  /** Seals the bodies of dead letters, which may say anything of anybody and are kept until somebody looks. */
  readonly keys?: SealingKeys;

  constructor(options: MessagingOptions) {
    Object.assign(this, Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)));
  }
}

export type MessagingOptions = Pick<MessagingSettings, 'service' | 'amqpUrl'> & Partial<MessagingSettings>;
