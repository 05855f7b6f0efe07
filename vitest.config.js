import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const NO_TESTS = ['**/{node_modules,dist,.local}/**'];

/** Starts PostgreSQL and RabbitMQ once for the run, unless CABSTAND_TEST_RUNTIME names them. */
const withServers = {
  globalSetup: fileURLToPath(new URL('libs/testing/src/global-setup.ts', import.meta.url)),
};

/** What `--project <name>` chooses; a path behind it chooses among its files. */
const suite = (name, timeoutMs, options) => ({
  extends: true,
  test: { name, testTimeout: timeoutMs, hookTimeout: timeoutMs, exclude: NO_TESTS, ...options },
});

/** Nothing is mocked. Our TypeScript is compiled as tsconfig.json says; packages are loaded by Node.js itself. */
export default defineConfig({
  test: {
    globals: true,
    reporters: ['default', 'json'],
    // `npm test` keeps the cores busy as it is.
    fileParallelism: false,
    // Nest, TypeORM and Fastify take longer to load than most files to run: all files of a run share them.
    isolate: false,
    sequence: { hooks: 'list' },
    allowOnly: false,
    passWithNoTests: true,
    slowTestThreshold: 10_000,
    // RabbitMQ takes its time to stop.
    teardownTimeout: 60_000,
    projects: [
      /** Pure functions, no I/O. */
      suite('unit', 5_000, {
        include: ['**/*.spec.ts'],
        exclude: [...NO_TESTS, '**/*.{int,e2e,attacks,platform,alone}.spec.ts'],
      }),
      /** Real PostgreSQL and RabbitMQ. */
      suite('integration', 60_000, { include: ['**/*.int.spec.ts'], ...withServers }),
      /** Journeys over running services. */
      suite('e2e', 60_000, { include: ['**/*.e2e.spec.ts'], ...withServers }),
      /** What `npx nx run security:all` counts as attacks, each on a service that runs. */
      suite('attacks', 60_000, { include: ['**/*.attacks.spec.ts'], ...withServers }),
      /** Journeys with faults that take long or need root: for `npm run test:platform`. */
      suite('platform', 300_000, { include: ['**/*.platform.spec.ts'], ...withServers }),
      /** What wants the machine to itself, and has it in `npm run test:platform`. */
      suite('alone', 300_000, { include: ['**/*.alone.spec.ts'], ...withServers }),
    ],
  },
});
