import { randomUUID } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { EVENTS, retryExchange, SERVICES, subscriptions, type ServiceName } from '@cabstand/contracts';
import { connect, type SocketOptions } from 'amqplib';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { createLocalJWKSet, jwtVerify, type JWK } from 'jose';
import type { CityReport } from '../city/stats.ts';
import { spansOf, type OtlpTraces } from './spans.ts';
import { TraceStore } from './trace-store.ts';

/** Exporters send some hundreds of spans at once. */
const LARGEST_EXPORT_BYTES = 16 * 1024 * 1024;

export interface LocalServerOptions {
  port: number;
  certificate?: { cert: Buffer; key: Buffer } | null;
  /** Whose tokens say that somebody is an operator. */
  issuer: { name: string; publicKey: JWK };
  broker: { url: string; options?: SocketOptions };
  /** Ends a service's process at once; whoever supervises it starts it again. */
  crash: (service: ServiceName) => void;
}

/**
 * What the operator page can do on a developer's machine and nowhere else: it keeps the traces that the services export
 * and what the simulated city says of itself, and does from outside what no service would do to itself. `/v1/traces` is OTLP over HTTP; the rest is for operators.
 */
export async function startLocalServer({ port, certificate = null, issuer, broker, crash }: LocalServerOptions) {
  const traces = new TraceStore();
  let city: CityReport | null = null;
  const server = Fastify({
    bodyLimit: LARGEST_EXPORT_BYTES,
    forceCloseConnections: true,
    https: certificate,
  }) as unknown as FastifyInstance;
  // JSON is what no page of another origin can send without being asked whether it may.
  server.removeContentTypeParser('text/plain');
  const keys = createLocalJWKSet({ keys: [issuer.publicKey] });
  const operatorsOnly = async (request: FastifyRequest, reply: FastifyReply) => {
    if (!(await isOperator(request.headers.authorization, issuer.name, keys)))
      await refuse(reply, 401, 'TOKEN_INVALID', 'an operator’s access token is needed');
  };

  server.post<{ Body: OtlpTraces }>('/v1/traces', (request) => {
    traces.add(spansOf(request.body));
    return {};
  });
  server.get<{ Querystring: { tripId?: string } }>('/traces', { preHandler: operatorsOnly }, (request) => ({
    spans: traces.about(request.query.tripId ?? ''),
  }));
  server.get('/city', { preHandler: operatorsOnly }, () => ({ report: city }));
  server.post<{ Body: { queue?: string } }>('/poison', { preHandler: operatorsOnly }, async (request, reply) => {
    const queue = subscriptions(EVENTS).find((each) => each.queue === request.body?.queue);
    if (!queue) return refuse(reply, 404, 'NOT_FOUND', 'there is no such queue');
    await sendPoison(broker, queue);
    return reply.status(202).send({});
  });
  server.post<{ Params: { service: string } }>(
    '/services/:service/kill',
    { preHandler: operatorsOnly },
    (request, reply) => {
      const service = SERVICES.find((name) => name === request.params.service);
      if (!service) return refuse(reply, 404, 'NOT_FOUND', 'there is no such service');
      crash(service);
      return reply.status(202).send({});
    },
  );
  await server.listen({ host: '127.0.0.1', port });
  const url = `http://127.0.0.1:${(server.server.address() as AddressInfo).port}`;
  const tellCity = (report: CityReport) => void (city = report);
  return { url, tellCity, stop: () => server.close() };
}

const refuse = (reply: FastifyReply, status: number, code: string, detail: string) =>
  reply
    .status(status)
    .type('application/problem+json')
    .send({ type: 'about:blank', title: detail, status, detail, code, traceId: '0'.repeat(32) });

async function isOperator(
  authorization: string | undefined,
  issuer: string,
  keys: ReturnType<typeof createLocalJWKSet>,
): Promise<boolean> {
  try {
    const token = authorization?.replace(/^Bearer /, '') ?? '';
    const { payload } = await jwtVerify(token, keys, { issuer, typ: 'at+jwt', algorithms: ['ES256'] });
    return payload.role === 'operator';
  } catch {
    return false;
  }
}

/** To one consumer only, by the exchange of its own retries. No contract allows it, so it is dead at once. */
async function sendPoison(
  { url, options }: LocalServerOptions['broker'],
  { consumer, queue, types }: { consumer: ServiceName; queue: string; types: string[] },
): Promise<void> {
  const connection = await connect(url, options);
  const channel = await connection.createConfirmChannel();
  channel.publish(retryExchange(consumer), queue, Buffer.from('{"poison":true}'), {
    messageId: randomUUID(),
    type: types[0],
    contentType: 'application/json',
    persistent: true,
  });
  await channel.waitForConfirms();
  await connection.close();
}
