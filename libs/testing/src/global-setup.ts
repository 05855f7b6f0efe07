import { removeStaleTestRuntimes, startTestRuntime } from '../../../infra/index.ts';

declare global {
  var cabstandStopTestRuntime: (() => Promise<void>) | undefined;
}

/** Jest's global set-up: starts PostgreSQL and RabbitMQ unless `npm test`, or you, have done so for many runs. */
export default async function globalSetup(): Promise<void> {
  if (process.env.CABSTAND_TEST_RUNTIME) return;
  await removeStaleTestRuntimes();
  const { stop, postgresUrl, amqpUrl, managementUrl } = await startTestRuntime();
  globalThis.cabstandStopTestRuntime = stop;
  process.env.CABSTAND_TEST_RUNTIME = JSON.stringify({ postgresUrl, amqpUrl, managementUrl });
}
