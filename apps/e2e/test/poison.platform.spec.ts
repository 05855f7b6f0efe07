import type { ServiceName } from '@cabstand/contracts';
import { eventually, POISON } from '@cabstand/testing';
import pg from 'pg';
import { BrokerView, goodMessage, SOURCES } from '../src/messages.ts';
import { Platform } from '../src/platform.ts';
import { send, sendJson } from '../src/requests.ts';

let platform: Platform;
let broker: BrokerView;
let token: string;
let databases: Record<ServiceName, pg.Pool>;

beforeAll(async () => {
  platform = await Platform.start();
  broker = await BrokerView.open(platform);
  token = await platform.operatorToken();
  const open = ({ url }: { url: string }) => new pg.Pool({ connectionString: url, max: 1 });
  const { passenger, driver, trip } = platform.databases;
  databases = { passenger: open(passenger), driver: open(driver), trip: open(trip) };
});
afterAll(async () => {
  await broker?.close();
  await Promise.all(Object.values(databases ?? {}).map((pool) => pool.end()));
  await platform?.stop();
});

interface Letter {
  id: string;
  reason: string;
  attempts: number;
}

async function lettersOf(consumer: ServiceName, queue: string): Promise<Letter[]> {
  const url = `${platform.urls[consumer]}/v1/ops/dead-letters?limit=100&queue=${queue}`;
  const { status, json } = await sendJson('GET', url, undefined, token);
  expect(status).toBe(200);
  return json?.items as Letter[];
}

/** When the transaction of its effect began: by PostgreSQL's clock, which all three services' databases share. */
async function handledAt(consumer: ServiceName, messageId: string): Promise<number> {
  const query = 'SELECT received_at FROM inbox WHERE message_id = $1';
  const { rows } = await databases[consumer].query<{ received_at: Date }>(query, [messageId]);
  expect(rows).toHaveLength(1);
  return rows[0]!.received_at.getTime();
}

async function now(): Promise<number> {
  const { rows } = await databases.trip.query<{ now: Date }>('SELECT clock_timestamp() AS now');
  return rows[0]!.now.getTime();
}

describe.each(SOURCES)('queues of $publisher’s events', (source) => {
  it.each(POISON)('set aside $name, once, and go on', async ({ reason, spoil }) => {
    const before = await Promise.all(source.queues.map(({ consumer, queue }) => lettersOf(consumer, queue)));
    const bad = goodMessage(source);
    spoil(bad, { queue: source.queues[0]!.queue, otherType: source.otherType });
    const good = goodMessage(source);
    await broker.publish(source.publisher, bad);
    await broker.publish(source.publisher, good);
    const publishedAt = await now();
    for (const [index, { consumer, queue }] of source.queues.entries()) {
      const elapsedMs = (await eventually(() => handledAt(consumer, String(good.options.messageId)))) - publishedAt;
      expect(elapsedMs).toBeLessThan(1_000);
      const known = new Set(before[index]!.map(({ id }) => id));
      const [letter] = await eventually(async () => {
        const news = (await lettersOf(consumer, queue)).filter(({ id }) => !known.has(id));
        expect(news).toEqual([expect.objectContaining({ queue, reason, attempts: 1 })]);
        return news as [Letter];
      });
      const url = `${platform.urls[consumer]}/v1/ops/dead-letters/${letter.id}`;
      const headers = { authorization: `Bearer ${token}`, 'access-reason': 'it died in a test' };
      const { json } = await send(url, { headers });
      expect(Buffer.from(String(json?.bodyBase64), 'base64').equals(bad.body)).toBe(true);
    }
  });

  it('are left with nothing, and their owners with one dead letter for each', async () => {
    for (const { consumer, queue } of source.queues) {
      await broker.expectEmpty(queue);
      expect(await lettersOf(consumer, queue)).toHaveLength(POISON.length);
    }
  });
});

it('covers every queue of the platform', () => {
  const queues = SOURCES.flatMap(({ queues }) => queues.map(({ queue }) => queue));
  expect(queues.toSorted()).toEqual([
    'driver.trip-events',
    'passenger.trip-events',
    'trip.driver-events',
    'trip.passenger-events',
  ]);
  expect(POISON.length).toBeGreaterThanOrEqual(24);
});
