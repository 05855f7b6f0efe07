/**
 * `nx run <service>:migration:generate --name=add-tip`, `:migration:run`, `:migration:revert`. Works on
 * DATABASE_URL_<SERVICE>, or else on the service's local database.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { SERVICES, type ServiceName } from '@cabstand/contracts';
import type { DataSource } from 'typeorm';
import { ROOT } from '../infra/index.ts';
import { load } from './load.ts';
import { dataKeys } from './runtime/environment.ts';
import { useInfrastructure } from './runtime/infrastructure.ts';
import { loadDotEnv, readSettings } from './runtime/settings.ts';

/** The service's own data source, on another database than its environment names. Not yet connected. */
export async function dataSourceOf(service: ServiceName, url: string): Promise<DataSource> {
  Object.assign(process.env, { ...dataKeys(service), ...process.env, DATABASE_URL: url });
  const { dataSource } = await load(`apps/${service}/src/data-source.ts`);
  return dataSource as DataSource;
}

/**
 * What would have to change in the database for it to be what the entities say. Only columns count: indexes,
 * checks, foreign keys and defaults are written by hand, and TypeORM, which doesn't know them, would drop them.
 */
async function pendingChanges(source: DataSource): Promise<{ up: string[]; down: string[] }> {
  const { upQueries, downQueries } = await source.driver.createSchemaBuilder().log();
  const kept = (query: string) => !/\b(INDEX|CONSTRAINT|DROP DEFAULT|SET DEFAULT)\b/.test(query);
  return {
    up: upQueries.map(({ query }) => query).filter(kept),
    down: downQueries.map(({ query }) => query).filter(kept),
  };
}

function migrationFile(name: string, timestamp: number, changes: { up: string[]; down: string[] }): string {
  const className = name.replace(/(^|-)([a-z0-9])/g, (_, _dash, letter: string) => letter.toUpperCase()) + timestamp;
  const statements = (queries: string[]) =>
    queries
      .map((query) => `    await runner.query(\`${query.replaceAll('`', '\\`').replaceAll('"', '')}\`);`)
      .join('\n');
  return `import type { MigrationInterface, QueryRunner } from 'typeorm';

export class ${className} implements MigrationInterface {
  // Stands here because a bundler may rename the class.
  readonly name = '${className}';

  async up(runner: QueryRunner): Promise<void> {
${statements(changes.up)}
  }

  async down(runner: QueryRunner): Promise<void> {
${statements(changes.down.toReversed())}
  }
}
`;
}

async function generate(source: DataSource, service: ServiceName, name?: string): Promise<string> {
  if (!name || !/^[a-z][a-z0-9-]*$/.test(name))
    throw new Error('--name=<what-it-does> is needed, as in --name=add-tip');
  await source.runMigrations();
  const changes = await pendingChanges(source);
  if (changes.up.length === 0) return 'nothing to generate: the database is what the entities say';
  const timestamp = Date.now();
  const file = join('apps', service, 'src', 'migrations', `${timestamp}-${name}.ts`);
  writeFileSync(join(ROOT, file), migrationFile(name, timestamp, changes));
  return `${file} written; read it, then add it to the migrations in apps/${service}/src/app.module.ts`;
}

async function run(source: DataSource): Promise<string> {
  const applied = await source.runMigrations();
  return applied.length === 0 ? 'nothing pending' : `applied ${applied.map(({ name }) => name).join(', ')}`;
}

async function revert(source: DataSource): Promise<string> {
  const [last] = await source.query<{ name: string }[]>('SELECT name FROM migrations ORDER BY id DESC LIMIT 1');
  if (!last) return 'nothing to revert';
  await source.undoLastMigration();
  return `reverted ${last.name}`;
}

async function check(source: DataSource): Promise<string> {
  await source.runMigrations();
  const { up } = await pendingChanges(source);
  if (up.length > 0) throw new Error(`the migrations do not lead to what the entities say:\n${up.join('\n')}`);
  return 'the migrations lead to what the entities say';
}

const ACTIONS: Record<string, (source: DataSource, service: ServiceName, name?: string) => Promise<string>> = {
  generate,
  run,
  revert,
  check,
};

/** Runs with the URL of the service's database, having started one if need be. */
export async function withDatabase<T>(service: ServiceName, work: (url: string) => Promise<T>): Promise<T> {
  loadDotEnv();
  const settings = readSettings();
  const given = settings.databaseUrls[service];
  if (given) return work(given);
  const { infrastructure, release } = await useInfrastructure(
    settings,
    async (_, start) => (await start(console.log)).value,
  );
  try {
    return await work(infrastructure.postgres.databases[service]);
  } finally {
    await release();
  }
}

if (import.meta.main) {
  const { positionals, values } = parseArgs({ allowPositionals: true, options: { name: { type: 'string' } } });
  const service = SERVICES.find((candidate) => candidate === positionals[0]);
  const action = ACTIONS[positionals[1] ?? ''];
  if (!service || !action) {
    console.error(
      `usage: node tools/migrate.ts ${SERVICES.join('|')} ${Object.keys(ACTIONS).join('|')} [--name=<what>]`,
    );
    process.exit(1);
  }
  try {
    const done = await withDatabase(service, async (url) => {
      const source = await dataSourceOf(service, url);
      try {
        return await action(await source.initialize(), service, values.name);
      } finally {
        if (source.isInitialized) await source.destroy();
      }
    });
    console.log(done);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exit(1);
  }
}
