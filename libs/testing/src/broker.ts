import { randomBytes } from 'node:crypto';
import { brokerUrls, declareTopology, Management, removeTopology, type Accounts } from '../../../infra/index.ts';
import type { ServiceName } from '@cabstand/contracts';
import { Link } from './link.ts';
import { testRuntime } from './runtime.ts';

export interface TestBroker {
  vhost: string;
  /** What the service gets as AMQP_URL: its own user, with its own permissions only. */
  urlFor(service: ServiceName): string;
  /** What the service gets as AMQP_MANAGEMENT_URL. */
  managementUrlFor(service: ServiceName): string;
  /** AMQP of the administrator to the same vhost, for looking and meddling. It doesn't go down with `stop`. */
  adminUrl: string;
  /** The management API as administrator; paths take `encodeURIComponent(vhost)`. It doesn't go down either. */
  management: Management;
  /** Cuts the services' way to the broker, as if it had stopped. */
  stop(): Promise<void>;
  start(): Promise<void>;
  /** The services' way to AMQP, for making it bad instead of cutting it. */
  link: Link;
  drop(): Promise<void>;
}

/** A vhost of its own on the shared test node, with the generated topology, users and permissions. `direct` as for databases. */
export async function createTestBroker({ direct = false } = {}): Promise<TestBroker> {
  const runtime = testRuntime();
  const vhost = `test-${randomBytes(6).toString('hex')}`;
  const password = randomBytes(12).toString('hex');
  const accounts: Accounts = { vhost, nameOf: (service) => `${vhost}-${service}`, passwordOf: () => password };
  const management = new Management(runtime.managementUrl);
  await declareTopology(management, accounts);

  const admin = new URL(runtime.amqpUrl);
  admin.pathname = `/${vhost}`;
  const path = `/api/permissions/${vhost}/${decodeURIComponent(admin.username)}`;
  await management.put(path, { configure: '.*', write: '.*', read: '.*' });

  const links = { amqp: await Link.to(runtime.amqpUrl), management: await Link.to(runtime.managementUrl) };
  const both = [links.amqp, links.management];
  const by = (link: Link, url: string) => (direct ? url : link.through(url));
  return {
    vhost,
    urlFor: (service) => by(links.amqp, brokerUrls(runtime, accounts, service).amqpUrl),
    managementUrlFor: (service) => by(links.management, brokerUrls(runtime, accounts, service).managementUrl),
    adminUrl: admin.href,
    management,
    link: links.amqp,
    stop: async () => void (await Promise.all(both.map((link) => link.stop()))),
    start: async () => void (await Promise.all(both.map((link) => link.start()))),
    drop: async () => {
      await Promise.all(both.map((link) => link.stop()));
      await removeTopology(management, accounts);
    },
  };
}
