import js from '@eslint/js';
import nx from '@nx/eslint-plugin';
import prettier from 'eslint-config-prettier';
import reactHooks from 'eslint-plugin-react-hooks';
import { defineConfig, globalIgnores } from 'eslint/config';
import tseslint from 'typescript-eslint';

const TESTS = ['**/*.spec.ts', '**/test/**/*.ts'];

/** Rules of the domain: functions of their arguments, so that tests need no database and readers no framework. */
const PURE = [
  '**/*.machine.ts',
  '**/*.policy.ts',
  '**/*.facts.ts',
  ...['fare', 'distance', 'geo', 'ranking', 'track'].map((rules) => `apps/*/src/**/${rules}.ts`),
  'libs/contracts/src/**/*.ts',
];

/** `tools`, `infra`, `k8s` and what tests with them are not npm packages: these reach each other by path. */
const SCRIPTS = [
  ...['tools/**/*.ts', 'infra/**/*.ts', 'libs/testing/**/*.ts', 'apps/e2e/**/*.ts', 'bench/**/*.ts'],
  ...['chaos/**/*.ts', 'security/**/*.ts', 'k8s/**/*.ts'],
];

const testingLibrary = {
  group: ['@cabstand/testing', '@cabstand/testing/*', '**/libs/testing/**'],
  message: 'Production code never imports the testing library.',
};
const applications = {
  group: ['@cabstand/passenger', '@cabstand/driver', '@cabstand/trip', '@cabstand/web', '@cabstand/e2e'].flatMap(
    (app) => [app, `${app}/*`],
  ),
  message: 'An application is not imported: it is told things by events.',
};
const frameworks = {
  group: [
    '@nestjs/*',
    'typeorm',
    'typeorm/*',
    'amqplib',
    'pg',
    'fastify',
    'node:fs',
    'node:fs/*',
    'node:net',
    'node:http',
  ],
  message: 'This file is pure: it holds rules of the domain and does no I/O.',
};

const boundaries = (allow) => [
  'error',
  {
    allow,
    depConstraints: [
      { sourceTag: 'scope:passenger', onlyDependOnLibsWithTags: ['scope:shared'] },
      { sourceTag: 'scope:driver', onlyDependOnLibsWithTags: ['scope:shared'] },
      { sourceTag: 'scope:trip', onlyDependOnLibsWithTags: ['scope:shared'] },
      { sourceTag: 'scope:web', onlyDependOnLibsWithTags: ['scope:shared'] },
      { sourceTag: 'scope:shared', onlyDependOnLibsWithTags: ['scope:shared', 'scope:workspace'] },
      { sourceTag: 'scope:workspace', onlyDependOnLibsWithTags: ['scope:shared', 'scope:workspace'] },
      { sourceTag: 'scope:e2e', onlyDependOnLibsWithTags: ['scope:shared', 'scope:workspace'] },
      // Which files may import `type:test` is said by no-restricted-imports: tests, and nothing else.
      { sourceTag: 'type:app', onlyDependOnLibsWithTags: ['type:infra', 'type:contract', 'type:test'] },
      { sourceTag: 'type:infra', onlyDependOnLibsWithTags: ['type:infra', 'type:contract', 'type:test'] },
      { sourceTag: 'type:contract', onlyDependOnLibsWithTags: [], allowedExternalImports: ['zod'] },
      { sourceTag: 'type:test', onlyDependOnLibsWithTags: ['type:contract', 'type:test', 'type:tool'] },
      // Measures what it imports, the libraries among it; nothing imports a benchmark.
      {
        sourceTag: 'type:bench',
        onlyDependOnLibsWithTags: ['type:infra', 'type:contract', 'type:test', 'type:tool', 'type:bench'],
      },
      { sourceTag: 'type:tool', onlyDependOnLibsWithTags: ['type:contract', 'type:test', 'type:tool'] },
    ],
  },
];

export default defineConfig(
  globalIgnores(['**/dist/', '**/coverage/', '.local/', '.nx/', 'apps/web/src/api/generated/']),
  {
    // Nothing is switched off in place: what a rule gets wrong is decided here, once.
    linterOptions: { noInlineConfig: true, reportUnusedDisableDirectives: 'error' },
  },
  js.configs.recommended,
  {
    files: ['**/*.js'],
    languageOptions: {
      globals: {
        URL: 'readonly',
        process: 'readonly',
        console: 'readonly',
        setInterval: 'readonly',
        clearInterval: 'readonly',
      },
    },
  },
  {
    files: ['**/*.ts', '**/*.tsx'],
    extends: [tseslint.configs.strict],
    plugins: { '@nx': nx },
    // As in tsconfig.base.json, which is not read here: checks that need types are in .oxlintrc.json.
    languageOptions: { parserOptions: { experimentalDecorators: true, emitDecoratorMetadata: true } },
    rules: {
      '@nx/enforce-module-boundaries': boundaries([]),

      '@typescript-eslint/consistent-type-imports': ['error', { disallowTypeAnnotations: false }],

      // A Nest module is a class with nothing but its decorator.
      '@typescript-eslint/no-extraneous-class': ['error', { allowWithDecorator: true, allowStaticOnly: true }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', ignoreRestSiblings: true }],
      '@typescript-eslint/no-invalid-void-type': 'off',
      // With noUncheckedIndexedAccess, `!` says "this index exists"; a wrong one fails where it stands.
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/naming-convention': [
        'error',
        {
          selector: ['class', 'interface', 'typeAlias'],
          format: null,
          custom: { regex: '^I[A-Z][a-z]|(Impl|Manager|Helper)$', match: false },
        },
      ],

      eqeqeq: 'error',
      'no-console': 'error',
      'no-warning-comments': ['error', { terms: ['todo', 'fixme', 'xxx', 'oxlint-disable'] }],
      'max-lines': ['error', { max: 300, skipBlankLines: true, skipComments: true }],
      'max-lines-per-function': ['error', { max: 70, skipBlankLines: true, skipComments: true }],
      'no-restricted-imports': ['error', { patterns: [applications, testingLibrary] }],
      'no-restricted-properties': [
        'error',
        { object: 'process', property: 'env', message: 'Only config.ts reads the environment.' },
      ],
    },
  },
  // Hooks that break React's rules show stale things, and nothing else notices.
  { files: ['apps/web/src/**/*.{ts,tsx}'], extends: [reactHooks.configs.flat.recommended] },
  { files: ['**/config.ts'], rules: { 'no-restricted-properties': 'off' } },
  {
    files: PURE,
    rules: { 'no-restricted-imports': ['error', { patterns: [applications, testingLibrary, frameworks] }] },
  },
  {
    files: SCRIPTS,
    rules: {
      '@nx/enforce-module-boundaries': boundaries(['^(\\.\\./)+(tools|infra|k8s)/']),
      'no-console': 'off',
      'no-restricted-properties': 'off',
      'no-restricted-imports': 'off',
    },
  },
  {
    // A trip is read by the trip service itself, beside references that are made for it.
    files: ['bench/auth/**/*.ts'],
    rules: { '@nx/enforce-module-boundaries': boundaries(['^(\\.\\./)+(tools|infra|apps/trip/src)/']) },
  },
  {
    // Drivers are found by the driver service itself, beside PostGIS.
    files: ['bench/dispatch/**/*.ts'],
    rules: { '@nx/enforce-module-boundaries': boundaries(['^(\\.\\./)+(tools|infra|apps/driver/src)/']) },
  },
  {
    // What is measured is the platform that the e2e tests start; what is left of it is added up as after faults.
    files: ['bench/trips/**/*.ts', 'bench/streams/**/*.ts'],
    rules: { '@nx/enforce-module-boundaries': boundaries(['^(\\.\\./)+(tools|infra|apps/e2e/src|chaos/src)/']) },
  },
  {
    // What is attacked is the platform that the e2e tests start, with the people in it.
    files: ['security/**/*.ts'],
    rules: { '@nx/enforce-module-boundaries': boundaries(['^(\\.\\./)+(tools|infra|apps/e2e/src)/']) },
  },
  {
    // Rides are what the e2e tests drive, and fail points are no part of the library's interface.
    files: ['chaos/**/*.ts'],
    rules: {
      '@nx/enforce-module-boundaries': boundaries([
        '^(\\.\\./)+(tools|infra|apps/e2e/src)/',
        '^(\\.\\./)+libs/messaging/src/fail-point\\.ts$',
      ]),
    },
  },
  { files: ['libs/contracts/**/*.spec.ts'], rules: { '@nx/enforce-module-boundaries': boundaries(['fast-check']) } },
  {
    files: TESTS,
    rules: {
      '@typescript-eslint/no-dynamic-delete': 'off',
      '@typescript-eslint/no-extraneous-class': 'off',
      'max-lines': 'off',
      'max-lines-per-function': 'off',
      'no-restricted-imports': 'off',
      'no-restricted-properties': [
        'error',
        ...['describe', 'it', 'test'].flatMap((object) => [
          { object, property: 'only', message: 'The other tests would silently not run.' },
          { object, property: 'skip', message: 'A test that does not run promises nothing.' },
        ]),
      ],
    },
  },
  prettier,
);
