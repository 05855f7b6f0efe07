import { randomUUID } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { SignJWT } from 'jose';
import { SESSION_OPTIONS, type SessionOptions } from './session-options.ts';
import { SigningKeys } from './signing-keys.ts';

/** Signs access tokens in the profile of RFC 9068, with `sid` and `role` added. */
@Injectable()
export class AccessTokens {
  constructor(
    private readonly keys: SigningKeys,
    @Inject(SESSION_OPTIONS) private readonly options: SessionOptions,
  ) {}

  async sign(accountId: string, sessionId: string): Promise<string> {
    const { issuer, role, audience, accessTokenTtlMs } = this.options;
    const { kid, alg, privateKey } = await this.keys.current();
    const issuedAtS = Math.floor(Date.now() / 1000);
    return new SignJWT({ client_id: `cabstand-${role}`, sid: sessionId, role })
      .setProtectedHeader({ alg, typ: 'at+jwt', kid })
      .setIssuer(issuer)
      .setSubject(accountId)
      .setAudience([...audience])
      .setIssuedAt(issuedAtS)
      .setExpirationTime(issuedAtS + Math.floor(accessTokenTtlMs / 1000))
      .setJti(randomUUID())
      .sign(privateKey);
  }
}
