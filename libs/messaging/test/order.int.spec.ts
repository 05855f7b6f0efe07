import { randomUUID } from 'node:crypto';
import { TripRequested } from '@cabstand/contracts';
import { eventually } from '@cabstand/testing';
import { connect, type ChannelModel, type ConsumeMessage } from 'amqplib';
import { createPair, outboxOf, tripRequested, type Pair, type Service } from './service.ts';

let pair: Pair;
let admin: ChannelModel;
let relays: Service[];
const heard: { subject: string; sequence: number }[] = [];

beforeAll(async () => {
  pair = await createPair();
  admin = await connect(pair.broker.adminUrl);
  const channel = await admin.createChannel();
  const { queue } = await channel.assertQueue('', { exclusive: true });
  await channel.bindQueue(queue, 'trip.events', '#');
  await channel.consume(queue, (message: ConsumeMessage | null) => {
    const headers = message?.properties.headers ?? {};
    heard.push({ subject: String(headers['cloudEvents:subject']), sequence: Number(headers['cloudEvents:sequence']) });
  });
  relays = await Promise.all([pair.startTrip(), pair.startTrip()]);
  await relays[0]!.dataSource.query('CREATE TABLE aggregates (id uuid PRIMARY KEY, sequence int NOT NULL DEFAULT 0)');
});
afterAll(async () => {
  await admin.close();
  await pair.drop();
});

async function change(service: Service, id: string): Promise<void> {
  await service.transactions.run(async (tx) => {
    const [rows]: [{ sequence: number }[]] = await tx.query(
      'UPDATE aggregates SET sequence = sequence + 1 WHERE id = $1 RETURNING sequence',
      [id],
    );
    await service.outbox.add(tx, TripRequested, tripRequested(id), rows[0]!.sequence);
  });
}

const CHANGES = 40;

/** Changes a dozen aggregates at once, through both replicas, and tells which sequences of each were heard. */
async function changeMany(meanwhile: () => Promise<void> = () => Promise.resolve()): Promise<number[][]> {
  const ids = Array.from({ length: 12 }, () => randomUUID());
  await relays[0]!.dataSource.query('INSERT INTO aggregates (id) SELECT unnest($1::uuid[])', [ids]);
  const writing = ids.flatMap((id) =>
    relays.map(async (service) => {
      for (let i = 0; i < CHANGES / 2; i++) await change(service, id);
    }),
  );
  await Promise.all([...writing, meanwhile()]);
  await eventually(async () => expect(await outboxOf(relays[0]!)).toEqual([]), { timeoutMs: 30_000 });
  const sequences = () =>
    ids.map((id) => heard.filter(({ subject }) => subject === id).map(({ sequence }) => sequence));
  await eventually(() => expect(sequences().filter((each) => new Set(each).size < CHANGES)).toEqual([]));
  return sequences();
}

const ascending = Array.from({ length: CHANGES }, (_, i) => i + 1);

it('publishes each event once and each aggregate’s in order, with many writers and two relays', async () => {
  for (const sequences of await changeMany()) expect(sequences).toEqual(ascending);
});

it('keeps each aggregate’s order when connections are lost', async () => {
  const before = heard.length;
  const all = await changeMany(async () => {
    await eventually(() => expect(heard.length).toBeGreaterThan(before + 50));
    await pair.broker.stop();
    await pair.broker.start();
  });
  // What was published before the cut and not confirmed comes twice; first appearances count.
  for (const sequences of all) expect([...new Set(sequences)]).toEqual(ascending);
});

it('lets another replica relay at once when the one that did is gone', async () => {
  const [first, second] = relays as [Service, Service];
  await first.stop();
  const id = randomUUID();
  await second.dataSource.query('INSERT INTO aggregates (id) VALUES ($1)', [id]);
  await change(second, id);
  await eventually(() => expect(heard.filter(({ subject }) => subject === id)).toHaveLength(1), { timeoutMs: 3_000 });
});
