import { connect, createServer, type Server, type Socket } from 'node:net';

/**
 * A TCP link to a server that a test can cut and mend. To its client a cut link is a server that went away:
 * open connections end, new ones are refused.
 */
export class Link {
  readonly #target: { host: string; port: number };
  readonly #sockets = new Set<Socket>();
  #server: Server | null = null;
  #port = 0;

  private constructor(host: string, port: number) {
    this.#target = { host, port };
  }

  static async to(url: string): Promise<Link> {
    const { hostname, port } = new URL(url);
    const link = new Link(hostname, Number(port));
    await link.start();
    return link;
  }

  /** The same URL, by way of this link. */
  through(url: string): string {
    const via = new URL(url);
    via.hostname = '127.0.0.1';
    via.port = String(this.#port);
    return via.href;
  }

  start(): Promise<void> {
    if (this.#server) return Promise.resolve();
    const server = createServer((client) => this.#join(client));
    this.#server = server;
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.#port, '127.0.0.1', () => {
        const address = server.address();
        if (address && typeof address === 'object') this.#port = address.port;
        resolve();
      });
    });
  }

  stop(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    for (const socket of this.#sockets) socket.destroy();
    return new Promise((resolve) => (server ? server.close(() => resolve()) : resolve()));
  }

  #join(client: Socket): void {
    // Accepted while the link was being cut.
    if (!this.#server) return void client.destroy();
    const upstream = connect(this.#target);
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      this.#sockets.add(socket);
      socket.setNoDelay(true);
      socket.on('error', () => other.destroy());
      socket.on('close', () => {
        this.#sockets.delete(socket);
        other.destroy();
      });
      socket.pipe(other);
    }
  }
}
