import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { createSecureContext, TLSSocket, type SecureContextOptions, type SecureVersion } from 'node:tls';

/** One version of TLS. Without the security level whoever says this would itself refuse the oldest two. */
export const only = (version: SecureVersion) => ({
  ...{ minVersion: version, maxVersion: version },
  ciphers: 'DEFAULT@SECLEVEL=0',
});

/** Stands where a server should be, and tells what whoever connects says to it. */
export class Impostor {
  readonly port: number;
  /** The first that it was told once the connection was up. */
  readonly heard: Promise<string>;
  private readonly sockets = new Set<Socket>();

  private constructor(
    private readonly server: Server,
    kind: 'postgres' | 'other',
    secure: SecureContextOptions | null,
  ) {
    this.port = (server.address() as AddressInfo).port;
    this.heard = new Promise((resolve) => {
      const listen = (socket: Socket) => socket.once('data', (data: Buffer) => resolve(data.toString('latin1')));
      const open = (socket: Socket) => {
        if (!secure) return void listen(socket).once('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
        const secured = new TLSSocket(socket, { isServer: true, secureContext: createSecureContext(secure) });
        secured.on('error', () => undefined);
        listen(secured);
      };
      server.on('connection', (socket) => {
        this.sockets.add(socket.on('error', () => undefined));
        if (kind === 'other') return open(socket);
        // PostgreSQL's clients ask first whether the server does TLS.
        socket.once('data', () => {
          socket.write(secure ? 'S' : 'N');
          open(socket);
        });
      });
    });
  }

  static async at(kind: 'postgres' | 'other', secure: SecureContextOptions | null): Promise<Impostor> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new Impostor(server, kind, secure);
  }

  close(): void {
    for (const socket of this.sockets) socket.destroy();
    this.server.close();
  }
}
