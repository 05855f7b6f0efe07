import { Injectable } from '@nestjs/common';

/** Tells whoever relays a partition that rows were committed to it. */
@Injectable()
export class Wake {
  private readonly callbacks = new Map<number, () => void>();
  private listener: (partition: number) => void = () => undefined;

  /** The same function for the same partition, so that a transaction with many events wakes once. */
  forPartition(partition: number): () => void {
    let callback = this.callbacks.get(partition);
    if (!callback) this.callbacks.set(partition, (callback = () => this.listener(partition)));
    return callback;
  }

  listen(listener: (partition: number) => void): void {
    this.listener = listener;
  }
}
