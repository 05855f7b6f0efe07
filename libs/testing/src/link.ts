import { connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/** How a link treats what passes through it. */
export interface Weather {
  /** Every piece arrives so much later. */
  latencyMs?: number;
  /** Each direction of each connection lets through no more. */
  bytesPerS?: number;
  /** Nothing passes either way, while connections stay open and new ones are accepted. */
  blackhole?: boolean;
}

/**
 * A TCP link to a server that a test can cut and mend, or make bad. To its client a cut link is a server that went
 * away: open connections end, new ones are refused.
 */
export class Link {
  readonly #target: { host: string; port: number };
  /** The address of this machine that it listens on. */
  readonly #host: string;
  readonly #sockets = new Set<Socket>();
  readonly #upstreams = new Set<Socket>();
  /** Closed without a word to the other side. */
  readonly #vanished = new WeakSet<Socket>();
  #weather: Weather = {};
  /** Resolved when the weather changes: what is held back is looked at again. */
  #change = Promise.withResolvers<void>();
  #server: Server | null = null;
  #port = 0;

  private constructor(url: URL, at: { host: string; port: number }) {
    this.#target = { host: url.hostname, port: Number(url.port) };
    this.#host = at.host;
    this.#port = at.port;
  }

  /** Listens on a free port of 127.0.0.1, unless it is told where. */
  static async to(url: string, at = { host: '127.0.0.1', port: 0 }): Promise<Link> {
    const link = new Link(new URL(url), at);
    await link.start();
    return link;
  }

  /** The same URL, by way of this link. */
  through(url: string): string {
    const via = new URL(url);
    via.hostname = this.#host;
    via.port = String(this.#port);
    return via.href;
  }

  start(): Promise<void> {
    if (this.#server) return Promise.resolve();
    const server = createServer((client) => this.#join(client));
    this.#server = server;
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.#port, this.#host, () => {
        const address = server.address();
        if (address && typeof address === 'object') this.#port = address.port;
        resolve();
      });
    });
  }

  stop(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    this.weather = {};
    for (const socket of this.#sockets) socket.destroy();
    return new Promise((resolve) => (server ? server.close(() => resolve()) : resolve()));
  }

  /** For all connections, those that are open too. */
  set weather(weather: Weather) {
    this.#weather = weather;
    this.#change.resolve();
    this.#change = Promise.withResolvers();
  }

  /** Ends every connection as a crashed host or a firewall does: with a RST. */
  reset(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  /** The server hears that its clients are gone; they hear nothing, and what they say reaches nobody. */
  halfOpen(): void {
    for (const upstream of this.#upstreams) {
      this.#vanished.add(upstream);
      upstream.destroy();
    }
  }

  #join(client: Socket): void {
    // Accepted while the link was being cut.
    if (!this.#server) return void client.destroy();
    const upstream = connect(this.#target);
    this.#upstreams.add(upstream);
    upstream.on('close', () => this.#upstreams.delete(upstream));
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      this.#sockets.add(socket);
      socket.setNoDelay(true);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        this.#sockets.delete(socket);
        if (!this.#vanished.has(socket)) other.destroy();
      });
      void this.#carry(socket, other);
    }
  }

  /** Until the connection ends, which the sockets' own listeners see to. */
  async #carry(from: Socket, to: Socket): Promise<void> {
    try {
      for await (const piece of from as AsyncIterable<Buffer>) {
        while (this.#weather.blackhole) await this.#change.promise;
        const { latencyMs, bytesPerS } = this.#weather;
        if (latencyMs) await delay(latencyMs);
        if (bytesPerS) await delay((piece.length / bytesPerS) * 1_000);
        if (!to.destroyed && !to.write(piece)) await drained(to);
      }
      if (!to.destroyed) to.end();
    } catch {
      // Ended by either side, or by us.
    }
  }
}

const drained = (socket: Socket) =>
  new Promise<void>((resolve) => {
    socket.once('drain', resolve);
    socket.once('close', resolve);
  });
