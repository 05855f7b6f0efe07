import type { Envelope } from '@cabstand/contracts';
import { BaseRpcContext } from '@nestjs/microservices';

/** A message as it was handed out: the `@Ctx()` of a handler, or of a set-based one an array of them. */
export class Delivery<Payload = unknown> extends BaseRpcContext {
  constructor(
    readonly envelope: Envelope,
    /** As the contract's schema has read it. */
    readonly payload: Payload,
    readonly queue: string,
    /** Counts handlings of the message from 1. */
    readonly attempt: number,
    /** The broker has handed it out before, so its effect may be there already. */
    readonly redelivered: boolean,
    /** Aborted when the handler has run out of time. */
    readonly signal: AbortSignal = new AbortController().signal,
  ) {
    super([]);
  }
}
