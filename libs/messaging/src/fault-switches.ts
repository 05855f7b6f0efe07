import { DomainError } from '@cabstand/contracts';
import { Injectable } from '@nestjs/common';
import { MessagingSettings } from './options.ts';
import { Relay } from './relay.ts';
import { queuesOf } from './subscriptions.ts';
import { MessagingTransport } from './transport.ts';

/** Breaks messaging on purpose, in this process and until it ends, so that somebody can watch it recover. */
@Injectable()
export class FaultSwitches {
  constructor(
    private readonly settings: MessagingSettings,
    private readonly transport: MessagingTransport,
    private readonly relay: Relay,
  ) {}

  /** @throws DomainError NOT_FOUND for a queue that isn't this service's */
  async switchConsumer(queue: string, running: boolean): Promise<void> {
    if (!queuesOf(this.settings).some((each) => each.queue === queue)) throw new DomainError('NOT_FOUND');
    if (running) this.transport.startConsumer(queue);
    else await this.transport.stopConsumer(queue);
  }

  switchRelay(running: boolean): void {
    if (running) this.relay.resume();
    else this.relay.pause();
  }
}
