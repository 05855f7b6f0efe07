import type { ServiceName } from '@cabstand/contracts';
import type { DynamicModule, Type } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { BaseConfig } from './config.ts';

export interface ServiceOptions {
  service: ServiceName;
  /** Title and description of the OpenAPI document. */
  title: string;
  description?: string;
}

export interface RunningService {
  app: NestFastifyApplication;
  /** Base URL of the HTTP API and of the management port, with the ports that they really have. */
  url: string;
  managementUrl: string;
  /** Graceful: finishes what is under way, then closes everything. */
  stop(): Promise<void>;
}

export type AppModule<Config> = Type | ((config: Config) => DynamicModule);

/** Starts a service and resolves when it serves. For tests; a process of its own uses `bootstrap`. */
export async function startService<Config extends BaseConfig>(
  module: AppModule<Config>,
  config: Config,
  options: ServiceOptions,
): Promise<RunningService> {
  return Promise.reject(new Error(`not built yet ${String(module)} ${config.PORT} ${options.service}`));
}

/** The whole of a service's `main.ts`. With the argument `migrate`, applies the migrations and exits instead. */
export async function bootstrap<Config extends BaseConfig>(
  module: AppModule<Config>,
  config: Config,
  options: ServiceOptions,
): Promise<void> {
  await startService(module, config, options);
}
