import { RevokedSessions, type Principal } from '@cabstand/auth';
import { DomainError } from '@cabstand/contracts';
import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { metrics } from '@opentelemetry/api';
import type { FastifyReply } from 'fastify';
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { addCommonHeaders } from './response-headers.ts';
import { RequestTrace } from './request-trace.ts';

export interface StreamEvent {
  /** What the client sends back as `Last-Event-ID`, a whole number; only on events that the database can give again. */
  id?: string;
  event: string;
  data: unknown;
}

export interface StreamSource {
  principal: Principal;
  /**
   * Reads from the database what came after `cursor`, and where to go on. The first cursor is the client's
   * `Last-Event-ID` (digits, at most 18, not to be trusted further) or null on a first visit: then answer the
   * current state.
   */
  read(cursor: string | null): Promise<{ events: StreamEvent[]; cursor: string | null }>;
  /** The policy, asked again before each event; false ends the stream. */
  allowed(): boolean | Promise<boolean>;
  /**
   * Called once: tells when to `wake` (read again), and what to `push` past the database. A pushed event replaces
   * an unsent one of the same key. Wake-ups that come by message may be lost: whoever sends them looks every `pollMs` for
   * what is new, for all of its streams at once. Returns what ends the subscription.
   */
  subscribe(stream: { wake(): void; push(key: string, event: StreamEvent): void }): () => void;
}

export class StreamSettings {
  heartbeatMs = 15_000;
  /** Wake-ups may be lost: how often sources look for what none told of. */
  pollMs = 3_000;
  /** A reader that takes nothing for this long is cut off. */
  stalledMs = 30_000;
  /** How soon an open stream notices that its session has ended. */
  revocationCheckMs = 500;
  /** Open at this process: of one principal, and of all together. */
  mostPerPrincipal = 100;
  most = 10_000;
}

/** What clients are told to wait before they come back. */
const RETRY_MS = 1_000;
/** Before somebody who has too many streams open, or comes to a full replica, tries again. */
const FULL_RETRY_S = 5;
const MAX_PUSHED = 2_000;
/** Streams that haven't been read to their end by then are cut off. */
const DRAIN_MS = 1_500;

/** Server-sent events (WHATWG HTML, "Server-sent events"). */
@Injectable()
export class EventStreams implements OnApplicationShutdown {
  private readonly open = new Set<EventStream>();
  private readonly counts = new Map<string, number>();
  private count = 0;
  private readonly gauge = metrics.getMeter('http').createUpDownCounter('http.server.open_streams', {
    description: 'Streams that clients hold open',
  });
  private readonly watch: NodeJS.Timeout;
  private draining = false;

  get pollMs(): number {
    return this.settings.pollMs;
  }

  constructor(
    private readonly revoked: RevokedSessions,
    private readonly requests: RequestTrace,
    private readonly settings: StreamSettings,
  ) {
    this.watch = setInterval(() => this.endRevoked(), settings.revocationCheckMs).unref();
  }

  /**
   * Sends events until the client leaves, the token expires or is revoked, the policy says no, or the service
   * drains. Resolves when the stream is open; until then failures are answered like those of any route.
   */
  async follow(reply: FastifyReply, source: StreamSource): Promise<void> {
    if (this.draining) throw new DomainError('SHUTTING_DOWN', undefined, { retryAfterS: 1 });
    const given = reply.request.headers['last-event-id'];
    const cursor = typeof given === 'string' && /^\d{1,18}$/.test(given) ? given : null;
    const giveBack = this.takePlace(source.principal);
    const stream = new EventStream(reply.raw, source, cursor, this.settings);
    try {
      await stream.begin();
    } catch (error) {
      stream.release();
      giveBack();
      throw error;
    }
    if (reply.request.method === 'HEAD') {
      stream.release();
      giveBack();
      return void (await reply.type('text/event-stream').send());
    }
    addCommonHeaders(reply);
    stream.headers = reply.getHeaders() as Record<string, string>;
    reply.hijack();
    this.requests.streamOpened(reply.request);
    this.open.add(stream);
    // Drained while it began: it was not among those that drain() ended.
    if (this.draining) void stream.end();
    void stream.run().finally(() => {
      this.open.delete(stream);
      giveBack();
    });
  }

  /** @throws DomainError RATE_LIMITED, OVERLOADED */
  private takePlace({ issuer, subject }: Principal): () => void {
    const owner = `${issuer} ${subject}`;
    const own = this.counts.get(owner) ?? 0;
    if (own >= this.settings.mostPerPrincipal)
      throw new DomainError('RATE_LIMITED', 'too many streams are open', { retryAfterS: FULL_RETRY_S });
    if (this.count >= this.settings.most)
      throw new DomainError('OVERLOADED', 'too many streams are open', { retryAfterS: FULL_RETRY_S });
    const change = (by: 1 | -1) => {
      const left = (this.counts.get(owner) ?? 0) + by;
      if (left > 0) this.counts.set(owner, left);
      else this.counts.delete(owner);
      this.count += by;
      this.gauge.add(by);
    };
    change(1);
    return () => change(-1);
  }

  /** Ends every stream, telling clients when to come back, and accepts no more. */
  async drain(): Promise<void> {
    this.draining = true;
    const ended = [...this.open].map((stream) => stream.end());
    const cutOff = setTimeout(() => this.open.forEach((stream) => stream.cutOff()), DRAIN_MS);
    await Promise.all(ended);
    clearTimeout(cutOff);
  }

  onApplicationShutdown(): void {
    clearInterval(this.watch);
  }

  private endRevoked(): void {
    for (const stream of this.open) if (this.revoked.isRevoked(stream.principal)) void stream.end();
  }
}

/** One client. Nothing is read from the database faster than the client takes it, so nothing piles up here. */
class EventStream {
  readonly principal: Principal;
  headers: Record<string, string> = {};
  private readonly logger = new Logger(EventStream.name);
  private readonly ending = new AbortController();
  private readonly closed: Promise<unknown>;
  private readonly pushed = new Map<string, StreamEvent>();
  private readonly unsubscribe: () => void;
  private unsent: StreamEvent[] = [];
  private awake = Promise.withResolvers<void>();
  private isDue = true;

  constructor(
    private readonly response: ServerResponse,
    private readonly source: StreamSource,
    private cursor: string | null,
    private readonly settings: StreamSettings,
  ) {
    this.principal = source.principal;
    this.closed = new Promise((resolve) => response.once('close', resolve));
    void this.closed.then(() => this.end());
    // Before the first reading, so that nothing falls between the two.
    this.unsubscribe = source.subscribe({
      wake: () => this.wake(),
      push: (key, event) => this.push(key, event),
    });
  }

  /** The first reading: what it throws can still be answered with a status. */
  async begin(): Promise<void> {
    await this.read();
  }

  async run(): Promise<void> {
    const { signal } = this.ending;
    const lifeMs = Math.max(this.principal.expiresAt.getTime() - Date.now(), 0);
    const expiry = setTimeout(() => void this.end(), Math.min(lifeMs, 2 ** 31 - 1));
    const heartbeat = setInterval(
      () => this.response.writableNeedDrain || this.response.write(': \n\n'),
      this.settings.heartbeatMs,
    );
    try {
      this.response.writeHead(200, {
        ...this.headers,
        'content-type': 'text/event-stream',
        // nginx and its like would hold events back.
        'x-accel-buffering': 'no',
        connection: 'close',
      });
      this.response.write(`retry: ${RETRY_MS}\n\n`);
      while (!signal.aborted) {
        await this.send();
        await this.untilDue();
        if (!signal.aborted && this.isDue) await this.read();
      }
    } catch (error) {
      // The client comes back with its Last-Event-ID and loses nothing.
      if (!signal.aborted) this.logger.warn({ event: 'stream.failed', err: error });
    } finally {
      clearTimeout(expiry);
      clearInterval(heartbeat);
      this.release();
      await this.end();
    }
  }

  release(): void {
    this.unsubscribe();
  }

  /** Resolves when the connection is closed. */
  end(): Promise<unknown> {
    this.ending.abort();
    this.awake.resolve();
    if (!this.response.writableEnded && this.response.headersSent) this.response.end(`retry: ${RETRY_MS}\n\n`);
    return this.closed;
  }

  cutOff(): void {
    this.response.destroy();
  }

  private wake(): void {
    this.isDue = true;
    this.awake.resolve();
  }

  private push(key: string, event: StreamEvent): void {
    // Taken out first, so that the map stays in the order of arrival and its first is the oldest.
    this.pushed.delete(key);
    this.pushed.set(key, event);
    const [oldest] = this.pushed.keys();
    if (this.pushed.size > MAX_PUSHED && oldest !== undefined) this.pushed.delete(oldest);
    this.awake.resolve();
  }

  private async read(): Promise<void> {
    this.isDue = false;
    const { events, cursor } = await this.source.read(this.cursor);
    this.unsent = events;
    this.cursor = cursor;
  }

  private async send(): Promise<void> {
    const pushed = [...this.pushed.values()];
    this.pushed.clear();
    for (const event of [...this.unsent, ...pushed]) {
      if (!(await this.source.allowed())) return void this.end();
      if (this.ending.signal.aborted) return;
      await this.write(event);
    }
    this.unsent = [];
  }

  private async write({ id, event, data }: StreamEvent): Promise<void> {
    const frame = `${id === undefined ? '' : `id: ${id}\n`}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
    if (this.response.write(frame)) return;
    const stalled = setTimeout(() => this.cutOff(), this.settings.stalledMs);
    await once(this.response, 'drain', { signal: this.ending.signal }).finally(() => clearTimeout(stalled));
  }

  private async untilDue(): Promise<void> {
    if (this.isDue || this.pushed.size > 0) return;
    await this.awake.promise;
    this.awake = Promise.withResolvers();
  }
}
