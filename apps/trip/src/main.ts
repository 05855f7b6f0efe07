import { bootstrap, loadConfig } from '@cabstand/service-defaults';
import { AppModule } from './app.module.ts';
import { Config } from './config.ts';

await bootstrap(AppModule.forRoot, loadConfig(Config), {
  service: 'trip',
  title: 'Cabstand trips',
  description: 'What state a trip is in, and what it costs.',
});
