import { EVENTS, RETRY_DELAYS, type EventDefinition, type ServiceName } from '@cabstand/contracts';

export interface MessagingOptions {
  /** Whose outbox, queues and exchanges these are. */
  service: ServiceName;
  amqpUrl: string;
  /** Base URL of the broker's HTTP API with credentials in it. Without it missing bindings cannot be counted. */
  managementUrl?: string;
  /** The contracts: which events exist, who publishes and who consumes them. */
  events?: readonly EventDefinition[];
  /** Messages that the broker hands out ahead, for each queue. */
  prefetch?: number;
  /** Handlers that run at once, for each queue. Each holds a database connection: keep it below the pool's size. */
  concurrency?: number;
  /** A handler that takes longer has failed: its transaction is cut off and the message is retried. */
  handlerTimeoutMs?: number;
  /** Waits before each further attempt; at most as many as RETRY_DELAYS has steps. */
  retryDelaysMs?: readonly number[];
  /** Bigger bodies are dead on arrival, and refused by the outbox. */
  maxBodyBytes?: number;
  /** Confirms that make no progress for so long mean that the connection is dead. */
  confirmTimeoutMs?: number;
  /** The connection is dropped after two to three of these without a sign of life. */
  heartbeatS?: number;
  /** How often the outbox is looked at although nobody woke the relay. */
  pollEveryMs?: number;
  /** How long an id is remembered: longer than any outage plus its backlog. */
  inboxKeepMs?: number;
  topologyCheckEveryMs?: number;
}

export const DEFAULTS = {
  events: EVENTS,
  prefetch: 50,
  concurrency: 5,
  handlerTimeoutMs: 30_000,
  retryDelaysMs: RETRY_DELAYS.map(({ delayMs }) => delayMs) as readonly number[],
  maxBodyBytes: 1024 * 1024,
  confirmTimeoutMs: 10_000,
  heartbeatS: 5,
  pollEveryMs: 1_000,
  inboxKeepMs: 14 * 24 * 60 * 60 * 1_000,
  topologyCheckEveryMs: 60_000,
} as const satisfies Partial<MessagingOptions>;

/** The options with every default filled in; also their injection token. */
export class MessagingSettings {
  readonly service!: ServiceName;
  readonly amqpUrl!: string;
  readonly managementUrl?: string;
  readonly events!: readonly EventDefinition[];
  readonly prefetch!: number;
  readonly concurrency!: number;
  readonly handlerTimeoutMs!: number;
  readonly retryDelaysMs!: readonly number[];
  readonly maxBodyBytes!: number;
  readonly confirmTimeoutMs!: number;
  readonly heartbeatS!: number;
  readonly pollEveryMs!: number;
  readonly inboxKeepMs!: number;
  readonly topologyCheckEveryMs!: number;

  constructor(options: MessagingOptions) {
    Object.assign(this, DEFAULTS, options);
    if (this.retryDelaysMs.length > RETRY_DELAYS.length) {
      throw new Error(`retryDelaysMs has more steps than there are retry queues (${RETRY_DELAYS.length})`);
    }
  }
}
