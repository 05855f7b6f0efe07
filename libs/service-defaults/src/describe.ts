import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { OpenAPIObject } from '@nestjs/swagger';
import type { DynamicModule } from '@nestjs/common';
import type { ServiceOptions } from './bootstrap.ts';
import type { BaseConfig } from './config.ts';
import { DefaultsModule } from './defaults.module.ts';
import { createLogger } from './logger.ts';
import { openApiDocument } from './openapi.ts';
import { RequestTrace } from './request-trace.ts';

/** The OpenAPI document of a service that is put together, but not started: nothing is connected to. */
export async function describeService<Config extends BaseConfig>(
  module: (config: Config) => DynamicModule,
  config: Config,
  options: ServiceOptions,
): Promise<OpenAPIObject> {
  const requests = new RequestTrace(createLogger(options.service, config));
  const app = await NestFactory.create<NestFastifyApplication>(
    DefaultsModule.around(module(config), requests, config),
    new FastifyAdapter(),
    { preview: true, logger: false, abortOnError: false },
  );
  return openApiDocument(app, options);
}
