import { execFile, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { declareTopology } from './topology.ts';
import { Management } from './management.ts';
import type { NodeOptions } from './node.ts';

const IMAGE = 'rabbitmq:4-management';
const run = promisify(execFile);

export const isDockerRunning = (): boolean =>
  spawnSync('docker', ['info', '--format', '{{.ServerVersion}}'], { timeout: 10_000 }).status === 0;

/** The container's and its volume's name, one for each installation on the machine. */
export const containerName = (dir: string) =>
  `cabstand-rabbitmq-${createHash('sha256').update(dir).digest('hex').slice(0, 8)}`;

/** RabbitMQ in a container, for a machine that has Docker and no `rabbitmq-server`. Its data is in a volume. */
export async function startRabbitmqContainer(options: NodeOptions) {
  const { dir, amqpPort, managementPort, accounts } = options;
  const name = containerName(dir);
  await stopRabbitmqContainer(name);
  const publish = [`127.0.0.1:${amqpPort}:5672`, `127.0.0.1:${managementPort}:15672`].flatMap((p) => ['--publish', p]);
  // By name, not by value: arguments can be read by every user of the machine.
  const variables = ['RABBITMQ_DEFAULT_USER', 'RABBITMQ_DEFAULT_PASS'];
  const env = {
    ...process.env,
    RABBITMQ_DEFAULT_USER: accounts.admin.name,
    RABBITMQ_DEFAULT_PASS: accounts.admin.password,
  };
  const flags = ['--rm', '--detach', '--name', name, '--hostname', 'cabstand', '--volume', `${name}:/var/lib/rabbitmq`];
  await run('docker', ['run', ...flags, ...publish, ...variables.flatMap((v) => ['--env', v]), IMAGE], { env });

  const credentials = `${accounts.admin.name}:${accounts.admin.password}`;
  const managementUrl = `http://${credentials}@127.0.0.1:${managementPort}`;
  const management = new Management(managementUrl);
  const deadline = Date.now() + 180_000;
  while (!(await management.isReady())) {
    if (Date.now() > deadline) throw new Error(`RabbitMQ in the container ${name} did not become ready`);
    await delay(250);
  }
  await declareTopology(management, accounts);
  const rights = { configure: '.*', write: '.*', read: '.*' };
  await management.put(`/api/permissions/${encodeURIComponent(accounts.vhost)}/${accounts.admin.name}`, rights);
  return {
    amqpUrl: `amqp://${credentials}@127.0.0.1:${amqpPort}/${encodeURIComponent(accounts.vhost)}`,
    managementUrl,
    container: name,
  };
}

export async function stopRabbitmqContainer(name: string): Promise<void> {
  await run('docker', ['stop', '--time', '30', name]).catch(() => undefined);
}

export async function removeRabbitmqVolume(name: string): Promise<void> {
  await run('docker', ['volume', 'rm', '--force', name]).catch(() => undefined);
}
