import { Authorize, CurrentPrincipal, type Principal } from '@cabstand/auth';
import { ApiProblems, ApiStream, EventStreams } from '@cabstand/service-defaults';
import { Controller, Get, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { workPolicy } from '../driver/driver.policy.ts';
import { DriverStream } from './driver-stream.ts';

@Controller()
export class DriverStreamController {
  constructor(
    private readonly stream: DriverStream,
    private readonly streams: EventStreams,
  ) {}

  /** Events `offer`, `offer-withdrawn` and `trip`; on a first visit the open offer or the trip under way. */
  @Get('v1/drivers/me/events')
  @Authorize(workPolicy, 'work')
  @ApiStream('`offer`, `offer-withdrawn` and `trip` events')
  @ApiProblems('NOT_FOUND')
  async events(@CurrentPrincipal() me: Principal, @Res() reply: FastifyReply): Promise<void> {
    await this.streams.follow(reply, await this.stream.source(me));
  }
}
