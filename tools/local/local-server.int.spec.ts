import { connect } from 'amqplib';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { createTestBroker, eventually, type TestBroker } from '@cabstand/testing';
import { Stats } from '../city/stats.ts';
import { startLocalServer } from './local-server.ts';

const ISSUER = 'http://localhost:4201';
const QUEUE = 'driver.trip-events';
let broker: TestBroker;
let server: Awaited<ReturnType<typeof startLocalServer>>;
let tokenOf: (role: string, issuer?: string) => Promise<string>;
const crashed: string[] = [];

beforeAll(async () => {
  broker = await createTestBroker();
  const { privateKey, publicKey } = await generateKeyPair('ES256');
  tokenOf = (role, issuer = ISSUER) =>
    new SignJWT({ role })
      .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt' })
      .setIssuer(issuer)
      .setExpirationTime('1m')
      .sign(privateKey);
  const issuer = { name: ISSUER, publicKey: await exportJWK(publicKey) };
  const crash = (service: string) => void crashed.push(service);
  server = await startLocalServer({ port: 0, issuer, broker: { url: broker.adminUrl }, crash });
});
afterAll(async () => {
  await server.stop();
  await broker.drop();
});

async function call(method: string, path: string, body?: object, token?: string, contentType = 'application/json') {
  const headers: Record<string, string> = {
    ...(body ? { 'content-type': contentType } : {}),
    ...(token ? { authorization: `Bearer ${token}` } : {}),
  };
  const response = await fetch(server.url + path, { method, headers, body: body && JSON.stringify(body) });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

const span = { traceId: 'a'.repeat(32), spanId: 'b', name: 'publish trip.requested', kind: 4 };
const OTLP = {
  resourceSpans: [
    {
      resource: { attributes: [{ key: 'service.name', value: { stringValue: 'trip' } }] },
      scopeSpans: [
        {
          spans: [
            {
              ...span,
              ...{ startTimeUnixNano: '1000000', endTimeUnixNano: '3000000' },
              attributes: [{ key: 'cloudevents.event_subject', value: { stringValue: 'some-trip' } }],
            },
          ],
        },
      ],
    },
  ],
};

it('keeps what services export, for operators', async () => {
  expect((await call('POST', '/v1/traces', OTLP)).status).toBe(200);
  const { body } = await call('GET', '/traces?tripId=some-trip', undefined, await tokenOf('operator'));
  expect(body.spans).toMatchObject([
    { service: 'trip', name: 'publish trip.requested', kind: 'producer', startedAtMs: 1, endedAtMs: 3 },
  ]);
});

it('tells what the simulated city said last', async () => {
  const token = await tokenOf('operator');
  expect((await call('GET', '/city', undefined, token)).body).toEqual({ report: null });
  const report = new Stats().report();
  server.tellCity({ ...report, requested: 1 });
  server.tellCity({ ...report, requested: 2 });
  expect((await call('GET', '/city', undefined, token)).body).toEqual({ report: { ...report, requested: 2 } });
});

it('takes nothing that a page of another origin could send unasked', async () => {
  expect((await call('POST', '/v1/traces', OTLP, undefined, 'text/plain')).status).toBe(415);
});

it('is for operators', async () => {
  const others = [undefined, await tokenOf('driver'), await tokenOf('operator', 'http://elsewhere')];
  for (const token of others) {
    for (const [method, path, body] of [
      ['GET', '/traces?tripId=some-trip', undefined],
      ['GET', '/city', undefined],
      ['POST', '/poison', { queue: QUEUE }],
      ['POST', '/services/trip/kill', undefined],
    ] as const)
      expect(await call(method, path, body, token)).toMatchObject({ status: 401, body: { code: 'TOKEN_INVALID' } });
  }
  expect(crashed).toEqual([]);
});

it('kills services, and nothing else', async () => {
  const token = await tokenOf('operator');
  expect((await call('POST', '/services/postgres/kill', undefined, token)).status).toBe(404);
  expect((await call('POST', '/services/trip/kill', undefined, token)).status).toBe(202);
  expect(crashed).toEqual(['trip']);
});

it('sends poison to one queue, and to no other consumer', async () => {
  const token = await tokenOf('operator');
  expect((await call('POST', '/poison', { queue: 'trip.everything' }, token)).status).toBe(404);
  expect((await call('POST', '/poison', { queue: QUEUE }, token)).status).toBe(202);
  const connection = await connect(broker.adminUrl);
  const channel = await connection.createChannel();
  const depthOf = async (queue: string) => (await channel.checkQueue(queue)).messageCount;
  await eventually(async () => expect(await depthOf(QUEUE)).toBe(1));
  expect(await depthOf('passenger.trip-events')).toBe(0);
  await connection.close();
});
