import { Injectable, type CallHandler, type ExecutionContext, type NestInterceptor } from '@nestjs/common';
import { ROUTE_ARGS_METADATA } from '@nestjs/common/constants.js';
import { RouteParamtypes } from '@nestjs/common/enums/route-paramtypes.enum.js';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { RequestInvalid } from './problem.ts';
import { inputErrors } from './validation.pipe.ts';

const NoBody = z.strictObject({}).nullish();

/** A route without `@Body()` refuses one that says something: whoever sent it believes that it is heard. */
@Injectable()
export class NoBodyInterceptor implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler) {
    const args = Reflect.getMetadata(ROUTE_ARGS_METADATA, context.getClass(), context.getHandler().name) as object;
    const takesBody = Object.keys(args ?? {}).some((key) => key.startsWith(`${RouteParamtypes.BODY}:`));
    if (!takesBody) {
      const { error } = NoBody.safeParse(context.switchToHttp().getRequest<FastifyRequest>().body);
      if (error) throw new RequestInvalid(inputErrors(error.issues));
    }
    return next.handle();
  }
}
