import { Injectable } from '@nestjs/common';
import type { Principal } from './principal.ts';

const GENERATION = 2_500;
/** A token is verified again after this time, so that a key that its issuer withdraws is missed even if nobody new comes. */
const MAX_AGE_MS = 60_000;

interface Entry {
  principal: Principal;
  untilMs: number;
}

/**
 * Tokens that were verified a moment ago, and whose they are. Checking a signature costs a tenth of a millisecond,
 * recognising a token a ten-thousandth. Only good tokens get in, those that nobody has used for longest have to make
 * room, and nothing is remembered beyond its own expiry or when an issuer's keys change.
 */
@Injectable()
export class VerifiedTokens {
  /** Two generations: what is used moves into the younger, and goes with the older. A hit in the younger moves nothing. */
  private younger = new Map<string, Entry>();
  private older = new Map<string, Entry>();

  get size(): number {
    return this.younger.size + this.older.size;
  }

  find(token: string): Principal | undefined {
    let entry = this.younger.get(token);
    if (!entry) {
      entry = this.older.get(token);
      if (!entry) return undefined;
      this.older.delete(token);
      this.keep(token, entry);
    }
    if (entry.untilMs > Date.now()) return entry.principal;
    this.younger.delete(token);
    return undefined;
  }

  add(token: string, principal: Principal): void {
    this.keep(token, { principal, untilMs: Math.min(principal.expiresAt.getTime(), Date.now() + MAX_AGE_MS) });
  }

  /** An issuer's keys are others than before: whatever they have signed has to prove itself anew. */
  clear(): void {
    this.younger.clear();
    this.older.clear();
  }

  private keep(token: string, entry: Entry): void {
    if (this.younger.size >= GENERATION) {
      this.older = this.younger;
      this.younger = new Map();
    }
    this.younger.set(token, entry);
  }
}
