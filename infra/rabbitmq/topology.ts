import { SERVICES, type ServiceName } from '@cabstand/contracts';
import { serviceUsers, vhostDefinitions, viewerOf, type Accounts } from './definitions.ts';
import type { Management } from './management.ts';

interface BindingRow {
  source: string;
  destination: string;
  routing_key: string;
  properties_key: string;
  destination_type: string;
}

/** Makes a vhost with the whole topology, its users and their permissions, in a broker that is running. */
export async function declareTopology(management: Management, accounts: Accounts): Promise<void> {
  const vhost = encodeURIComponent(accounts.vhost);
  await management.put(`/api/vhosts/${vhost}`);
  const { users, permissions } = serviceUsers(accounts);
  for (const { name, ...user } of users)
    await management.put(`/api/users/${name}`, { ...user, tags: user.tags.join(',') });
  for (const { user, vhost: _, ...rights } of permissions)
    await management.put(`/api/permissions/${vhost}/${user}`, rights);
  await management.post(`/api/definitions/${vhost}`, vhostDefinitions());
  await removeStaleBindings(management, accounts.vhost);
}

/** An event that lost a consumer would otherwise go on filling a queue that has no handler for it. */
export async function removeStaleBindings(management: Management, name: string): Promise<void> {
  const vhost = encodeURIComponent(name);
  const wanted = new Set(vhostDefinitions().bindings.map((b) => `${b.source} ${b.destination} ${b.routing_key}`));
  const ours = new Set(SERVICES.flatMap((service) => [`${service}.events`, `${service}.retry`]));
  for (const b of await management.get<BindingRow[]>(`/api/bindings/${vhost}`)) {
    if (!ours.has(b.source) || b.destination_type !== 'queue') continue;
    if (wanted.has(`${b.source} ${b.destination} ${b.routing_key}`)) continue;
    const key = encodeURIComponent(b.properties_key);
    await management.delete(`/api/bindings/${vhost}/e/${b.source}/q/${encodeURIComponent(b.destination)}/${key}`);
  }
}

export async function removeTopology(management: Management, accounts: Accounts): Promise<void> {
  await management.delete(`/api/vhosts/${encodeURIComponent(accounts.vhost)}`);
  for (const { name } of serviceUsers(accounts).users) await management.delete(`/api/users/${name}`);
}

/** How one service reaches its vhost. */
export function brokerUrls(
  base: { amqpUrl: string; managementUrl: string },
  accounts: Accounts,
  service: ServiceName,
): { amqpUrl: string; managementUrl: string } {
  const amqp = new URL(base.amqpUrl);
  const management = new URL(base.managementUrl);
  management.username = viewerOf(accounts, service);
  management.password = accounts.passwordOf(service);
  // Known by its certificate, a service has no password there.
  amqp.username = accounts.tls ? '' : accounts.nameOf(service);
  amqp.password = accounts.tls ? '' : accounts.passwordOf(service);
  amqp.pathname = `/${encodeURIComponent(accounts.vhost)}`;
  return { amqpUrl: amqp.href, managementUrl: management.href };
}
