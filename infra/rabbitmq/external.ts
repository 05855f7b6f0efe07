import { SERVICES, type ServiceName } from '@cabstand/contracts';
import { connect } from 'amqplib';
import { vhostDefinitions, type Accounts } from './definitions.ts';
import { Management } from './management.ts';
import { brokerUrls, declareTopology } from './topology.ts';

export interface ServiceBroker {
  amqpUrl: string;
  managementUrl: string | null;
}

export interface ExternalBroker {
  how: string;
  adminUrl: string;
  managementUrl: string | null;
  vhost: string;
  services: Record<ServiceName, ServiceBroker>;
}

const forEachService = (of: (service: ServiceName) => ServiceBroker) =>
  Object.fromEntries(SERVICES.map((service) => [service, of(service)])) as Record<ServiceName, ServiceBroker>;

/** Where a broker's management API usually is: the same host and credentials, port 15672. */
export function guessManagementUrl(amqpUrl: string): string {
  const { protocol, hostname, username, password } = new URL(amqpUrl);
  const secure = protocol === 'amqps:';
  const credentials = username ? `${username}:${password}` : 'guest:guest';
  return `${secure ? 'https' : 'http'}://${credentials}@${hostname}:${secure ? 15671 : 15672}`;
}

/**
 * A broker that somebody else runs (AMQP_URL). An administrator's URL gets a vhost and users of Cabstand's own;
 * with lesser rights the topology goes to the URL's vhost and every service uses that one user.
 */
export async function useExternalBroker(
  amqpUrl: string,
  managementUrl: string,
  accounts: Accounts,
): Promise<ExternalBroker> {
  const management = new Management(managementUrl);
  const me = await management.get<{ name: string; tags: string | string[] }>('/api/whoami').catch(() => null);
  if (me && [me.tags].flat().join(',').includes('administrator')) {
    await declareTopology(management, accounts);
    const vhost = encodeURIComponent(accounts.vhost);
    await management.put(`/api/permissions/${vhost}/${me.name}`, { configure: '.*', write: '.*', read: '.*' });
    const admin = new URL(amqpUrl);
    admin.pathname = `/${vhost}`;
    return {
      how: `${new URL(amqpUrl).host}, vhost ${accounts.vhost} (AMQP_URL)`,
      adminUrl: admin.href,
      managementUrl,
      vhost: accounts.vhost,
      services: forEachService((service) => brokerUrls({ amqpUrl, managementUrl }, accounts, service)),
    };
  }
  await declareOverAmqp(amqpUrl);
  const vhost = decodeURIComponent(new URL(amqpUrl).pathname.slice(1)) || '/';
  return {
    how: `${new URL(amqpUrl).host}, vhost ${vhost}, one user for all services (AMQP_URL is no administrator's)`,
    adminUrl: amqpUrl,
    managementUrl: me ? managementUrl : null,
    vhost,
    services: forEachService(() => ({ amqpUrl, managementUrl: me ? managementUrl : null })),
  };
}

async function declareOverAmqp(amqpUrl: string): Promise<void> {
  const { exchanges, queues, bindings } = vhostDefinitions();
  const connection = await connect(amqpUrl);
  try {
    const channel = await connection.createChannel();
    for (const { name, type } of exchanges) await channel.assertExchange(name, type, { durable: true });
    for (const { name, arguments: args } of queues) await channel.assertQueue(name, { durable: true, arguments: args });
    for (const b of bindings) await channel.bindQueue(b.destination, b.source, b.routing_key);
  } finally {
    await connection.close();
  }
}
