import 'reflect-metadata';
import { randomBytes } from 'node:crypto';
import { Authorize, definePolicy, Limited } from '@cabstand/auth';
import { Database, startService } from '@cabstand/service-defaults';
import { Controller, HttpCode, Module, Post } from '@nestjs/common';
import { appModule, databaseOptions } from '../../../apps/driver/src/app.module.ts';
import { Config } from '../../../apps/driver/src/config.ts';
import type { Settings } from '../../harness/service-runtime.ts';
import { serve, type Commands } from '../../harness/worker.ts';

const noopPolicy = definePolicy<{ id: string }, 'post'>('Noop', [{ role: 'driver', can: ['post'] }]);

/** Takes what is posted, and does nothing: what stands before it is what it costs. */
@Controller('noop')
class NoopController {
  @Post()
  @HttpCode(202)
  @Authorize(noopPolicy, 'post')
  @Limited('positions')
  post() {
    return { accepted: 1, dropped: 0 };
  }
}

@Module({ controllers: [NoopController] })
class NoopModule {}

@Module({})
class WithNoop {}

/** The driver service as it runs, its log included, and a route that does nothing. */
serve(async ({ databaseUrl, amqpUrl }: Settings): Promise<Commands> => {
  const config = Config.parse({
    PORT: '0',
    MANAGEMENT_PORT: '0',
    DATABASE_URL: databaseUrl,
    AMQP_URL: amqpUrl,
    PUBLIC_URL: 'https://driver.test',
    TRUSTED_ISSUERS: '[]',
    KEY_ENCRYPTION_KEY: randomBytes(32).toString('base64'),
    BLIND_INDEX_KEY: randomBytes(32).toString('base64'),
    REFRESH_TOKEN_KEY: randomBytes(32).toString('base64'),
  });
  const schema = new Database(databaseOptions(config));
  await schema.migrate();
  await schema.close();
  const { url } = await startService(
    (given) => ({ module: WithNoop, imports: [appModule(given), NoopModule] }),
    config,
    { service: 'driver', title: 'Drivers' },
  );
  return { url: () => url };
});
