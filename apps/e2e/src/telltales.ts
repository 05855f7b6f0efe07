import { randomBytes, randomInt } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import type { JsonSchema, OpenApi } from './openapi.ts';
import type { Written } from './stored.ts';

/** Words that occur nowhere else, each shaped like the personal data that it stands for. */
export function canaries() {
  const word = (prefix: string) => `${prefix}${randomBytes(5).toString('hex')}`;
  const digits = () => String(randomInt(1e9, 9e9));
  const person = () => ({
    address: `${word('mail')}@example.com`,
    'first name': word('Xan'),
    'family name': word('Yvo'),
    phone: `+49${digits()}`,
    password: word('secret-'),
    'new name': word('Zed'),
    'new phone': `+43${digits()}`,
    'new password': word('newer-'),
    'wrong password': word('wrong-'),
    comment: word('remark-'),
  });
  return {
    hers: { ...person(), reason: word('reason-') },
    his: {
      ...person(),
      licence: word('L-'),
      plate: word('P-'),
      make: word('Make'),
      'new licence': word('M-'),
      'new plate': word('Q-'),
    },
    strangers: {
      address: `${word('nobody')}@example.com`,
      'name in an event': word('Wim'),
      'plate in an event': word('R-'),
      'name in a broken event': word('Vic'),
      'name in no JSON': word('Uma'),
    },
    /** Typed where it doesn't belong. */
    sweeps: {
      address: `${word('typo')}@example.com`,
      name: word('Tia'),
      phone: `+41${digits()}`,
      password: word('oops-'),
    },
  };
}

/** Under names that tell whose each is. */
export const named = (groups: Record<string, Record<string, string>>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(groups).flatMap(([whose, own]) =>
      Object.entries(own).map(([what, word]) => [`${whose}: ${what}`, word]),
    ),
  );

/** Takes whatever is exported over OTLP, and keeps the bytes. */
export class RawCollector {
  readonly written: Written[] = [];
  readonly url: string;
  readonly #server: Server;

  private constructor(server: Server, url: string) {
    this.#server = server;
    this.url = url;
  }

  static async start(): Promise<RawCollector> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('an HTTP server has a port');
    const collector = new RawCollector(server, `http://127.0.0.1:${address.port}`);
    server.on('request', (request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        collector.written.push({ where: `export ${request.url}`, text: Buffer.concat(chunks).toString() });
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

/** A body of the right shape with `words` in all its strings, one after the other. */
export function filled(document: OpenApi, schema: JsonSchema | undefined, words: string[]): unknown {
  const next = () => {
    const [word = ''] = words.splice(0, 1);
    words.push(word);
    return word;
  };
  const fill = (at: JsonSchema | undefined): unknown => {
    const resolved = at?.$ref ? document.components?.schemas?.[at.$ref.split('/').at(-1)!] : at;
    if (resolved?.anyOf) return fill(resolved.anyOf[0]);
    if (resolved?.properties)
      return Object.fromEntries(Object.entries(resolved.properties).map(([name, inner]) => [name, fill(inner)]));
    // Where a number or a list belongs, the wrong type is what a person in a hurry sends.
    return next();
  };
  return fill(schema);
}
