import { Transactions } from '@cabstand/messaging';
import { Controller, Get, Header, HttpCode, Post } from '@nestjs/common';
import { ApiResponse } from '@nestjs/swagger';
import type { JSONWebKeySet } from 'jose';
import { z } from 'zod';
import { Authorize, CurrentPrincipal, Public } from './access.decorators.ts';
import { OpsAudit } from './ops-audit.ts';
import { definePolicy } from './policy.ts';
import type { Principal } from './principal.ts';
import { SigningKeys } from './signing-keys.ts';

const signingKeyPolicy = definePolicy<{ kid: string }>('SigningKey', [{ role: 'operator', can: ['read', 'rotate'] }]);

/** RFC 7517; what a key consists of depends on its type. */
const KeySet = z.object({ keys: z.array(z.record(z.string(), z.unknown())) });

const SigningKeyList = z
  .object({
    items: z.array(
      z.object({
        kid: z.string(),
        algorithm: z.string(),
        /** One is `current`; a `previous` one is published until what it signed has expired. */
        state: z.enum(['next', 'current', 'previous']),
        signsFrom: z.iso.datetime(),
      }),
    ),
  })
  .meta({ id: 'SigningKeyList' });
type SigningKeyList = z.infer<typeof SigningKeyList>;

@Controller()
export class SigningKeysController {
  constructor(
    private readonly keys: SigningKeys,
    private readonly transactions: Transactions,
    private readonly audit: OpsAudit,
  ) {}

  /** For verifiers, which look again after a minute or when they meet an unknown key. */
  @Public()
  @Get('.well-known/jwks.json')
  @Header('cache-control', 'public, max-age=60')
  @ApiResponse({ status: 200, standardSchema: KeySet })
  jwks(): Promise<JSONWebKeySet> {
    return this.keys.jwks();
  }

  /** Newest first. */
  @Authorize(signingKeyPolicy, 'read')
  @Get('v1/ops/signing-keys')
  @ApiResponse({ status: 200, standardSchema: SigningKeyList })
  async list(): Promise<SigningKeyList> {
    const keys = await this.keys.list();
    const current = keys.find(({ signsFrom }) => signsFrom.getTime() <= Date.now());
    const items = keys.map((key) => ({
      kid: key.kid,
      algorithm: String(key.publicJwk.alg),
      state: key === current ? 'current' : key.signsFrom.getTime() > Date.now() ? 'next' : 'previous',
      signsFrom: key.signsFrom.toISOString(),
    })) satisfies SigningKeyList['items'];
    return { items };
  }

  /** Publishes a new key, which signs from when every verifier knows it. While one waits, asking again changes nothing. */
  @Authorize(signingKeyPolicy, 'rotate')
  @Post('v1/ops/signing-keys/rotate')
  @HttpCode(200)
  @ApiResponse({ status: 200, standardSchema: SigningKeyList })
  async rotate(@CurrentPrincipal() me: Principal): Promise<SigningKeyList> {
    await this.transactions.run(async (tx) => {
      const { kid } = await this.keys.rotate(tx);
      await this.audit.record(tx, me, [{ action: 'ops.signing-key-rotated', target: kid }]);
    });
    return this.list();
  }
}
