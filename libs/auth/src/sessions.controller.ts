import { Body, Controller, Delete, Get, Header, HttpCode, Post } from '@nestjs/common';
import { ApiResponse } from '@nestjs/swagger';
import { Authorize, CurrentPrincipal, Public } from './access.decorators.ts';
import { definePolicy } from './policy.ts';
import type { Principal } from './principal.ts';
import { Refresh, SignIn, Tokens } from './session.dto.ts';
import { Sessions } from './sessions.service.ts';

const sessionPolicy = definePolicy<{ id: string }>('Session', [
  { role: 'passenger', can: ['end'] },
  { role: 'driver', can: ['end'] },
]);

@Controller()
export class SessionsController {
  constructor(private readonly sessions: Sessions) {}

  @Public()
  @Post('v1/sessions')
  @Header('cache-control', 'no-store')
  @ApiResponse({ status: 201, standardSchema: Tokens })
  @ApiResponse({ status: 401, description: 'CREDENTIALS_INVALID' })
  @ApiResponse({ status: 403, description: 'ACCOUNT_SUSPENDED' })
  @ApiResponse({ status: 503, description: 'OVERLOADED' })
  signIn(@Body({ schema: SignIn }) body: SignIn): Promise<Tokens> {
    return this.sessions.signIn(body);
  }

  @Public()
  @Post('v1/sessions/refresh')
  @HttpCode(200)
  @Header('cache-control', 'no-store')
  @ApiResponse({ status: 200, standardSchema: Tokens })
  @ApiResponse({ status: 401, description: 'REFRESH_TOKEN_INVALID' })
  @ApiResponse({ status: 403, description: 'ACCOUNT_SUSPENDED' })
  refresh(@Body({ schema: Refresh }) body: Refresh): Promise<Tokens> {
    return this.sessions.refresh(body.refreshToken);
  }

  @Authorize(sessionPolicy, 'end')
  @Delete('v1/sessions/current')
  @HttpCode(204)
  @ApiResponse({ status: 204 })
  @ApiResponse({ status: 404, description: 'NOT_FOUND' })
  end(@CurrentPrincipal() me: Principal): Promise<void> {
    return this.sessions.end(me);
  }
}
