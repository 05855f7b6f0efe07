import { EVENTS, subscriptions } from '@cabstand/contracts';
import { asAdministrator, LOCAL, Management } from '../../infra/index.ts';
import { tapEvents, type EventTap, type TappedEvent } from '../client/event-tap.ts';
import { pause, type Exchange } from '../client/http.ts';
import type { Infrastructure } from '../runtime/infrastructure.ts';
import { bold, dim } from '../runtime/output.ts';

interface Binding {
  source: string;
  destination: string;
  destination_type: string;
  routing_key: string;
}

/** Tells what happens as it happens: calls from the client, events from the broker. */
export class Story {
  readonly #tap: EventTap;
  readonly #bindings: Binding[];
  /** Ids of whom and what this journey is about: a city may be living beside it. */
  readonly #about = new Set<string>();
  readonly #told = new Set<string>();
  #calls = 0;
  readonly #startedAtMs = performance.now();

  private constructor(tap: EventTap, bindings: Binding[]) {
    this.#tap = tap;
    this.#bindings = bindings;
  }

  static async begin({ broker, tls }: Pick<Infrastructure, 'broker' | 'tls'>): Promise<Story> {
    const options = tls ? asAdministrator(LOCAL) : {};
    return new Story(await tapEvents(broker.adminUrl, undefined, options), await bindingsOf(broker));
  }

  chapter(title: string): void {
    console.log(`\n${bold(title)}`);
  }

  readonly exchange = ({ method, url, status, tookMs }: Exchange): void => {
    this.#calls += 1;
    const { host, pathname, search } = new URL(url);
    const call = `${method.padEnd(6)} ${host}${pathname}${search}`;
    console.log(`  ${call.padEnd(86)} ${status} ${dim(`${tookMs.toFixed(0)} ms`)}`);
  };

  streamed(event: string, detail: string): void {
    console.log(`  ${dim('stream')} ${event.padEnd(79)} ${detail}`);
  }

  about(...ids: string[]): void {
    for (const id of ids) this.#about.add(id);
  }

  /** Waits for an event of this journey and tells it, with those that came before it. Answers the first of that type. */
  async until(routingKey: string, count = 1): Promise<TappedEvent> {
    const deadlineMs = performance.now() + 15_000;
    for (;;) {
      this.#tellNews();
      const found = this.#tap.events.filter((event) => event.routingKey === routingKey && this.#concerns(event));
      if (found.length >= count && found[0]) return found[0];
      if (performance.now() > deadlineMs) throw new Error(`the event ${routingKey} did not come`);
      await pause(10);
    }
  }

  summary(): string {
    const seconds = ((performance.now() - this.#startedAtMs) / 1_000).toFixed(1);
    return `${this.#calls} calls and ${this.#told.size} events in ${seconds} s`;
  }

  end(): Promise<void> {
    return this.#tap.close();
  }

  #tellNews(): void {
    for (const event of this.#tap.events) {
      if (this.#told.has(event.id) || !this.#concerns(event)) continue;
      this.#told.add(event.id);
      const { exchange, routingKey, sequence, traceparent } = event;
      const queues = this.#bindings
        .filter((binding) => binding.source === exchange && binding.routing_key === routingKey)
        .map(({ destination }) => destination);
      const trace = traceparent ? `trace ${traceparent.slice(3, 11)}…` : '';
      const route = `${exchange.padEnd(17)} ${`${routingKey} #${sequence}`.padEnd(26)}`;
      console.log(
        `      ⇢ ${route} → ${(queues.join(', ') || 'no queue: nobody has to know').padEnd(46)} ${dim(trace)}`,
      );
    }
  }

  #concerns({ subject, payload }: TappedEvent): boolean {
    return this.#about.has(subject) || Object.values(payload).some((value) => this.#about.has(String(value)));
  }
}

/** As the broker has them; from the contracts where its management API can't be asked. */
async function bindingsOf({
  managementUrl,
  vhost,
}: {
  managementUrl: string | null;
  vhost: string;
}): Promise<Binding[]> {
  if (managementUrl) {
    const all = await new Management(managementUrl).get<Binding[]>(`/api/bindings/${encodeURIComponent(vhost)}`);
    return all.filter((binding) => binding.source.endsWith('.events') && !binding.destination.startsWith('amq.'));
  }
  return subscriptions(EVENTS).flatMap(({ publisher, queue, types }) =>
    types.map((type) => ({
      source: `${publisher}.events`,
      destination: queue,
      destination_type: 'queue',
      routing_key: type,
    })),
  );
}
