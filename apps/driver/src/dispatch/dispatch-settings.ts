import type { Config } from '../config.ts';

/** How this service dispatches. */
export class DispatchSettings {
  /** Farthest driver that is offered a trip. */
  readonly maxPickupM: number;
  readonly offerTtlMs: number;
  readonly deadlineMs: number;
  readonly maxRefusals: number;
  readonly positionMaxAgeMs: number;
  readonly silentAfterMs: number;
  readonly sweepEveryMs: number;
  readonly supplyEveryMs: number;
  /** `iss` of the drivers' tokens. */
  readonly issuer: string;

  constructor(config: Config) {
    this.maxPickupM = config.DISPATCH_MAX_PICKUP_M;
    this.offerTtlMs = config.DISPATCH_OFFER_TTL;
    this.deadlineMs = config.DISPATCH_DEADLINE;
    this.maxRefusals = config.DISPATCH_MAX_REFUSALS;
    this.positionMaxAgeMs = config.DISPATCH_POSITION_MAX_AGE;
    this.silentAfterMs = config.DISPATCH_SILENT_AFTER;
    this.sweepEveryMs = config.DISPATCH_SWEEP_EVERY;
    this.supplyEveryMs = config.SUPPLY_EVERY;
    this.issuer = config.PUBLIC_URL;
  }
}
