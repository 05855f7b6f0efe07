import { authEntities, authMigrations } from '@cabstand/auth';
import { messagingEntities, messagingMigrations } from '@cabstand/messaging';
import type { BaseConfig } from './config.ts';
import type { DatabaseOptions } from './database.ts';
import { idempotencyMigrations } from './idempotency.ts';
import { PersonalData } from './personal-data.ts';
import { tlsOf, type TlsConfig } from './tls.ts';

/** What of a service's environment its database needs. */
export type DatabaseConfig = Pick<
  BaseConfig,
  'DATABASE_URL' | 'DATABASE_POOL_SIZE' | 'DATABASE_TLS_NAME' | 'KEY_ENCRYPTION_KEY'
> &
  TlsConfig & { BLIND_INDEX_KEY?: Buffer };

/** What a service keeps in its database, and how the tables came to be: its own, and those of the libraries. */
export const serviceDatabase = (
  config: DatabaseConfig,
  own: Pick<DatabaseOptions, 'entities' | 'migrations'>,
): DatabaseOptions => ({
  url: config.DATABASE_URL,
  poolSize: config.DATABASE_POOL_SIZE,
  tls: tlsOf(config)?.to(config.DATABASE_TLS_NAME),
  personalData: new PersonalData(config.KEY_ENCRYPTION_KEY, config.BLIND_INDEX_KEY),
  entities: [...messagingEntities, ...authEntities, ...own.entities],
  migrations: [...messagingMigrations, ...idempotencyMigrations, ...authMigrations, ...own.migrations],
});
