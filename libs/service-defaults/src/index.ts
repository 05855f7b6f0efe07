export { bootstrap, startService, type AppModule, type RunningService, type ServiceOptions } from './bootstrap.ts';
export { baseConfig, duration, loadConfig, port, wholeNumber, type BaseConfig } from './config.ts';
export { Database, DatabaseModule, dataSourceOptions, type DatabaseOptions } from './database.ts';
export { EventStreams, type StreamEvent, type StreamSettings, type StreamSource } from './event-stream.ts';
export { forgetAnswersOf, Idempotent, idempotencyEntities, idempotencyMigrations } from './idempotency.ts';
export { Jobs } from './jobs.ts';
export { ApiAnswer, ApiProblems, ApiStream } from './openapi.ts';
export { page, pageOf, PageQuery, positionOf, type Page } from './page.ts';
export { Problem, RequestInvalid } from './problem.ts';
