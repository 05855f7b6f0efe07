import { Global, Module, type DynamicModule } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { AccessGuard } from './access.guard.ts';
import { AccessTokenStrategy } from './access-token.strategy.ts';
import { IssuerKeySet, RevokedSession } from './auth.entities.ts';
import { AUTH_OPTIONS, IssuerKeys, type AuthOptions } from './issuer-keys.ts';
import { Limits } from './limits.ts';
import { OpsAudit, OpsAuditEntry } from './ops-audit.ts';
import { RequestLimits } from './request-limits.ts';
import { RevokedSessions } from './revoked-sessions.ts';
import { SecurityEvents } from './security-events.ts';
import { SecurityEventEntry, SecurityLog } from './security-log.ts';
import { VerifiedTokens } from './verified-tokens.ts';

export const authEntities = [IssuerKeySet, RevokedSession, OpsAuditEntry, SecurityEventEntry];

/** Verifies access tokens and guards every route. Needs the global DataSource and the messaging module. */
@Global()
@Module({})
export class AuthModule {
  static forRoot(options: AuthOptions): DynamicModule {
    return {
      module: AuthModule,
      providers: [
        { provide: AUTH_OPTIONS, useValue: options },
        VerifiedTokens,
        IssuerKeys,
        AccessTokenStrategy,
        RevokedSessions,
        OpsAudit,
        Limits,
        RequestLimits,
        SecurityLog,
        SecurityEvents,
        { provide: APP_GUARD, useClass: AccessGuard },
      ],
      exports: [RevokedSessions, OpsAudit, SecurityEvents, SecurityLog, AUTH_OPTIONS],
    };
  }
}
