import { randomUUID } from 'node:crypto';
import { EVENTS } from '@cabstand/contracts';
import { eventually } from '@cabstand/testing';
import { metrics } from '@opentelemetry/api';
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import { connect } from 'amqplib';
import { createPair, deadLettersOf, effectsOf, publish, tripRequested, type Pair } from './service.ts';

const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
let pair: Pair;

beforeAll(async () => {
  // Before anything asks for a meter: one that is asked for earlier stays mute.
  metrics.setGlobalMeterProvider(new MeterProvider({ readers: [reader] }));
  pair = await createPair();
});
afterAll(() => pair.drop());

/** Every series, by the name of its metric, as it is now. */
async function series() {
  exporter.reset();
  await reader.forceFlush();
  const found = exporter.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics.flatMap((scope) => scope.metrics));
  return new Map(found.map(({ descriptor, dataPoints }) => [descriptor.name, dataPoints]));
}

it('tells how events fare, with labels that no message can make more of', async () => {
  const trip = await pair.startTrip();
  const poison = tripRequested();
  const passenger = await pair.startPassenger(({ envelope }) =>
    envelope.subject === poison.tripId ? Promise.reject(new Error('always')) : Promise.resolve(),
  );
  const id = await publish(trip);
  await publish(trip, poison);
  const admin = await connect(pair.broker.adminUrl);
  const channel = await admin.createConfirmChannel();
  for (let i = 0; i < 20; i++) {
    const type = `forged.${randomUUID()}`;
    channel.publish('trip.events', 'trip.requested', Buffer.from(JSON.stringify({ type })), {
      type,
      headers: { 'cloudEvents:type': type },
    });
  }
  await channel.waitForConfirms();
  await admin.close();
  await eventually(async () => expect(await effectsOf(passenger)).toEqual([id]));
  await eventually(async () => expect(await deadLettersOf(passenger)).toHaveLength(21));

  const now = await series();
  const count = (name: string, attributes: object) =>
    now.get(name)?.find((point) => JSON.stringify(point.attributes) === JSON.stringify(attributes))?.value;
  expect(count('messaging.handled', { type: 'trip.requested', outcome: 'done' })).toBe(1);
  expect(count('messaging.handled', { type: 'trip.requested', outcome: 'retried' })).toBe(2);
  expect(count('messaging.handled', { type: 'trip.requested', outcome: 'dead' })).toBe(1);
  expect(count('messaging.handled', { type: 'unknown', outcome: 'dead' })).toBe(20);
  expect(count('messaging.published', { type: 'trip.requested' })).toBe(2);
  expect([...now.keys()]).toEqual(
    expect.arrayContaining([
      'messaging.outbox.depth',
      'messaging.outbox.oldest_age',
      'messaging.publish.latency',
      'messaging.confirm.duration',
      'messaging.lag',
      'messaging.handler.duration',
      'messaging.bindings.missing',
      'messaging.connected',
    ]),
  );
  const types = new Set([...EVENTS.map(({ type }) => type), 'unknown']);
  const labels = [...now.values()].flat().map(({ attributes }) => attributes.type);
  expect(labels.filter((type) => type !== undefined && !types.has(String(type)))).toEqual([]);
});
