import {
  Authorize,
  CurrentPrincipal,
  HashesPassword,
  Limited,
  PasswordChange,
  PasswordHash,
  Public,
  Sessions,
  type Principal,
} from '@cabstand/auth';
import { ApiAnswer, ApiProblems, EncryptedOnRequest, Idempotent } from '@cabstand/service-defaults';
import { Body, Controller, Delete, Get, HttpCode, Param, Patch, Post, Put, UseGuards } from '@nestjs/common';
import { AvailabilityService } from './availability.service.ts';
import {
  AvailabilityChange,
  DriverExport,
  DriverId,
  DriverView,
  ProfileChange,
  Registration,
  StandingView,
} from './driver.dto.ts';
import { driverPolicy, workPolicy } from './driver.policy.ts';
import { DriverService } from './driver.service.ts';

@Controller('v1/drivers')
export class DriverController {
  constructor(
    private readonly drivers: DriverService,
    private readonly availability: AvailabilityService,
    private readonly sessions: Sessions,
  ) {}

  @Post()
  @Public()
  @UseGuards(HashesPassword)
  @Idempotent()
  @ApiAnswer(201, DriverView)
  @Limited('registration')
  @ApiProblems('EMAIL_TAKEN', 'OVERLOADED')
  register(
    @Body({ schema: Registration }) body: Registration,
    @PasswordHash() passwordHash: string,
  ): Promise<DriverView> {
    return this.drivers.register(body, passwordHash);
  }

  @Get('me')
  @Authorize(driverPolicy, 'read')
  @ApiAnswer(200, DriverView)
  @ApiProblems('NOT_FOUND')
  read(@CurrentPrincipal() me: Principal): Promise<DriverView> {
    return this.drivers.read(me);
  }

  @Patch('me')
  @Authorize(driverPolicy, 'change')
  @ApiAnswer(200, DriverView)
  @ApiProblems('NOT_FOUND')
  change(@CurrentPrincipal() me: Principal, @Body({ schema: ProfileChange }) body: ProfileChange): Promise<DriverView> {
    return this.drivers.change(me, body);
  }

  @Delete('me')
  @HttpCode(204)
  @Authorize(driverPolicy, 'erase')
  @ApiAnswer(204)
  @ApiProblems('NOT_FOUND', 'TRIP_UNDER_WAY')
  erase(@CurrentPrincipal() me: Principal): Promise<void> {
    return this.drivers.erase(me);
  }

  @Put('me/password')
  @HttpCode(204)
  @Authorize(driverPolicy, 'change')
  @ApiAnswer(204)
  @Limited('password')
  @ApiProblems('CREDENTIALS_INVALID', 'NOT_FOUND', 'RATE_LIMITED', 'OVERLOADED')
  changePassword(
    @CurrentPrincipal() me: Principal,
    @Body({ schema: PasswordChange }) body: PasswordChange,
  ): Promise<void> {
    return this.sessions.changePassword(me, body);
  }

  @Get('me/export')
  @Limited('export')
  @EncryptedOnRequest()
  @Authorize(driverPolicy, 'read')
  @ApiAnswer(200, DriverExport)
  @ApiProblems('NOT_FOUND')
  export(@CurrentPrincipal() me: Principal): Promise<DriverExport> {
    return this.drivers.export(me);
  }

  @Put('me/availability')
  @Authorize(workPolicy, 'work')
  @ApiAnswer(200, AvailabilityChange)
  @ApiProblems('ACCOUNT_SUSPENDED', 'NOT_FOUND')
  setAvailability(@CurrentPrincipal() me: Principal, @Body({ schema: AvailabilityChange }) body: AvailabilityChange) {
    return this.availability.set(me, body);
  }

  @Post(':id/suspend')
  @HttpCode(200)
  @Authorize(driverPolicy, 'suspend')
  @ApiAnswer(200, StandingView)
  @ApiProblems('NOT_FOUND')
  suspend(@CurrentPrincipal() me: Principal, @Param('id', { schema: DriverId }) id: string): Promise<StandingView> {
    return this.availability.judge(me, id, true);
  }

  @Post(':id/reinstate')
  @HttpCode(200)
  @Authorize(driverPolicy, 'suspend')
  @ApiAnswer(200, StandingView)
  @ApiProblems('NOT_FOUND')
  reinstate(@CurrentPrincipal() me: Principal, @Param('id', { schema: DriverId }) id: string): Promise<StandingView> {
    return this.availability.judge(me, id, false);
  }
}
