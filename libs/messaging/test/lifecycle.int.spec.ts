import { TripRequested } from '@cabstand/contracts';
import { eventually } from '@cabstand/testing';
import { Controller, type Type } from '@nestjs/common';
import { EventPattern } from '@nestjs/microservices';
import { context, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';
import { TopologyCheck } from '../src/topology-check.ts';
import {
  createPair,
  dataSourceOf,
  deliveries,
  effectsOf,
  publish,
  queueDepth,
  type Pair,
  type Service,
} from './service.ts';

let pair: Pair;
let trip: Service;
const QUEUE = 'passenger.trip-events';
const spans = new InMemorySpanExporter();

beforeAll(async () => {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] }));
  pair = await createPair();
  trip = await pair.startTrip();
});
afterAll(() => pair.drop());

it('refuses to start without a handler for each event, or with one for an event that never comes', async () => {
  @Controller()
  class Incomplete {
    @EventPattern('trip.requested')
    one(_payload: unknown): void {}
    @EventPattern('trip.requested')
    other(_payload: unknown): void {}
    @EventPattern('driver.registered')
    stray(_payload: unknown): void {}
  }
  const starting = pair.startPassenger(undefined, { controllers: [Incomplete] as Type[] } as object);
  await expect(starting).rejects.toThrow(
    expect.objectContaining({
      message: expect.stringMatching(
        /@EventPattern\(TripCompleted\.type\) onTripCompleted\([^]*driver\.registered[^]*2 handlers for trip\.requested/,
      ) as string,
    }),
  );
});

it('has one trace from the transaction to the handler', async () => {
  const passenger = await pair.startPassenger();
  const id = await trace.getTracer('test').startActiveSpan('request', async (span) => {
    const published = await publish(trip);
    span.end();
    return published;
  });
  await eventually(async () => expect(await effectsOf(passenger)).toContain(id));
  await passenger.stop();
  const byName = new Map(spans.getFinishedSpans().map((span) => [span.name, span]));
  const path = ['request', 'transaction', `publish ${TripRequested.type}`, `process ${TripRequested.type}`].map(
    (name) =>
      spans
        .getFinishedSpans()
        .find(
          (span) => span.name === name && span.spanContext().traceId === byName.get('request')?.spanContext().traceId,
        ),
  );
  expect(path.map((span) => span?.parentSpanContext?.spanId)).toEqual([
    undefined,
    ...path.slice(0, 3).map((span) => span?.spanContext().spanId),
  ]);
});

it('finishes what it has begun before it stops, and nothing of that is delivered again', async () => {
  let letGo = (): void => undefined;
  const busy = new Promise<void>((resolve) => (letGo = resolve));
  const passenger = await pair.startPassenger(() => busy, { largestBatch: 1 });
  const ids = await Promise.all(Array.from({ length: 20 }, () => publish(trip)));
  await eventually(() => expect(ids.filter((id) => deliveries.includes(id))).toHaveLength(5));
  const begun = ids.filter((id) => deliveries.includes(id));
  const stopping = passenger.app.close();
  letGo();
  await stopping;
  await passenger.stop();

  const next = await pair.startPassenger();
  await eventually(async () => expect(await effectsOf(next)).toEqual(expect.arrayContaining(ids)));
  expect(deliveries.filter((id) => begun.includes(id)).toSorted()).toEqual(begun.toSorted());
  await next.stop();
  expect(await queueDepth(pair.broker, QUEUE)).toBe(0);
});

it('publishes what was committed just before it stops', async () => {
  const replica = await pair.startTrip();
  await trip.stop();
  const ids = await Promise.all(Array.from({ length: 50 }, () => publish(replica)));
  await eventually(() => expect(replica.status.connected).toBe(true));
  await replica.stop();
  trip = await pair.startTrip({ pollEveryMs: 3_600_000 });
  expect(await queueDepth(pair.broker, QUEUE)).toBe(ids.length);
});

it('notices a missing binding, and that it is back', async () => {
  const { vhost, management } = pair.broker;
  const watched = await pair.startTrip({ topologyCheckEveryMs: 50 });
  const missing = () => watched.app.get(TopologyCheck).missing?.map(({ queue, routingKey }) => [queue, routingKey]);
  await eventually(() => expect(missing()).toEqual([]));
  const path = `/api/bindings/${encodeURIComponent(vhost)}/e/trip.events/q/${QUEUE}`;
  await management.call('DELETE', `${path}/trip.rated`);
  await eventually(() => expect(missing()).toEqual([[QUEUE, 'trip.rated']]));
  await management.call('POST', path, { routing_key: 'trip.rated' });
  await eventually(() => expect(missing()).toEqual([]));
  await pair.broker.stop();
  await eventually(() => expect(missing()).toBeUndefined());
  await pair.broker.start();
});

it('knows the bindings again as soon as the broker is back', async () => {
  await pair.broker.stop();
  const watched = await pair.startTrip({ topologyCheckEveryMs: 3_600_000 });
  const check = watched.app.get(TopologyCheck);
  expect(check.missing).toBeUndefined();
  await pair.broker.start();
  await eventually(() => expect(check.missing).toEqual([]));
});

it('hands live messages to every replica, with their contract checked, across reconnections', async () => {
  const replicas = await Promise.all([pair.startTrip(), pair.startTrip()]);
  const heard: unknown[][] = [[], []];
  replicas.forEach((replica, i) => replica.live.subscribe('trip', 'wake.test', (payload) => heard[i]!.push(payload)));
  let round = 0;
  const tell = async () => {
    const told = { round: ++round };
    await eventually(() => {
      trip.live.publish('wake.test', told);
      for (const each of heard) expect(each).toContainEqual(told);
    });
  };
  await tell();
  await pair.broker.stop();
  trip.live.publish('wake.test', { round: 'lost' });
  await pair.broker.start();
  await tell();
  expect(heard.flat()).not.toContainEqual({ round: 'lost' });
});

it('hears its own live messages once, at once, and without the broker', async () => {
  const heard: unknown[] = [];
  const other = await pair.startTrip();
  trip.live.subscribe('trip', 'wake.own', (payload) => heard.push(payload));
  const untilHeard = (payload: object) =>
    eventually(() => {
      other.live.publish('wake.own', payload);
      expect(heard).toContainEqual(payload);
    });
  await untilHeard({ is: 'bound' });
  trip.live.publish('wake.own', { is: 'own' });
  expect(heard.at(-1)).toEqual({ is: 'own' });
  // Its queue keeps the order: what comes later has its own before it.
  await untilHeard({ is: 'later' });
  expect(heard.filter((payload) => (payload as { is: string }).is === 'own')).toHaveLength(1);
  await pair.broker.stop();
  trip.live.publish('wake.own', { is: 'alone' });
  expect(heard.at(-1)).toEqual({ is: 'alone' });
  await pair.broker.start();
});

it('has migrations that make exactly what the entities say', async () => {
  const dataSource = await dataSourceOf(pair.tripDatabase).initialize();
  await dataSource.query('DROP TABLE effects');
  const { upQueries } = await dataSource.driver.createSchemaBuilder().log();
  await dataSource.destroy();
  expect(upQueries.map(({ query }) => query)).toEqual([]);
});
