import { QUEUE_MAX_BYTES, topologyOf, type Binding } from '@cabstand/contracts';
import { Injectable, Logger } from '@nestjs/common';
import { ConsumeConnection } from './broker-connection.ts';
import { MessagingMetrics } from './metrics.ts';
import { MessagingSettings } from './options.ts';
import { queuesOf } from './subscriptions.ts';
import { Backoff, outline, sleep } from './waiting.ts';

const TIMEOUT_MS = 5_000;

/**
 * Compares the broker's bindings with the contracts. `mandatory` only notices when no queue at all is bound to
 * an event; with two consumers, one of them could miss everything in silence.
 */
@Injectable()
export class TopologyCheck {
  private readonly logger = new Logger(TopologyCheck.name);
  private readonly expected: Binding[];
  private readonly queues: string[];
  private readonly stopping = new AbortController();
  /** Undefined while nobody could tell. */
  missing: Binding[] | undefined;
  /** Of this service's work queues. */
  private messages = new Map<string, number>();
  private fill = new Map<string, number>();

  constructor(
    private readonly settings: MessagingSettings,
    connection: ConsumeConnection,
    metrics: MessagingMetrics,
  ) {
    const { service, events } = settings;
    this.expected = topologyOf(events).bindings.filter(
      ({ exchange, queue }) => exchange.startsWith(`${service}.`) || queue.startsWith(`${service}.`),
    );
    this.queues = queuesOf(settings).map(({ queue }) => queue);
    metrics.observeQueues('messaging.queue.messages', 'Messages in a work queue', () => this.messages);
    metrics.observeQueues('messaging.queue.fill', 'Used share of its limit in bytes, 0 to 1', () => this.fill);
    metrics.observe(
      'messaging.bindings.missing',
      'Bindings that the contracts demand and the broker lacks',
      () => this.missing?.length,
    );
    metrics.observe('messaging.bindings.known', '1 when the bindings could be compared', () => (this.missing ? 1 : 0));
    metrics.observe('messaging.connected', '1 while connected to the broker', () => (connection.connected ? 1 : 0));
  }

  start(): void {
    if (!this.settings.managementUrl) {
      return this.logger.warn({ event: 'topology.unchecked', reason: 'AMQP_MANAGEMENT_URL is not set' });
    }
    void this.watch(this.stopping.signal);
  }

  stop(): void {
    this.stopping.abort();
  }

  /** A broker that restarts must not hide its figures until the next round: who fails to read them looks sooner. */
  private async watch(stopping: AbortSignal): Promise<void> {
    const backoff = new Backoff(stopping);
    for (let failures = 0; !stopping.aborted;) {
      try {
        await this.check();
        failures = 0;
        backoff.reset();
        await sleep(this.settings.topologyCheckEveryMs, stopping);
      } catch (error) {
        this.missing = undefined;
        this.messages = this.fill = new Map();
        if (failures++ === 0) this.logger.warn({ event: 'topology.unchecked', reason: outline(error) });
        await backoff.wait();
      }
    }
  }

  private async check(): Promise<void> {
    const [bound] = await Promise.all([this.bound(), this.readQueues()]);
    const missing = this.expected.filter((binding) => !bound.has(keyOf(binding)));
    const news = missing.map(keyOf).join(', ');
    if (news !== (this.missing ?? []).map(keyOf).join(', ')) {
      if (missing.length > 0) this.logger.error({ event: 'topology.bindings-missing', bindings: news });
      else this.logger.log({ event: 'topology.complete' });
    }
    this.missing = missing;
  }

  private async bound(): Promise<Set<string>> {
    const bindings = await this.ask<{ source: string; destination: string; routing_key: string }>('bindings');
    return new Set(bindings.map((b) => keyOf({ exchange: b.source, queue: b.destination, routingKey: b.routing_key })));
  }

  private async readQueues(): Promise<void> {
    const columns = 'columns=name,messages,message_bytes';
    // A queue that has just been declared has no figures yet.
    const found = await this.ask<{ name: string; messages?: number; message_bytes?: number }>('queues', columns);
    const own = found.filter(({ name }) => this.queues.includes(name));
    this.messages = new Map(own.map(({ name, messages = 0 }) => [name, messages]));
    this.fill = new Map(own.map(({ name, message_bytes: bytes = 0 }) => [name, bytes / QUEUE_MAX_BYTES]));
  }

  private async ask<Item>(what: 'bindings' | 'queues', query = ''): Promise<Item[]> {
    const url = new URL(this.settings.managementUrl ?? '');
    const credentials = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
    // fetch() takes no credentials in a URL.
    url.username = url.password = '';
    const vhost = decodeURIComponent(new URL(this.settings.amqpUrl).pathname.slice(1)) || '/';
    const response = await fetch(`${url.href.replace(/\/$/, '')}/api/${what}/${encodeURIComponent(vhost)}?${query}`, {
      headers: { authorization: `Basic ${Buffer.from(credentials).toString('base64')}` },
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    if (!response.ok) throw new Error(`the broker's HTTP API answered ${response.status}`);
    return (await response.json()) as Item[];
  }
}

const keyOf = ({ exchange, queue, routingKey }: Binding) => `${exchange} -[${routingKey}]-> ${queue}`;
