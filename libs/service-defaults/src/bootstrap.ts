import { assertEveryRouteHasPolicy } from '@cabstand/auth';
import type { ServiceName } from '@cabstand/contracts';
import { connectMessaging, MessagingStatus } from '@cabstand/messaging';
import { Logger, type DynamicModule, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyInstance } from 'fastify';
import type { BaseConfig } from './config.ts';
import { databaseOf } from './database.ts';
import { DefaultsModule } from './defaults.module.ts';
import { serveDocs } from './docs-page.ts';
import { EventStreams, type StreamSettings } from './event-stream.ts';
import { createHttpAdapter } from './http-server.ts';
import { createLogger, NestLogger } from './logger.ts';
import { startManagement, urlOf, type Health } from './management.ts';
import { openApiDocument } from './openapi.ts';
import { RequestTrace } from './request-trace.ts';
import { startTelemetry, type Telemetry } from './telemetry.ts';
import { tlsOf } from './tls.ts';
import { openWaitingRoom } from './waiting-room.ts';

export interface ServiceOptions {
  service: ServiceName;
  /** Title and description of the OpenAPI document. */
  title: string;
  description?: string;
  streams?: Partial<StreamSettings>;
}

export interface RunningService {
  app: NestFastifyApplication;
  /** Base URLs of the HTTP API and of the management port, with the ports that they really have. */
  url: string;
  managementUrl: string;
  /** Graceful: finishes what is under way, then closes everything. May be called again. */
  stop(): Promise<void>;
}

export type AppModule<Config> = Type | ((config: Config) => DynamicModule);

/** In-flight requests that take longer than this are cut off, so that the rest of the shutdown has its time. */
const HTTP_DRAIN_MS = 6_000;
/** P8: a service is gone within 10 s. */
const STOP_LIMIT_MS = 9_500;

/**
 * Starts a service and resolves when it serves; while its database isn't there, it waits, alive but not ready.
 * For tests; a process of its own uses `bootstrap`.
 */
export async function startService<Config extends BaseConfig>(
  module: AppModule<Config>,
  config: Config,
  options: ServiceOptions,
): Promise<RunningService> {
  return new Service(module, config, options).start();
}

export class Service<Config extends BaseConfig> {
  private readonly health: Health;
  private readonly logger;
  private readonly root: Type | DynamicModule;
  private readonly closers: (() => Promise<unknown>)[] = [];
  private stopping: Promise<void> | undefined;
  private telemetry: Telemetry | undefined;
  private isToldToExit = false;

  constructor(
    module: AppModule<Config>,
    private readonly config: Config,
    private readonly options: ServiceOptions,
  ) {
    this.logger = createLogger(options.service, config);
    Logger.overrideLogger(new NestLogger(this.logger));
    this.root = isModuleClass(module) ? module : module(config);
    this.health = { draining: false, serving: false, database: databaseOf(this.root) };
  }

  async migrate(): Promise<void> {
    const applied = (await this.health.database?.migrate()) ?? [];
    this.logger.info({ event: 'database.migrated', applied });
  }

  /** @throws what kept it from starting, or an AbortError when it was stopped meanwhile; nothing stays open then. */
  async start(): Promise<RunningService> {
    try {
      return await this.open();
    } catch (error) {
      await this.stop();
      await this.closeAll();
      throw error;
    }
  }

  private async open(): Promise<RunningService> {
    const { config, health, options } = this;
    this.telemetry = startTelemetry(options.service, config);
    const management = await startManagement(health, this.telemetry, config.HOST, config.MANAGEMENT_PORT);
    const managementUrl = urlOf(management, config.HOST);
    this.opened(async () => {
      management.closeAllConnections();
      await new Promise((resolve) => management.close(resolve));
    });
    this.opened(async () => health.database?.close());
    this.logger.info({ event: 'service.starting', managementUrl });
    const closeWaitingRoom = await openWaitingRoom(config);
    this.opened(closeWaitingRoom);

    const requests = new RequestTrace(this.logger);
    const adapter = createHttpAdapter(health, requests, config);
    const app = await NestFactory.create<NestFastifyApplication>(
      DefaultsModule.around(this.root, requests, config, options.streams),
      adapter,
      {
        bodyParser: false,
        abortOnError: false,
        logger: new NestLogger(this.logger),
      },
    );
    this.opened(() => app.close());
    assertEveryRouteHasPolicy(app);
    serveDocs(adapter.getInstance<FastifyInstance>(), options.title, () => openApiDocument(app, options));
    health.messaging = app.get(MessagingStatus);
    connectMessaging(app);
    // Handlers find everything initialised, and a service with a handler missing never listens.
    await app.init();
    await app.startAllMicroservices();
    tlsOf(config)?.renew(app.getHttpServer());
    await closeWaitingRoom();
    await app.listen(config.PORT, config.HOST);
    this.opened(() => drainHttp(app));
    this.opened(async () => app.get(EventStreams).drain());
    health.serving = true;
    const url = urlOf(app.getHttpServer(), config.HOST);
    this.logger.info({ event: 'service.started', url, managementUrl });
    return { app, url, managementUrl, stop: () => this.stop() };
  }

  /** Unready at once; then streams, requests, messages, the database and the management port end, in this order. */
  stop(): Promise<void> {
    this.health.draining = true;
    this.stopping ??= this.close();
    return this.stopping;
  }

  /** Exits with 0 when all is closed, or with 1 when that takes longer than any supervisor would wait. */
  async stopAndExit(): Promise<void> {
    this.isToldToExit = true;
    setTimeout(() => this.die('service.stop-timed-out'), STOP_LIMIT_MS).unref();
    await this.stop();
    await this.telemetry?.shutdown();
    process.exit(0);
  }

  /** For what cannot go on. Once the service is told to exit, failing to start is no failure. */
  die(event: string, error?: unknown): void {
    if (event === 'service.start-failed' && this.isToldToExit) return;
    this.logger.fatal({ event, err: error });
    process.exit(1);
  }

  private opened(close: () => Promise<unknown>): void {
    this.closers.push(close);
    if (this.stopping) throw new DOMException('stopped while starting', 'AbortError');
  }

  private async close(): Promise<void> {
    this.logger.info({ event: 'service.stopping' });
    await this.closeAll();
    this.logger.info({ event: 'service.stopped' });
  }

  /** In the reverse order of opening. */
  private async closeAll(): Promise<void> {
    for (let close = this.closers.pop(); close; close = this.closers.pop()) {
      // One that fails must not keep the others open.
      await close().catch((error: unknown) => this.logger.error({ event: 'service.stop-failed', err: error }));
    }
  }
}

/** Stops accepting, and resolves when every request under way has been answered. */
async function drainHttp(app: NestFastifyApplication): Promise<void> {
  const server = app.getHttpServer();
  const cutOff = setTimeout(() => server.closeAllConnections(), HTTP_DRAIN_MS);
  await app.getHttpAdapter().getInstance().close();
  clearTimeout(cutOff);
}

const isModuleClass = (module: object): module is Type => /^class\b/.test(Function.prototype.toString.call(module));

/** The whole of a service's `main.ts`. With the argument `migrate`, applies the migrations and exits instead. */
export async function bootstrap<Config extends BaseConfig>(
  module: AppModule<Config>,
  config: Config,
  options: ServiceOptions,
): Promise<void> {
  const service = new Service(module, config, options);
  process.on('uncaughtException', (error) => service.die('process.uncaught-exception', error));
  if (process.argv[2] === 'migrate') {
    await service.migrate().catch((error: unknown) => service.die('database.migration-failed', error));
    process.exit(0);
  }
  // npm and terminals may deliver a signal more than once: whatever comes after the first changes nothing.
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void service.stopAndExit());
  await service.start().catch((error: unknown) => service.die('service.start-failed', error));
}
