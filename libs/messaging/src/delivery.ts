import type { Envelope } from '@cabstand/contracts';
import { BaseRpcContext } from '@nestjs/microservices';

/** What is known of a message besides its payload: the `@Ctx()` of a handler. */
export class Delivery extends BaseRpcContext {
  constructor(
    readonly envelope: Envelope,
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
