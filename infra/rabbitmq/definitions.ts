import { createHash, randomBytes } from 'node:crypto';
import { EVENTS, topologyOf, type EventDefinition, type ServiceName } from '@cabstand/contracts';

/** Who the definitions are for: broker names are global, so a test's vhost has users of its own. */
export interface Accounts {
  vhost: string;
  admin?: { name: string; password: string };
  nameOf: (service: ServiceName) => string;
  passwordOf: (service: ServiceName) => string;
  /** Services are known by their certificates; their passwords are then good for looking at the topology alone. */
  tls?: boolean;
}

/** RabbitMQ's own format: base64 of a 4-byte salt and sha256(salt + password). */
export function passwordHash(password: string, salt = randomBytes(4)): string {
  const digest = createHash('sha256').update(salt).update(password, 'utf8').digest();
  return Buffer.concat([salt, digest]).toString('base64');
}

/** What exists inside the vhost: exchanges, queues and bindings, as `POST /api/definitions/<vhost>` takes them. */
export function vhostDefinitions(events: readonly EventDefinition[] = EVENTS) {
  const { exchanges, queues, bindings } = topologyOf(events);
  return {
    exchanges: exchanges.map(({ name, type }) => ({
      name,
      type,
      durable: true,
      auto_delete: false,
      internal: false,
      arguments: {},
    })),
    queues: queues.map((queue) => ({
      name: queue.name,
      durable: true,
      auto_delete: false,
      arguments: queue.arguments,
    })),
    bindings: bindings.map(({ exchange, queue, routingKey }) => ({
      source: exchange,
      destination: queue,
      destination_type: 'queue',
      routing_key: routingKey,
      arguments: {},
    })),
  };
}

const user = (name: string, password: string | null, ...tags: string[]) => ({
  name,
  // Without a hash no password is the right one.
  password_hash: password === null ? '' : passwordHash(password),
  hashing_algorithm: 'rabbit_password_hashing_sha256',
  tags,
});

/**
 * Who signs in to the management API for a service, to list its vhost's bindings and queues. The API knows passwords
 * only, and publishes and reads for whoever may do so over AMQP: who is known by a certificate there needs another
 * user here, one that may do neither.
 */
export const viewerOf = ({ nameOf, tls }: Accounts, service: ServiceName) =>
  tls ? `${nameOf(service)}-topology` : nameOf(service);

/** The services' users. The `management` tag lets them list their own vhost's bindings, nothing more. */
export function serviceUsers(accounts: Accounts, events: readonly EventDefinition[] = EVENTS) {
  const { vhost, nameOf, passwordOf, tls } = accounts;
  const { permissions } = topologyOf(events);
  const viewers = permissions.map(({ service }) =>
    user(viewerOf(accounts, service), passwordOf(service), 'management'),
  );
  return {
    users: tls ? [...permissions.map(({ service }) => user(nameOf(service), null)), ...viewers] : viewers,
    permissions: [
      ...permissions.map(({ service, ...rights }) => ({ user: nameOf(service), vhost, ...rights })),
      ...(tls ? viewers.map(({ name }) => ({ user: name, vhost, configure: '', write: '', read: '' })) : []),
    ],
  };
}

/** A whole broker's definitions, as `load_definitions` and the Kubernetes operator take them. */
export function definitionsOf(accounts: Accounts, events: readonly EventDefinition[] = EVENTS) {
  const { users, permissions } = serviceUsers(accounts, events);
  const { vhost, admin } = accounts;
  const { exchanges, queues, bindings } = vhostDefinitions(events);
  const administrators = admin ? [user(admin.name, admin.password, 'administrator')] : [];
  const everything = administrators.map(({ name }) => ({
    user: name,
    vhost,
    configure: '.*',
    write: '.*',
    read: '.*',
  }));
  const inVhost = <T extends object>(items: T[]) => items.map((item) => ({ ...item, vhost }));
  return {
    users: [...administrators, ...users],
    vhosts: [{ name: vhost }],
    permissions: [...everything, ...permissions],
    exchanges: inVhost(exchanges),
    queues: inVhost(queues),
    bindings: inVhost(bindings),
  };
}
