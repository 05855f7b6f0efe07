import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import {
  brokerUrls,
  findRabbitmqServer,
  freePort,
  installationAccounts,
  startRabbitmqNode,
} from '../../../infra/index.ts';
import type { ServiceName } from '@cabstand/contracts';

/** A RabbitMQ node of the test's own, for what would disturb the others on the shared one. */
export interface OwnBroker {
  urlFor(service: ServiceName): string;
  /** `rabbitmqctl` with these arguments. */
  control(...args: string[]): Promise<void>;
  stop(): Promise<void>;
}

export async function startOwnBroker(): Promise<OwnBroker> {
  const dir = mkdtempSync(join(tmpdir(), 'cabstand-broker-'));
  const accounts = installationAccounts(dir);
  const ports = { amqpPort: await freePort(), managementPort: await freePort() };
  const node = await startRabbitmqNode({ dir, ...ports, accounts });
  // Node name, cookie and the port of its name server are what it was started with.
  const environ = readFileSync(`/proc/${node.pid}/environ`, 'utf8').split('\0').filter(Boolean);
  const env = Object.fromEntries(environ.map((line) => line.split(/=(.*)/s, 2) as [string, string]));
  const command = join(dirname(findRabbitmqServer()!), 'rabbitmqctl');
  return {
    urlFor: (service) => brokerUrls(node, accounts, service).amqpUrl,
    control: async (...args) => void (await promisify(execFile)(command, args, { env })),
    stop: async () => {
      await node.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
