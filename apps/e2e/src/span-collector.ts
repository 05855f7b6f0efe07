import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import { spansOf, type OtlpTraces, type Span } from '../../../tools/local/spans.ts';

export type { Span };

/** A collector as small as can be: takes OTLP over HTTP in JSON, and keeps the spans. */
export class SpanCollector {
  readonly url: string;
  readonly spans: Span[] = [];
  readonly #server: Server;

  private constructor(server: Server, url: string) {
    this.#server = server;
    this.url = url;
  }

  static async start(): Promise<SpanCollector> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('an HTTP server has a port');
    const collector = new SpanCollector(server, `http://127.0.0.1:${address.port}`);
    server.on('request', (request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        if (request.url?.endsWith('/v1/traces'))
          collector.spans.push(...spansOf(JSON.parse(String(Buffer.concat(chunks))) as OtlpTraces));
        response.setHeader('content-type', 'application/json').end('{}');
      });
    });
    return collector;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}
