import { once } from 'node:events';
import { connect } from 'node:net';
import { eventsExchange, SERVICES, type ServiceName } from '@cabstand/contracts';
import { eventually } from '@cabstand/testing';
import amqp from 'amqplib';
import type { AttackClass, Verdict } from '../attack.ts';
import { placesOf, put } from '../openapi.ts';
import type { World } from '../world.ts';

/** Said by no service of its own accord: a line or a field with it was written by the attacker. */
const MARK = 'forged-by-the-attacker';
/** A whole line of the log, as an attacker would like it to stand there. */
const LINE = `{"level":"error","event":"${MARK}","msg":"all money is gone"}`;

export const FORGERIES: Record<string, string> = {
  'a line': `\n${LINE}\n`,
  'a line after CRLF': `x\r\n${LINE}\r\n`,
  'the end of a string': `x","event":"${MARK}","y":"`,
  'a line separator': `x\u2028${LINE}\u2029`,
  'a next line': `x\u0085${LINE}`,
  'ANSI colours': `\u001b[2K\u001b[1A\u001b[31m${MARK}`,
  'a C1 control': `\u009b31m${MARK}`,
  'a backspace': `${'\b'.repeat(40)}${MARK}`,
  'a format': `%s %j %o ${MARK}`,
  'a null byte': `\0${LINE}`,
};
/** What a terminal obeys, or a reader takes for the end of a line: JSON writes the first as escapes. */
const CONTROLS = /[\p{Cc}\p{Zl}\p{Zp}]/u;

export const logInjection: AttackClass = {
  name: 'log injection',
  about:
    'line breaks, escapes and JSON in everything that a client or a message can say: each line stays one JSON object',
  async run(world, { quick }) {
    const tried: string[] = [];
    for (const [kind, text] of Object.entries(FORGERIES).slice(0, quick ? 3 : undefined)) {
      for (const service of SERVICES) {
        await overSockets(world.platform.urls[service], text);
        await inMessages(world, service, text);
      }
      await inFields(world, text);
      tried.push(...WAYS.map((way) => `${kind} in ${way}`));
    }
    // Messages are set aside after they were tried, and each that is gets its line.
    await eventually(
      async () => {
        const counts = await Promise.all(
          SERVICES.map((service) => world.rows<{ n: number }>(service, 'SELECT count(*)::int AS n FROM dead_letters')),
        );
        if (counts.every(([row]) => row!.n === 0)) throw new Error('nothing was set aside yet');
      },
      { timeoutMs: 30_000 },
    );
    const lines = world.platform.processes().flatMap(({ service, log }) => log.map((line) => ({ service, line })));
    const bad = lines
      .map(({ service, line }) => ({ line, broken: badLine(service, line) }))
      .filter(({ broken }) => broken);
    return [
      ...tried.map((attack): Verdict => ({ attack })),
      // Without lines there would be nothing to see.
      { attack: 'lines written', broken: lines.length > tried.length ? undefined : `only ${lines.length}` },
      ...bad.map(({ line, broken }): Verdict => ({ attack: `the line ${line.slice(0, 200)}`, broken })),
    ];
  },
};

const WAYS = [
  'the path',
  'a query',
  'the method',
  'header values',
  'a token',
  'a body',
  'the fields of bodies',
  'messages',
];

function badLine(service: ServiceName, line: string): string | undefined {
  if (CONTROLS.test(line)) return 'holds a control character';
  let entry: unknown;
  try {
    entry = JSON.parse(line);
  } catch {
    return 'is not JSON';
  }
  if (typeof entry !== 'object' || entry === null) return 'is no object';
  if (!('service' in entry) || entry.service !== service) return `is not ${service}’s`;
  return JSON.stringify(entry).includes(MARK) ? 'says what the attacker said' : undefined;
}

/** Through a bare socket, because no client library would send any of it. */
async function overSockets(base: string, text: string): Promise<void> {
  const { host, port, hostname } = new URL(base);
  const head = (first: string, ...headers: string[]) =>
    [first, `host: ${host}`, 'connection: close', ...headers, '', ''].join('\r\n');
  const encoded = encodeURIComponent(text.replaceAll('\0', ''));
  const json = JSON.stringify({ email: text, password: text });
  const requests = [
    head(`GET /v1/${encoded}/%0d%0a HTTP/1.1`),
    head(`GET /v1/trips?limit=${encoded}&cursor=${encoded} HTTP/1.1`),
    head(`GET /${text} HTTP/1.1`),
    head(`${text} / HTTP/1.1`),
    ...[
      'user-agent',
      'x-request-id',
      'traceparent',
      'x-forwarded-for',
      'referer',
      'idempotency-key',
      'last-event-id',
      'accept',
      'origin',
      'access-reason',
    ].map((name) => head('GET /v1/trips HTTP/1.1', `${name}: ${text}`)),
    head('GET /v1/trips HTTP/1.1', `authorization: Bearer ${text}`),
    head('GET /v1/trips HTTP/1.1', `authorization: Bearer ${tokenSaying(text)}`),
    head('POST /v1/sessions HTTP/1.1', 'content-type: application/json', `content-length: ${Buffer.byteLength(json)}`) +
      json,
    head('POST /v1/sessions HTTP/1.1', `content-type: ${text}`, `content-length: ${Buffer.byteLength(text)}`) + text,
    head('POST /v1/sessions HTTP/1.1', 'content-type: application/json', `content-length: ${Buffer.byteLength(text)}`) +
      text,
  ];
  for (const request of requests) {
    const socket = connect(Number(port), hostname);
    socket.on('error', () => undefined).resume();
    socket.end(request);
    await once(socket, 'close');
  }
}

/** Well formed as far as it is read before the signature. */
function tokenSaying(text: string): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const header = part({ alg: 'ES256', typ: 'at+jwt', kid: text });
  return `${header}.${part({ iss: text, sub: text, aud: text, role: text })}.${'A'.repeat(86)}`;
}

async function inFields(world: World, text: string): Promise<void> {
  for (const operation of world.operations) {
    const fields = placesOf(operation.body ?? {}).filter(({ schema }) => schema.type === 'string');
    if (fields.length === 0 || operation.path.endsWith('/password')) continue;
    const { body, url } = await world.goodCall(operation);
    for (const { path } of fields) await world.call(operation, url, put(body, path, text));
  }
}

/** In everything that a message says of itself, and in what it brings. */
async function inMessages(world: World, publisher: ServiceName, text: string): Promise<void> {
  const connection = await amqp.connect(world.platform.broker.adminUrl);
  const channel = await connection.createConfirmChannel();
  const type = { passenger: 'passenger.updated', driver: 'driver.updated', trip: 'trip.requested' }[publisher];
  const said = {
    id: text,
    source: text,
    type: text,
    subject: text,
    time: text,
    sequence: text,
    specversion: '1.0',
    traceparent: text,
  };
  const headers = Object.fromEntries(Object.entries(said).map(([name, value]) => [`cloudEvents:${name}`, value]));
  const payloads = [text, JSON.stringify({ tripId: text, passengerId: text, [text]: text })];
  for (const payload of payloads) {
    const options = {
      messageId: text.slice(0, 200),
      contentType: 'application/json',
      type: text.slice(0, 200),
      headers,
    };
    channel.publish(eventsExchange(publisher), type, Buffer.from(payload), options);
  }
  await channel.waitForConfirms();
  await connection.close();
}
