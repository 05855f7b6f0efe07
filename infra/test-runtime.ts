import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { installationAccounts } from './accounts.ts';
import { ContainerEngine } from './images/container-engine.ts';
import { LOCAL } from './paths.ts';
import { freePort } from './ports.ts';
import { closeDefaultDatabases, withAdmin } from './postgres/databases.ts';
import { startPostgres } from './postgres/server.ts';
import { filesIn, recordedProcesses, startTimeOf, stopProcess } from './processes.ts';
import { containerName, removeRabbitmqVolume } from './rabbitmq/container.ts';
import { startPrivateBroker } from './rabbitmq/private.ts';
import { ensureCertificates, trustAuthority } from './tls/certificates.ts';

/** The servers that a test run shares; each test file makes a database and a vhost of its own in them. */
export interface TestRuntime {
  postgresUrl: string;
  amqpUrl: string;
  managementUrl: string;
}

const TEST = join(LOCAL, 'test');

/** Stops and deletes what test runs left behind that were ended by force. Folders are named for their process. */
export async function removeStaleTestRuntimes(): Promise<void> {
  const names = filesIn(TEST).filter((name) => /^\d+(-|$)/.test(name));
  for (const name of names.filter((folder) => startTimeOf(parseInt(folder, 10)) === null)) {
    const folder = join(TEST, name);
    for (const record of recordedProcesses(folder)) await stopProcess(record, { graceMs: 5_000 });
    if (ContainerEngine.isIn(folder)) await new ContainerEngine(folder).remove();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A folder under `.local/test` for servers that live no longer than this process. */
export const testFolder = (suffix = '') => join(TEST, `${process.pid}${suffix}`);

/** Starts PostgreSQL and RabbitMQ on free ports under `dir`, tuned for tests. `stop` deletes their data as well. */
export async function startTestRuntime(
  dir = testFolder(),
  say: (line: string) => void = () => undefined,
  { tls = false } = {},
): Promise<TestRuntime & { stop(): Promise<void> }> {
  const accounts = installationAccounts(dir, tls);
  if (tls) {
    await ensureCertificates(dir);
    trustAuthority(dir);
  }
  const starting = [
    freePort().then((port) => startPostgres({ dir, port, durable: false, tls })),
    Promise.all([freePort(), freePort()]).then(([amqpPort, managementPort]) =>
      startPrivateBroker({ dir, amqpPort, managementPort, accounts }, say),
    ),
  ] as const;
  // Both are awaited in any case, so that a failure of one does not leave the other running.
  const [postgres, rabbitmq] = await Promise.allSettled(starting);
  const stop = async () => {
    const started = [postgres, rabbitmq].flatMap((s) => (s.status === 'fulfilled' ? [s.value] : []));
    await Promise.all(started.map((server) => server.stop()));
    if (rabbitmq.status === 'fulfilled' && rabbitmq.value.container) await removeRabbitmqVolume(containerName(dir));
    rmSync(dir, { recursive: true, force: true });
  };
  if (postgres.status === 'rejected' || rabbitmq.status === 'rejected') {
    await stop();
    throw postgres.status === 'rejected' ? postgres.reason : (rabbitmq as PromiseRejectedResult).reason;
  }
  await withAdmin(postgres.value.url, closeDefaultDatabases);
  return {
    postgresUrl: postgres.value.url,
    amqpUrl: rabbitmq.value.amqpUrl,
    managementUrl: rabbitmq.value.managementUrl,
    stop,
  };
}
