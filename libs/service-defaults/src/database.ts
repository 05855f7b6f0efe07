import { Logger, Module, type DynamicModule, type Type } from '@nestjs/common';
import { setTimeout as wait } from 'node:timers/promises';
import type { SecureContextOptions } from 'node:tls';
import pg from 'pg';
import { DataSource, type DataSourceOptions, type EntitySchema, type MigrationInterface } from 'typeorm';
import { PersonalData } from './personal-data.ts';

export interface DatabaseOptions {
  url: string;
  poolSize: number;
  /** With it, a server that can't or doesn't do TLS is refused. */
  tls?: SecureContextOptions;
  entities: (Type | EntitySchema)[];
  personalData?: PersonalData;
  migrations: Type<MigrationInterface>[];
}

/** Longest that a statement may run while somebody waits for the answer. Shutdown counts on it. */
const STATEMENT_TIMEOUT_MS = 5_000;
const CONNECT_TIMEOUT_MS = 3_000;
/** Held while migrations are applied: any number that no other program in these databases uses. */
export const MIGRATION_LOCK = 7_226_318_001;

/** Options for the service's own pool, and for the TypeORM command line (`data-source.ts`). */
export function dataSourceOptions(options: DatabaseOptions): DataSourceOptions {
  return {
    type: 'postgres',
    // Given by value: TypeORM's own lookup by name doesn't survive bundling.
    driver: pg,
    url: options.url,
    poolSize: options.poolSize,
    ssl: options.tls,
    entities: options.entities,
    subscribers: options.personalData ? [options.personalData.subscriber] : [],
    migrations: options.migrations,
    migrationsTransactionMode: 'each',
    installExtensions: false,
    extra: {
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      statement_timeout: STATEMENT_TIMEOUT_MS,
      // The server's time-out doesn't help when the server is unreachable.
      query_timeout: STATEMENT_TIMEOUT_MS + 2_000,
      idle_in_transaction_session_timeout: 15_000,
      keepAlive: true,
    },
    // An idle connection that breaks is no reason to crash: the next query opens another.
    poolErrorHandler: (error: Error) => new Logger('Database').warn({ event: 'database.connection-lost', err: error }),
  };
}

/** The service's database: its pool, whether it can be used, and its migrations. */
export class Database {
  readonly dataSource: DataSource;
  private readonly logger = new Logger(Database.name);
  private readonly closing = new AbortController();
  /** A connection of its own, so that a busy pool doesn't make the service look unready. */
  private readonly probes: pg.Pool;
  private probing: Promise<DatabaseState> | null = null;

  constructor(private readonly options: DatabaseOptions) {
    this.dataSource = new DataSource(dataSourceOptions(options));
    this.probes = new pg.Pool({
      connectionString: options.url,
      ssl: options.tls,
      max: 1,
      connectionTimeoutMillis: 1_500,
      query_timeout: 1_500,
      idleTimeoutMillis: 60_000,
    });
    this.probes.on('error', () => undefined);
  }

  /** Whether the database answers now, and has every migration that this program knows. */
  state(): Promise<DatabaseState> {
    this.probing ??= this.probe().finally(() => (this.probing = null));
    return this.probing;
  }

  /** Waits, for as long as it takes, until the database is there and migrated; then connects the pool. */
  async connect(): Promise<DataSource> {
    for (let delayMs = 100; ; delayMs = Math.min(delayMs * 2, 2_000)) {
      this.closing.signal.throwIfAborted();
      const state = await this.state();
      if (state.reachable && state.migrated) {
        try {
          return await this.dataSource.initialize();
        } catch (error) {
          this.logger.warn({ event: 'database.waiting', err: error });
        }
      } else {
        const missing = state.reachable ? 'migrations are pending' : 'not reachable';
        this.logger.warn({ event: 'database.waiting', reason: missing, err: state.error });
      }
      await wait(delayMs, undefined, { signal: this.closing.signal });
    }
  }

  /** Applies what is pending, once, however many do so at the same time. Returns the names of what it applied. */
  async migrate(): Promise<string[]> {
    const source = new DataSource({
      ...dataSourceOptions(this.options),
      poolSize: 2,
      extra: { connectionTimeoutMillis: CONNECT_TIMEOUT_MS },
    } as DataSourceOptions);
    await source.initialize();
    try {
      const lock = source.createQueryRunner();
      await lock.query('SELECT pg_advisory_lock($1)', [MIGRATION_LOCK]);
      // Ending the connection releases the lock, whatever happens in between.
      return (await source.runMigrations()).map(({ name }) => name);
    } finally {
      await source.destroy();
    }
  }

  async close(): Promise<void> {
    this.closing.abort();
    await this.probes.end();
    if (this.dataSource.isInitialized) await this.dataSource.destroy();
  }

  private async probe(): Promise<DatabaseState> {
    try {
      const applied = await this.probes.query<{ name: string }>('SELECT name FROM migrations');
      const names = new Set(applied.rows.map(({ name }) => name));
      return { reachable: true, migrated: this.options.migrations.every((m) => names.has(migrationName(m))) };
    } catch (error) {
      const isMissingTable = error instanceof pg.DatabaseError && error.code === '42P01';
      if (isMissingTable) return { reachable: true, migrated: this.options.migrations.length === 0 };
      return { reachable: false, migrated: false, error };
    }
  }
}

export interface DatabaseState {
  reachable: boolean;
  migrated: boolean;
  error?: unknown;
}

/** As TypeORM records it. */
const migrationName = (migration: Type<MigrationInterface>) => new migration().name ?? migration.name;

/** Provides the service's `DataSource` everywhere; everything that injects it starts once the database is there. */
@Module({})
export class DatabaseModule {
  static forRoot(options: DatabaseOptions): DynamicModule {
    const database = new Database(options);
    return {
      module: DatabaseModule,
      global: true,
      providers: [
        { provide: Database, useValue: database },
        { provide: PersonalData, useValue: options.personalData },
        { provide: DataSource, useFactory: () => database.connect() },
      ],
      exports: [Database, DataSource, PersonalData],
    };
  }
}

/** Finds the `Database` in a module that isn't running: migrations and readiness come before Nest is up. */
export function databaseOf(module: Type | DynamicModule): Database | undefined {
  const dynamic = 'module' in module ? module : null;
  if (dynamic?.module === DatabaseModule) {
    const provider = dynamic.providers?.find((p) => 'provide' in p && p.provide === Database);
    return provider && 'useValue' in provider ? (provider.useValue as Database) : undefined;
  }
  const declared = (Reflect.getMetadata('imports', dynamic?.module ?? module) ?? []) as (Type | DynamicModule)[];
  for (const imported of [...declared, ...(dynamic?.imports ?? [])] as (Type | DynamicModule)[]) {
    const found = databaseOf(imported);
    if (found) return found;
  }
  return undefined;
}
