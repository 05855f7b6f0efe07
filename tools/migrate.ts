/**
 * `nx run <service>:migration:generate --name=add-tip`, `:migration:run`, `:migration:revert`. Works on
 * DATABASE_URL, or on the service's local database.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { SERVICES, type ServiceName } from '@cabstand/contracts';
import type { DataSource } from 'typeorm';
import { ROOT } from '../infra/index.ts';
import { load } from './load.ts';
import { useInfrastructure } from './runtime/infrastructure.ts';
import { loadDotEnv, readSettings } from './runtime/settings.ts';

/** The service's own data source, on another database than its environment names. Not yet connected. */
export async function dataSourceOf(service: ServiceName, url: string): Promise<DataSource> {
  process.env.DATABASE_URL = url;
  const { dataSource } = await load(`apps/${service}/src/data-source.ts`);
  return dataSource as DataSource;
}

/**
 * What would have to change in the database for it to be what the entities say. Only columns count: partial
 * indexes, checks and foreign keys are written by hand and TypeORM, which doesn't know them, would drop them.
 */
export async function pendingChanges(source: DataSource): Promise<{ up: string[]; down: string[] }> {
  const { upQueries, downQueries } = await source.driver.createSchemaBuilder().log();
  const kept = (query: string) => !/\b(INDEX|CONSTRAINT)\b/.test(query);
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

async function generate(service: ServiceName, source: DataSource, name: string | undefined): Promise<string> {
  if (!name || !/^[a-z][a-z0-9-]*$/.test(name))
    throw new Error('--name=<what-it-does> is needed, as in --name=add-tip');
  await source.runMigrations();
  const changes = await pendingChanges(source);
  if (changes.up.length === 0) return 'nothing to generate: the database is what the entities say';
  const timestamp = Date.now();
  const file = join('apps', service, 'src', 'migrations', `${timestamp}-${name}.ts`);
  writeFileSync(join(ROOT, file), migrationFile(name, timestamp, changes));
  return `${file} written; read it, then add it to "migrations" in apps/${service}/src/data-source.ts`;
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

async function main(service: ServiceName, action: string, name: string | undefined): Promise<string> {
  loadDotEnv();
  const settings = readSettings();
  const { infrastructure, release } = await useInfrastructure(settings, async (_, work) => {
    return (await work(console.log)).value;
  });
  const source = await dataSourceOf(service, infrastructure.postgres.databases[service]);
  try {
    await source.initialize();
    if (action === 'generate') return await generate(service, source, name);
    return action === 'revert' ? await revert(source) : await run(source);
  } finally {
    if (source.isInitialized) await source.destroy();
    await release();
  }
}

if (import.meta.main) {
  const { positionals, values } = parseArgs({ allowPositionals: true, options: { name: { type: 'string' } } });
  const [given, action = ''] = positionals;
  const service = SERVICES.find((candidate) => candidate === given);
  if (!service || !['generate', 'run', 'revert'].includes(action)) {
    console.error(`usage: node tools/migrate.ts ${SERVICES.join('|')} generate|run|revert [--name=<what-it-does>]`);
    process.exit(1);
  }
  try {
    console.log(await main(service, action, values.name));
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exit(1);
  }
}
