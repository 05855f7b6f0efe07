import { Body, Controller, Delete, Header, HttpCode, Post, Req, Res } from '@nestjs/common';
import { ApiHeader, ApiResponse } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Authorize, CurrentPrincipal, Public } from './access.decorators.ts';
import { ClientNetwork } from './network.ts';
import { definePolicy } from './policy.ts';
import type { Principal } from './principal.ts';
import { Limited } from './request-limits.ts';
import { SessionCookie } from './session-cookie.ts';
import { Refresh, SignIn, Tokens } from './session.dto.ts';
import { Sessions } from './sessions.service.ts';

const sessionPolicy = definePolicy<{ id: string }>('Session', [
  { role: 'passenger', can: ['end'] },
  { role: 'driver', can: ['end'] },
]);

@Controller()
export class SessionsController {
  constructor(
    private readonly sessions: Sessions,
    private readonly cookie: SessionCookie,
  ) {}

  @Public()
  @Post('v1/sessions')
  @Limited('sign-in')
  @Header('cache-control', 'no-store')
  @ApiResponse({ status: 201, standardSchema: Tokens })
  @ApiResponse({ status: 401, description: 'CREDENTIALS_INVALID' })
  @ApiResponse({ status: 403, description: 'ACCOUNT_SUSPENDED, ORIGIN_FORBIDDEN' })
  @ApiResponse({ status: 429, description: 'RATE_LIMITED' })
  @ApiResponse({ status: 503, description: 'OVERLOADED' })
  @ApiHeader({ name: 'Session-Mode', required: false, schema: { type: 'string', enum: ['cookie'] } })
  async signIn(
    @Body({ schema: SignIn }) body: SignIn,
    @ClientNetwork() network: string,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Tokens> {
    const wantsCookie = this.cookie.isWanted(request);
    const tokens = await this.sessions.signIn(body, network);
    return wantsCookie ? this.cookie.keep(reply, tokens) : tokens;
  }

  @Public()
  @Post('v1/sessions/refresh')
  @Limited('refresh')
  @HttpCode(200)
  @Header('cache-control', 'no-store')
  @ApiResponse({ status: 200, standardSchema: Tokens })
  @ApiResponse({ status: 401, description: 'REFRESH_TOKEN_INVALID' })
  @ApiResponse({ status: 403, description: 'ACCOUNT_SUSPENDED, ORIGIN_FORBIDDEN' })
  async refresh(
    @Body({ schema: Refresh }) body: Refresh,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Tokens> {
    if (body) return this.sessions.refresh(body.refreshToken);
    return this.cookie.keep(reply, await this.sessions.refresh(this.cookie.read(request)));
  }

  @Authorize(sessionPolicy, 'end')
  @Delete('v1/sessions/current')
  @HttpCode(204)
  @ApiResponse({ status: 204 })
  @ApiResponse({ status: 404, description: 'NOT_FOUND' })
  async end(@CurrentPrincipal() me: Principal, @Res({ passthrough: true }) reply: FastifyReply): Promise<void> {
    await this.sessions.end(me);
    this.cookie.clear(reply);
  }
}
