import { LimitSettings } from '@cabstand/auth';
import { Module, type DynamicModule, type Type } from '@nestjs/common';
import { APP_FILTER, APP_INTERCEPTOR, APP_PIPE } from '@nestjs/core';
import type { BaseConfig } from './config.ts';
import { EventStreams, StreamSettings } from './event-stream.ts';
import { IdempotencyInterceptor } from './idempotency.ts';
import { Jobs } from './jobs.ts';
import { NoBodyInterceptor } from './no-body.ts';
import { AccessReasonInterceptor } from './ops/access-reason.ts';
import { FaultController, FaultSettings } from './ops/fault.controller.ts';
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
    config: Pick<BaseConfig, 'FAULT_SWITCHES' | 'LIMITS' | 'STREAMS_PER_PRINCIPAL' | 'STREAMS_PER_REPLICA'>,
    streams: Partial<StreamSettings> = {},
  ): DynamicModule {
    const open = { mostPerPrincipal: config.STREAMS_PER_PRINCIPAL, most: config.STREAMS_PER_REPLICA };
    return {
      module: DefaultsModule,
      global: true,
      imports: [service],
      controllers: [OpsController, ...(config.FAULT_SWITCHES === 'on' ? [FaultController] : [])],
      providers: [
        Jobs,
        EventStreams,
        OpsService,
        { provide: RequestTrace, useValue: requests },
        { provide: FaultSettings, useValue: new FaultSettings(config.FAULT_SWITCHES) },
        { provide: LimitSettings, useValue: config.LIMITS },
        { provide: StreamSettings, useValue: Object.assign(new StreamSettings(), open, streams) },
        { provide: APP_FILTER, useClass: ProblemFilter },
        { provide: APP_PIPE, useFactory: validationPipe },
        { provide: APP_INTERCEPTOR, useClass: NoBodyInterceptor },
        { provide: APP_INTERCEPTOR, useClass: AccessReasonInterceptor },
        { provide: APP_INTERCEPTOR, useClass: IdempotencyInterceptor },
      ],
      exports: [Jobs, EventStreams, LimitSettings],
    };
  }
}
