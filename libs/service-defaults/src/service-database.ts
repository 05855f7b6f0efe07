import { authEntities, authMigrations } from '@cabstand/auth';
import { messagingEntities, messagingMigrations } from '@cabstand/messaging';
import type { BaseConfig } from './config.ts';
import type { DatabaseOptions } from './database.ts';
import { idempotencyMigrations } from './idempotency.ts';
import { tlsOf, type TlsConfig } from './tls.ts';

/** What a service keeps in its database, and how the tables came to be: its own, and those of the libraries. */
export const serviceDatabase = (
  config: Pick<BaseConfig, 'DATABASE_URL' | 'DATABASE_POOL_SIZE' | 'DATABASE_TLS_NAME'> & TlsConfig,
  own: Pick<DatabaseOptions, 'entities' | 'migrations'>,
): DatabaseOptions => ({
  url: config.DATABASE_URL,
  poolSize: config.DATABASE_POOL_SIZE,
  tls: tlsOf(config)?.to(config.DATABASE_TLS_NAME),
  entities: [...messagingEntities, ...authEntities, ...own.entities],
  migrations: [...messagingMigrations, ...idempotencyMigrations, ...authMigrations, ...own.migrations],
});
