/** npm run reset: stops everything of this repository and deletes its local data, and nothing else. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import {
  containerName,
  filesIn,
  LOCAL,
  recordedProcesses,
  removeRabbitmqVolume,
  stopProcess,
  type ProcessRecord,
} from '../infra/index.ts';
import { Output, platformHolder, stopInfrastructure } from './runtime/index.ts';

const out = new Output();

async function stopAll(records: ProcessRecord[]): Promise<void> {
  // Services first: PostgreSQL and RabbitMQ go when nobody uses them any more.
  await Promise.all(records.filter(({ name }) => name !== 'postgres').map((record) => stopProcess(record)));
  await Promise.all(records.map((record) => stopProcess(record, { signal: 'SIGINT' })));
}

const holder = platformHolder();
if (holder) {
  await out.step('npm start', async () => {
    await stopProcess(holder, { graceMs: 45_000 });
    return { what: `stopped (pid ${holder.pid})`, value: null };
  });
}
await out.step('processes', async () => {
  const tests = join(LOCAL, 'test');
  const folders = [LOCAL, ...filesIn(tests).map((name) => join(tests, name))];
  const records = folders.flatMap(recordedProcesses);
  await stopAll(records);
  await stopInfrastructure();
  return {
    what: records.map(({ name, pid }) => `${name} (pid ${pid})`).join(', ') || 'none were running',
    value: null,
  };
});
await out.step('data', async () => {
  rmSync(LOCAL, { recursive: true, force: true });
  await removeRabbitmqVolume(containerName(LOCAL));
  return { what: 'deleted .local/', value: null };
});
