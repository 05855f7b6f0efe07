import { connect } from 'node:net';

/** What came back on one connection. */
export interface RawAnswer {
  /** Status of each answer, in order. */
  statuses: number[];
  text: string;
  /** Whether the server ended the connection. */
  closed: boolean;
}

/**
 * Writes bytes that no HTTP client would send, and collects what comes back until the server ends the connection, or
 * says nothing for `quietMs`. Text is sent as latin1: `\xff` is one byte.
 */
export function exchange(url: string, sent: string | readonly string[], quietMs = 1_000): Promise<RawAnswer> {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
  const pieces = typeof sent === 'string' ? [sent] : [...sent];
  let text = '';
  return new Promise((resolve) => {
    const finish = (closed: boolean) => {
      socket.destroy();
      resolve({ statuses: [...text.matchAll(/HTTP\/1\.[01] (\d{3}) /g)].map(([, s]) => Number(s)), text, closed });
    };
    socket.setTimeout(quietMs, () => finish(false));
    socket.on('data', (chunk) => (text += chunk.toString('latin1')));
    socket.on('error', () => finish(true)).on('end', () => finish(true));
    const next = () => {
      const piece = pieces.shift();
      if (piece !== undefined) socket.write(Buffer.from(piece, 'latin1'), () => setImmediate(next));
    };
    next();
  });
}
