import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const inTestingLibrary = (file) => fileURLToPath(new URL(`libs/testing/src/${file}`, import.meta.url));

// Jest doesn't create the folder of its --outputFile; `npm test` adds up what it finds there.
mkdirSync(new URL('dist/results/', import.meta.url), { recursive: true });

/** Native ES modules, compiled by swc, nothing mocked. */
const base = {
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts'],
  transform: { '^.+\\.ts$': ['@swc/jest'] },
  // Workspace packages are TypeScript too; Jest sees them by their real path, outside node_modules.
  transformIgnorePatterns: ['/node_modules/'],
};

/** Starts PostgreSQL and RabbitMQ once for the run, unless CABSTAND_TEST_RUNTIME names them. */
const withServers = {
  globalSetup: inTestingLibrary('global-setup.ts'),
  globalTeardown: inTestingLibrary('global-teardown.ts'),
};

const KINDS = {
  /** Pure functions, no I/O. */
  unit: {
    testMatch: ['<rootDir>/**/*.spec.ts'],
    testPathIgnorePatterns: ['/node_modules/', '\\.(int|e2e|platform|soak)\\.spec\\.ts$'],
  },
  /** Real PostgreSQL and RabbitMQ. */
  integration: { testMatch: ['<rootDir>/**/*.int.spec.ts'], ...withServers },
  /** Journeys over running services. */
  e2e: { testMatch: ['<rootDir>/test/**/*.e2e.spec.ts'], ...withServers },
  /** The same with faults that take long or need root: for `npm run test:platform`. */
  platform: { testMatch: ['<rootDir>/test/**/*.platform.spec.ts'], ...withServers },
  /** What wants a machine to itself, behind a target of its own: `npx nx run e2e:soak`. */
  soak: { testMatch: ['<rootDir>/test/**/*.soak.spec.ts'], ...withServers },
};

const TIMEOUT_MS = { unit: 5_000, integration: 60_000, e2e: 60_000, platform: 300_000, soak: 300_000 };

/** What a project's jest.config.js exports: its suites, chosen with `--selectProjects <kind>`. */
export const suites = (rootDir, ...kinds) => ({
  passWithNoTests: true,
  // A test that fails may leave a server open, which would keep the whole run waiting for it.
  forceExit: true,
  // Nx already runs as many projects at once as the machine has cores.
  maxWorkers: 1,
  // Jest takes a time-out only for all projects together, and silently ignores each one's own.
  testTimeout: Math.max(...kinds.map((kind) => TIMEOUT_MS[kind])),
  projects: kinds.map((kind) => ({ ...base, ...KINDS[kind], displayName: kind, rootDir })),
});
