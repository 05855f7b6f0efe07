import 'reflect-metadata';
import { bootstrap, loadConfig } from '@cabstand/service-defaults';
import { appModule } from './app.module.ts';
import { Config } from './config.ts';

await bootstrap(appModule, loadConfig(Config), { service: 'driver', title: 'Cabstand driver service' });
