import { topologyOf, type Binding } from '@cabstand/contracts';
import { Injectable, Logger } from '@nestjs/common';
import { ConsumeConnection } from './broker-connection.ts';
import { MessagingMetrics } from './metrics.ts';
import { MessagingSettings } from './options.ts';
import { outline } from './waiting.ts';

const TIMEOUT_MS = 5_000;

/**
 * Compares the broker's bindings with the contracts. `mandatory` only notices when no queue at all is bound to
 * an event; with two consumers, one of them could miss everything in silence.
 */
@Injectable()
export class TopologyCheck {
  private readonly logger = new Logger(TopologyCheck.name);
  private readonly expected: Binding[];
  private timer: NodeJS.Timeout | undefined;
  /** Undefined while nobody could tell. */
  missing: Binding[] | undefined;

  constructor(
    private readonly settings: MessagingSettings,
    connection: ConsumeConnection,
    metrics: MessagingMetrics,
  ) {
    const { service, events } = settings;
    this.expected = topologyOf(events).bindings.filter(
      ({ exchange, queue }) => exchange.startsWith(`${service}.`) || queue.startsWith(`${service}.`),
    );
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
      return this.logger.warn('without the management URL of the broker nobody notices a missing binding');
    }
    void this.check();
    this.timer = setInterval(() => void this.check(), this.settings.topologyCheckEveryMs).unref();
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private async check(): Promise<void> {
    try {
      const bound = await this.bound();
      const missing = this.expected.filter((binding) => !bound.has(keyOf(binding)));
      const news = missing.map(keyOf).join(', ');
      if (news !== (this.missing ?? []).map(keyOf).join(', ')) {
        if (missing.length > 0) this.logger.error(`the broker lacks bindings of the contracts: ${news}`);
        else this.logger.log('the broker has every binding of the contracts again');
      }
      this.missing = missing;
    } catch (error) {
      this.missing = undefined;
      this.logger.warn(`the bindings could not be compared: ${outline(error)}`);
    }
  }

  private async bound(): Promise<Set<string>> {
    const url = new URL(this.settings.managementUrl ?? '');
    const credentials = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
    // fetch() takes no credentials in a URL.
    url.username = url.password = '';
    const vhost = decodeURIComponent(new URL(this.settings.amqpUrl).pathname.slice(1)) || '/';
    const response = await fetch(`${url.href.replace(/\/$/, '')}/api/bindings/${encodeURIComponent(vhost)}`, {
      headers: { authorization: `Basic ${Buffer.from(credentials).toString('base64')}` },
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    if (!response.ok) throw new Error(`the broker's HTTP API answered ${response.status}`);
    const bindings = (await response.json()) as { source: string; destination: string; routing_key: string }[];
    return new Set(bindings.map((b) => keyOf({ exchange: b.source, queue: b.destination, routingKey: b.routing_key })));
  }
}

const keyOf = ({ exchange, queue, routingKey }: Binding) => `${exchange} -[${routingKey}]-> ${queue}`;
