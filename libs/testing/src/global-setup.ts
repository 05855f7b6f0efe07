import { removeStaleTestRuntimes, startTestRuntime } from '../../../infra/index.ts';

/**
 * Vitest's global set-up: starts PostgreSQL and RabbitMQ unless `npm test`, or you, have done so for many runs. Answers
 * what stops them, and nothing that was running before.
 */
export default async function globalSetup(): Promise<(() => Promise<void>) | undefined> {
  if (process.env.CABSTAND_TEST_RUNTIME) return;
  await removeStaleTestRuntimes();
  const { stop, ...runtime } = await startTestRuntime();
  process.env.CABSTAND_TEST_RUNTIME = JSON.stringify(runtime);
  return stop;
}
