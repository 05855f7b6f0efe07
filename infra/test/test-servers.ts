import type { TestRuntime } from '../index.ts';

/** The servers of the run. `@cabstand/testing` builds on this project, so its own tests can't use it. */
export const testRuntime = () => JSON.parse(process.env.CABSTAND_TEST_RUNTIME ?? '{}') as TestRuntime;
