import { Module, type DynamicModule, type Type } from '@nestjs/common';
import { APP_FILTER, APP_INTERCEPTOR, APP_PIPE } from '@nestjs/core';
import { EventStreams, StreamSettings } from './event-stream.ts';
import { IdempotencyInterceptor } from './idempotency.ts';
import { Jobs } from './jobs.ts';
import { NoBodyInterceptor } from './no-body.ts';
import { AccessReasonInterceptor } from './ops/access-reason.ts';
import { OpsController } from './ops/ops.controller.ts';
import { OpsService } from './ops/ops.service.ts';
import { ProblemFilter } from './problem.filter.ts';
import { RequestTrace } from './request-trace.ts';
import { validationPipe } from './validation.pipe.ts';

/** What `bootstrap` puts around a service's own module. Messages have their own failures: none of this is for them. */
@Module({})
export class DefaultsModule {
  static around(
    service: Type | DynamicModule,
    requests: RequestTrace,
    streams: Partial<StreamSettings> = {},
  ): DynamicModule {
    return {
      module: DefaultsModule,
      global: true,
      imports: [service],
      controllers: [OpsController],
      providers: [
        Jobs,
        EventStreams,
        OpsService,
        { provide: RequestTrace, useValue: requests },
        { provide: StreamSettings, useValue: Object.assign(new StreamSettings(), streams) },
        { provide: APP_FILTER, useClass: ProblemFilter },
        { provide: APP_PIPE, useFactory: validationPipe },
        { provide: APP_INTERCEPTOR, useClass: NoBodyInterceptor },
        { provide: APP_INTERCEPTOR, useClass: AccessReasonInterceptor },
        { provide: APP_INTERCEPTOR, useClass: IdempotencyInterceptor },
      ],
      exports: [Jobs, EventStreams],
    };
  }
}
