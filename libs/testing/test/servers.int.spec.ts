import { connect } from 'amqplib';
import pg from 'pg';
import { createTestBroker, createTestDatabase, eventually } from '../src/index.ts';

describe('a test database', () => {
  it('is away while it is stopped, and keeps its data', async () => {
    const database = await createTestDatabase('testing');
    const query = async (sql: string) => {
      const client = new pg.Client({ connectionString: database.url });
      client.on('error', () => undefined);
      await client.connect();
      try {
        return await client.query(sql);
      } finally {
        await client.end();
      }
    };
    await query('CREATE TABLE kept AS SELECT 1 AS one');
    await database.stop();
    await expect(query('SELECT 1')).rejects.toThrow(/ECONNREFUSED/);
    await database.start();
    expect((await query('SELECT one FROM kept')).rows).toEqual([{ one: 1 }]);
    await database.drop();
    await database.start();
    await expect(query('SELECT 1')).rejects.toThrow(/authentication failed|does not exist/);
    await database.stop();
  });
});

describe('a test broker', () => {
  it('ends the connections of services when it stops, and takes new ones when it is back', async () => {
    const broker = await createTestBroker();
    const connection = await connect(broker.urlFor('trip'));
    const ended = new Promise((resolve) => connection.on('close', resolve));
    connection.on('error', () => undefined);
    await broker.stop();
    await ended;
    await expect(connect(broker.urlFor('trip'))).rejects.toThrow(/ECONNREFUSED/);

    await broker.start();
    const again = await connect(broker.urlFor('trip'));
    await again.close();
    await broker.drop();
  });

  it('keeps what is in its queues to itself', async () => {
    const [one, other] = await Promise.all([createTestBroker(), createTestBroker()]);
    const connection = await connect(one.urlFor('trip'));
    const channel = await connection.createConfirmChannel();
    channel.publish('trip.events', 'trip.requested', Buffer.from('{}'), { persistent: true });
    await channel.waitForConfirms();

    const depth = async (broker: typeof one) => {
      const path = `/api/queues/${broker.vhost}/driver.trip-events`;
      return (await broker.management.get<{ messages?: number }>(path)).messages;
    };
    await eventually(async () => expect(await depth(one)).toBe(1));
    expect(await depth(other)).toBe(0);
    await connection.close();
    await Promise.all([one.drop(), other.drop()]);
  });
});

describe('eventually()', () => {
  it('waits until the assertion holds', async () => {
    let attempts = 0;
    await eventually(() => expect((attempts += 1)).toBe(3), { everyMs: 1 });
    expect(attempts).toBe(3);
  });

  it('throws the last failure when time is up', async () => {
    const never = eventually(() => expect('the state').toBe('another'), { timeoutMs: 20, everyMs: 5 });
    await expect(never).rejects.toThrow('the state');
  });
});
