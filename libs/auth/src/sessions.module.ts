import { Global, Module, type DynamicModule } from '@nestjs/common';
import { AccessTokens } from './access-tokens.ts';
import { Passwords } from './passwords.ts';
import { RefreshToken, Session, SigningKey } from './session.entities.ts';
import { SessionJanitor } from './session-janitor.ts';
import { SessionCookie } from './session-cookie.ts';
import { SESSION_OPTIONS, type SessionOptions } from './session-options.ts';
import { SessionsController } from './sessions.controller.ts';
import { Sessions } from './sessions.service.ts';
import { SignInLimits } from './sign-in-limits.ts';
import { SigningKeysController } from './signing-keys.controller.ts';
import { SigningKeys } from './signing-keys.ts';

export const sessionEntities = [SigningKey, Session, RefreshToken];

/** Issues tokens, for a service that has users of its own. Needs AuthModule. */
@Global()
@Module({})
export class SessionsModule {
  static forRoot(options: SessionOptions): DynamicModule {
    return {
      module: SessionsModule,
      controllers: [SessionsController, SigningKeysController],
      providers: [
        { provide: SESSION_OPTIONS, useValue: options },
        SigningKeys,
        AccessTokens,
        Passwords,
        SignInLimits,
        Sessions,
        SessionCookie,
        SessionJanitor,
      ],
      exports: [Sessions, Passwords],
    };
  }
}
