import { Authorize, CurrentPrincipal, Limited, type Principal } from '@cabstand/auth';
import { ApiAnswer, ApiProblems, ApiStream, EventStreams } from '@cabstand/service-defaults';
import { Body, Controller, Get, HttpCode, Post, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { workPolicy } from '../driver/driver.policy.ts';
import { fleetPolicy } from './fleet.policy.ts';
import { Fleet } from './fleet.ts';
import { PositionReport, ReportView } from './position.dto.ts';
import { PositionService } from './position.service.ts';

@Controller('v1/drivers')
export class PositionController {
  constructor(
    private readonly positions: PositionService,
    private readonly fleet: Fleet,
    private readonly streams: EventStreams,
  ) {}

  @Post('me/positions')
  @HttpCode(202)
  @Authorize(workPolicy, 'work')
  @Limited('positions')
  @ApiAnswer(202, ReportView)
  @ApiProblems('NOT_FOUND')
  report(
    @CurrentPrincipal() me: Principal,
    @Body({ schema: PositionReport }) body: PositionReport,
  ): Promise<ReportView> {
    return this.positions.report(me, body);
  }

  /** Events `position`, and `driver-offline` for who leaves; first every driver who is online. */
  @Get('positions')
  @Authorize(fleetPolicy, 'follow')
  @ApiStream('`position` and `driver-offline` events')
  followFleet(@CurrentPrincipal() me: Principal, @Res() reply: FastifyReply): Promise<void> {
    return this.streams.follow(reply, this.fleet.source(me));
  }
}
