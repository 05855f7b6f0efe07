import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** One address for several servers, as a load balancer is: a new connection goes to the next that accepts it. */
export class Balancer {
  readonly #ports: number[];
  readonly #sockets = new Set<Socket>();
  readonly #server: Server;
  #next = 0;

  private constructor(ports: number[]) {
    this.#ports = ports;
    this.#server = createServer((client) => void this.#join(client));
  }

  static async before(ports: number[]): Promise<Balancer> {
    const balancer = new Balancer(ports);
    balancer.#server.listen(0, '127.0.0.1');
    await once(balancer.#server, 'listening');
    return balancer;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  stop(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  async #join(client: Socket): Promise<void> {
    client.on('error', () => undefined);
    for (let attempt = 0; attempt < this.#ports.length; attempt += 1) {
      const upstream = connect({ host: '127.0.0.1', port: this.#ports[this.#next++ % this.#ports.length]! });
      upstream.on('error', () => undefined);
      const outcome = await Promise.race([
        once(upstream, 'connect').then(() => 'connected'),
        once(upstream, 'close').then(() => 'refused'),
      ]).catch(() => 'refused');
      if (outcome === 'connected') return this.#carry(client, upstream);
    }
    client.destroy();
  }

  #carry(client: Socket, upstream: Socket): void {
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      this.#sockets.add(socket);
      socket.setNoDelay(true);
      socket.pipe(other);
      socket.on('close', () => {
        this.#sockets.delete(socket);
        other.destroy();
      });
      if (socket.destroyed) other.destroy();
    }
  }
}
