import 'reflect-metadata';
import { dataSourceOptions, loadConfig } from '@cabstand/service-defaults';
import { DataSource } from 'typeorm';
import { databaseOptions } from './app.module.ts';
import { Config } from './config.ts';

/** For TypeORM's command line (`nx run driver:migration:generate`); the service itself uses DatabaseModule. */
const config = Config.pick({
  DATABASE_URL: true,
  DATABASE_POOL_SIZE: true,
  KEY_ENCRYPTION_KEY: true,
  BLIND_INDEX_KEY: true,
});
export const dataSource = new DataSource(dataSourceOptions(databaseOptions(loadConfig(config))));
