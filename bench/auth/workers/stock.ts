import 'reflect-metadata';
import { createPublicKey } from 'node:crypto';
import { Controller, Get, Injectable, Module, UseGuards } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { AuthGuard, PassportModule, PassportStrategy } from '@nestjs/passport';
import type { JsonWebKey } from 'node:crypto';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ExtractJwt, Strategy } from 'passport-jwt';
import { serve, type Commands } from '../../harness/worker.ts';

export interface StockSettings {
  issuer: string;
  publicJwk: JsonWebKey;
}

/** https://docs.nestjs.com/recipes/passport as it stands there: Express, and the token verified with a PEM each time. */
serve(async ({ issuer, publicJwk }: StockSettings): Promise<Commands> => {
  const pem = createPublicKey({ key: publicJwk, format: 'jwk' }).export({ type: 'spki', format: 'pem' }).toString();

  @Injectable()
  class JwtStrategy extends PassportStrategy(Strategy) {
    constructor() {
      super({
        jwtFromRequest: ExtractJwt.fromAuthHeaderAsBearerToken(),
        ignoreExpiration: false,
        secretOrKey: pem,
        algorithms: ['RS256'],
        audience: 'trip',
        issuer,
      });
    }

    validate({ sub, role }: { sub: string; role: string }) {
      return { userId: sub, role };
    }
  }

  @Controller()
  class NoopController {
    @UseGuards(AuthGuard('jwt'))
    @Get('noop')
    noop() {
      return { ok: true };
    }
  }

  @Module({ imports: [PassportModule], controllers: [NoopController], providers: [JwtStrategy] })
  class AppModule {}

  const app = await NestFactory.create(AppModule, { logger: ['error', 'warn'] });
  await app.listen(0, '127.0.0.1');
  return { port: () => ((app.getHttpServer() as Server).address() as AddressInfo).port };
});
