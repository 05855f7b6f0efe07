import type { TestRuntime } from '../../../infra/index.ts';

/** The servers that the run's global set-up started, or that whoever started the run named. */
export function testRuntime(): TestRuntime {
  const value = process.env.CABSTAND_TEST_RUNTIME;
  if (!value) throw new Error('CABSTAND_TEST_RUNTIME is not set: run integration tests through Nx or `npm test`');
  return JSON.parse(value) as TestRuntime;
}
