import { Injectable } from '@nestjs/common';
import type { Principal } from './principal.ts';

const MAX_TOKENS = 5_000;
/** A token is verified again after this time, so that a key that its issuer withdraws is missed even if nobody new comes. */
const MAX_AGE_MS = 60_000;

/**
 * Tokens that were verified a moment ago, and whose they are. Checking a signature costs a tenth of a millisecond,
 * recognising a token a ten-thousandth. Only good tokens get in, the one that was not used for longest has to make
 * room, and nothing is remembered beyond its own expiry or when an issuer's keys change.
 */
@Injectable()
export class VerifiedTokens {
  private readonly entries = new Map<string, { principal: Principal; untilMs: number }>();

  get size(): number {
    return this.entries.size;
  }

  find(token: string): Principal | undefined {
    const entry = this.entries.get(token);
    if (!entry) return undefined;
    // Whatever it is now, it moves behind all the others or is gone.
    this.entries.delete(token);
    if (entry.untilMs <= Date.now()) return undefined;
    this.entries.set(token, entry);
    return entry.principal;
  }

  add(token: string, principal: Principal): void {
    const untilMs = Math.min(principal.expiresAt.getTime(), Date.now() + MAX_AGE_MS);
    this.entries.set(token, { principal, untilMs });
    if (this.entries.size > MAX_TOKENS) this.entries.delete(this.entries.keys().next().value!);
  }

  /** An issuer's keys are others than before: whatever they have signed has to prove itself anew. */
  clear(): void {
    this.entries.clear();
  }
}
