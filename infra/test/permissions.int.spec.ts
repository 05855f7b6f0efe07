import { randomBytes } from 'node:crypto';
import {
  eventsExchange,
  EVENTS,
  liveExchange,
  retryExchange,
  SERVICES,
  subscriptions,
  deadQueue,
  type ServiceName,
} from '@cabstand/contracts';
import { connect, type Channel, type ChannelModel } from 'amqplib';
import {
  brokerUrls,
  declareTopology,
  Management,
  removeStaleBindings,
  removeTopology,
  type Accounts,
} from '../index.ts';
import { testRuntime } from './test-servers.ts';

const runtime = testRuntime();
const management = new Management(runtime.managementUrl);
const vhost = `permissions-${randomBytes(4).toString('hex')}`;
const accounts: Accounts = { vhost, nameOf: (service) => `${vhost}-${service}`, passwordOf: () => vhost };
const connections = new Map<ServiceName, ChannelModel>();
const ACCESS_REFUSED = 403;

beforeAll(async () => {
  await declareTopology(management, accounts);
  for (const service of SERVICES) {
    const connection = await connect(brokerUrls(runtime, accounts, service).amqpUrl);
    connection.on('error', () => undefined);
    connections.set(service, connection);
  }
});

afterAll(async () => {
  for (const connection of connections.values()) await connection.close();
  await removeTopology(management, accounts);
});

/** Does one thing on a channel of the service's own; answers `allowed`, or the broker's code for refusing. */
async function attempt(
  service: ServiceName,
  work: (channel: Channel) => Promise<unknown>,
): Promise<'allowed' | number> {
  const channel = await connections.get(service)!.createChannel();
  const refused = new Promise<number>((resolve) => {
    channel.on('error', (error: Error & { code?: number }) => resolve(error.code ?? 0));
  });
  const worked = work(channel).then(
    () => 'allowed' as const,
    () => refused,
  );
  const outcome = await Promise.race([worked, refused]);
  if (outcome === 'allowed') await channel.close();
  return outcome;
}

/** A publish has no answer of its own: the call after it shows whether the channel survived. */
const publish =
  (exchange: string, key = 'x') =>
  async (channel: Channel) => {
    channel.publish(exchange, key, Buffer.from('{}'));
    await channel.prefetch(1);
  };
const consume = (queue: string) => async (channel: Channel) => {
  const { consumerTag } = await channel.consume(queue, () => undefined);
  await channel.cancel(consumerTag);
};

const others = (service: ServiceName) => SERVICES.filter((other) => other !== service);
const queuesOf = (service: ServiceName) =>
  subscriptions(EVENTS)
    .filter(({ consumer }) => consumer === service)
    .flatMap(({ queue }) => [queue, deadQueue(queue)]);

describe.each(SERVICES)("the %s service's user", (service) => {
  it('publishes to its own exchanges', async () => {
    for (const exchange of [eventsExchange(service), retryExchange(service), liveExchange(service)])
      expect([exchange, await attempt(service, publish(exchange))]).toEqual([exchange, 'allowed']);
  });

  it("publishes to nobody else's, nor to the default exchange", async () => {
    const foreign = others(service).flatMap((other) => [
      eventsExchange(other),
      retryExchange(other),
      liveExchange(other),
    ]);
    for (const exchange of [...foreign, '', 'amq.topic'])
      expect([exchange, await attempt(service, publish(exchange))]).toEqual([exchange, ACCESS_REFUSED]);
  });

  it("consumes its own queues and nobody else's", async () => {
    for (const queue of queuesOf(service))
      expect([queue, await attempt(service, consume(queue))]).toEqual([queue, 'allowed']);
    for (const queue of others(service).flatMap(queuesOf))
      expect([queue, await attempt(service, consume(queue))]).toEqual([queue, ACCESS_REFUSED]);
  });

  it('declares live queues of its own and nothing else', async () => {
    const declare = (queue: string) => (channel: Channel) =>
      channel.assertQueue(queue, { exclusive: true, autoDelete: true });
    expect(await attempt(service, declare(`${service}.live.${crypto.randomUUID()}`))).toBe('allowed');
    expect(await attempt(service, declare('anything'))).toBe(ACCESS_REFUSED);
    expect(await attempt(service, declare(`${others(service)[0]}.live.x`))).toBe(ACCESS_REFUSED);
    expect(await attempt(service, (channel) => channel.assertExchange('anything', 'topic'))).toBe(ACCESS_REFUSED);
    expect(await attempt(service, (channel) => channel.deleteQueue(queuesOf(service)[0]!))).toBe(ACCESS_REFUSED);
  });

  it('binds its live queue to its own live exchange, and to no exchange of events', async () => {
    const queue = `${service}.live.${crypto.randomUUID()}`;
    const bind = (exchange: string) => async (channel: Channel) => {
      await channel.assertQueue(queue, { exclusive: true, autoDelete: true });
      await channel.bindQueue(queue, exchange, '#');
    };
    expect(await attempt(service, bind(liveExchange(service)))).toBe('allowed');
    for (const publisher of SERVICES)
      expect(await attempt(service, bind(eventsExchange(publisher)))).toBe(ACCESS_REFUSED);
  });

  it('sees the bindings of its vhost through the management API, and cannot change users', async () => {
    const own = new Management(brokerUrls(runtime, accounts, service).managementUrl);
    expect(await own.get<unknown[]>(`/api/bindings/${vhost}`)).not.toHaveLength(0);
    await expect(own.put(`/api/users/${vhost}-x`, { password: 'x', tags: '' })).rejects.toThrow(/40[13]/);
    await expect(own.get('/api/bindings/%2F')).rejects.toThrow(/40[134]/);
  });
});

/** What platform.md allows, by name; whatever stands here for nobody is for nobody. */
const MAY_WRITE: Record<string, ServiceName[]> = Object.fromEntries(
  SERVICES.flatMap((service) =>
    [eventsExchange(service), retryExchange(service), liveExchange(service)].map((name) => [name, [service]]),
  ),
);
const MAY_READ: Record<string, ServiceName[]> = {
  'passenger.trip-events': ['passenger'],
  'passenger.trip-events.dead': ['passenger'],
  'passenger.live': ['passenger'],
  'driver.trip-events': ['driver'],
  'driver.trip-events.dead': ['driver'],
  'driver.live': ['driver', 'trip'],
  'trip.passenger-events': ['trip'],
  'trip.passenger-events.dead': ['trip'],
  'trip.driver-events': ['trip'],
  'trip.driver-events.dead': ['trip'],
  'trip.live': ['trip'],
};

describe('the rights that the broker keeps', () => {
  interface Named {
    name: string;
  }
  interface Rights {
    user: string;
    configure: string;
    write: string;
    read: string;
  }
  const list = <Row>(what: string) => management.get<Row[]>(`/api/${what}/${vhost}`);

  it('are, for each service, exchange and queue, what the contracts allow and nothing more', async () => {
    const rights = await management.get<Rights[]>(`/api/vhosts/${vhost}/permissions`);
    const there = [...(await list<Named>('exchanges')), ...(await list<Named>('queues'))].map(({ name }) => name);
    expect(there.length).toBeGreaterThan(9 + 24);
    const live = SERVICES.map((service) => `${service}.live.some-id`);
    // The broker asks for rights to the default exchange, which has no name, under this one.
    const names = [...there.filter((name) => !/\.live\./.test(name)), ...live, 'amq.default', 'anything'];
    const matching = (pattern = '.*') => names.filter((name) => new RegExp(pattern).test(name)).sort();
    for (const service of SERVICES) {
      const own = rights.find(({ user }) => user === accounts.nameOf(service));
      const allowed = (map: Record<string, ServiceName[]>) =>
        [...names.filter((name) => map[name]?.includes(service)), `${service}.live.some-id`].sort();
      const granted = { configure: matching(own?.configure), write: matching(own?.write), read: matching(own?.read) };
      expect({ service, ...granted }).toEqual({
        ...{ service, configure: allowed({}), write: allowed(MAY_WRITE), read: allowed(MAY_READ) },
      });
    }
  });
});

describe('the topology', () => {
  const listed = () => management.get<{ source: string; routing_key: string }[]>(`/api/bindings/${vhost}`);

  it('loses a binding that the contracts no longer have, and keeps the others', async () => {
    const before = (await listed()).length;
    const stale = `/api/bindings/${vhost}/e/trip.events/q/driver.trip-events`;
    await management.post(stale, { routing_key: 'trip.renamed' });
    await removeStaleBindings(management, vhost);
    const after = await listed();
    expect(after.filter(({ routing_key }) => routing_key === 'trip.renamed')).toEqual([]);
    expect(after).toHaveLength(before);
  });
});
