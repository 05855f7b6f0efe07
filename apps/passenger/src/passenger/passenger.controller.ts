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
import { z } from 'zod';
import {
  OwnPassengerView,
  PassengerExport,
  PassengerView,
  RegisterPassenger,
  StandingView,
  toOwnView,
  toView,
  UpdatePassenger,
} from './passenger.dto.ts';
import { passengerPolicy } from './passenger.policy.ts';
import { PassengerService } from './passenger.service.ts';

@Controller('v1/passengers')
export class PassengerController {
  constructor(
    private readonly passengers: PassengerService,
    private readonly sessions: Sessions,
  ) {}

  @Public()
  @Post()
  @UseGuards(HashesPassword)
  @Idempotent()
  @ApiAnswer(201, PassengerView)
  @Limited('registration')
  @ApiProblems('EMAIL_TAKEN', 'OVERLOADED')
  async register(
    @Body({ schema: RegisterPassenger }) body: RegisterPassenger,
    @PasswordHash() passwordHash: string,
  ): Promise<PassengerView> {
    return toView(await this.passengers.register(body, passwordHash));
  }

  @Authorize(passengerPolicy, 'read')
  @Get('me')
  @ApiAnswer(200, OwnPassengerView)
  @ApiProblems('NOT_FOUND')
  async read(@CurrentPrincipal() me: Principal): Promise<OwnPassengerView> {
    return toOwnView(await this.passengers.read(me));
  }

  @Authorize(passengerPolicy, 'update')
  @Patch('me')
  @ApiAnswer(200, OwnPassengerView)
  @ApiProblems('NOT_FOUND')
  async update(
    @CurrentPrincipal() me: Principal,
    @Body({ schema: UpdatePassenger }) body: UpdatePassenger,
  ): Promise<OwnPassengerView> {
    return toOwnView(await this.passengers.update(me, body));
  }

  @Authorize(passengerPolicy, 'erase')
  @Delete('me')
  @HttpCode(204)
  @ApiAnswer(204)
  @ApiProblems('NOT_FOUND', 'TRIP_UNDER_WAY')
  erase(@CurrentPrincipal() me: Principal): Promise<void> {
    return this.passengers.erase(me);
  }

  @Authorize(passengerPolicy, 'change-password')
  @Put('me/password')
  @HttpCode(204)
  @ApiAnswer(204)
  @Limited('password')
  @ApiProblems('CREDENTIALS_INVALID', 'NOT_FOUND', 'RATE_LIMITED', 'OVERLOADED')
  changePassword(
    @CurrentPrincipal() me: Principal,
    @Body({ schema: PasswordChange }) body: PasswordChange,
  ): Promise<void> {
    return this.sessions.changePassword(me, body);
  }

  @Authorize(passengerPolicy, 'export')
  @Get('me/export')
  @Limited('export')
  @EncryptedOnRequest()
  @ApiAnswer(200, PassengerExport)
  @ApiProblems('NOT_FOUND')
  export(@CurrentPrincipal() me: Principal): Promise<PassengerExport> {
    return this.passengers.export(me);
  }

  @Authorize(passengerPolicy, 'suspend')
  @Post(':id/suspend')
  @HttpCode(200)
  @ApiAnswer(200, StandingView)
  @ApiProblems('NOT_FOUND')
  async suspend(
    @CurrentPrincipal() me: Principal,
    @Param('id', { schema: z.uuid() }) id: string,
  ): Promise<StandingView> {
    await this.passengers.suspend(me, id);
    return { id, suspended: true };
  }

  @Authorize(passengerPolicy, 'reinstate')
  @Post(':id/reinstate')
  @HttpCode(200)
  @ApiAnswer(200, StandingView)
  @ApiProblems('NOT_FOUND')
  async reinstate(
    @CurrentPrincipal() me: Principal,
    @Param('id', { schema: z.uuid() }) id: string,
  ): Promise<StandingView> {
    await this.passengers.reinstate(me, id);
    return { id, suspended: false };
  }
}
