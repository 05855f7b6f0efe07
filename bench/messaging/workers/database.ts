import { messagingEntities, messagingMigrations } from '@cabstand/messaging';
import { Global, Module, type DynamicModule } from '@nestjs/common';
import pg from 'pg';
import { DataSource } from 'typeorm';
import { SeenRide } from '../tables.ts';

/** Each of the 16 writers has a connection; a service's relay has its own. */
export const POOL_SIZE = 20;

export async function openDatabase(url: string, poolSize = POOL_SIZE): Promise<DataSource> {
  const dataSource = new DataSource({
    type: 'postgres',
    driver: pg,
    url,
    poolSize,
    entities: [...messagingEntities, SeenRide],
    migrations: messagingMigrations,
    installExtensions: false,
  });
  await dataSource.initialize();
  return dataSource;
}

@Global()
@Module({})
export class DatabaseModule {
  static with(dataSource: DataSource): DynamicModule {
    return {
      module: DatabaseModule,
      providers: [{ provide: DataSource, useValue: dataSource }],
      exports: [DataSource],
    };
  }
}
