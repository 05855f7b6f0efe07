import { bootstrap, loadConfig } from '@cabstand/service-defaults';
import { AppModule } from './app.module.ts';
import { Config } from './config.ts';

await bootstrap(AppModule.forRoot, loadConfig(Config), {
  service: 'passenger',
  title: 'Cabstand passengers',
  description: 'Who a passenger is.',
});
