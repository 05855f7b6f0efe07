import { Transactions } from '@cabstand/messaging';
import { Injectable } from '@nestjs/common';

/** Tells the sweep of this process that somebody may be free for a trip that waits. The sweep would notice anyway, later. */
@Injectable()
export class DriversFreed {
  private listener: () => void = () => undefined;
  // One function, so that a transaction that frees several drivers announces it once.
  private readonly notify = () => this.listener();

  constructor(private readonly transactions: Transactions) {}

  /** After the transaction under way has committed; at once outside of any. */
  announce(): void {
    this.transactions.afterCommit(this.notify);
  }

  listen(listener: () => void): void {
    this.listener = listener;
  }
}
