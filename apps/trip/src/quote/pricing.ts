import type { Tariff } from './fare.ts';

/** What quotes cost and how long they hold. */
export class Pricing {
  constructor(
    readonly tariff: Tariff,
    readonly quoteTtlMs: number,
    /** What a fare is multiplied by at most where drivers are few; 1: never. */
    readonly maxSurge: number,
  ) {}
}
