import type { ServiceName } from '@cabstand/contracts';
import { Injectable } from '@nestjs/common';

/** What every replica should hear of at once and nobody minds missing: positions, wake-ups. */
@Injectable()
export class Live {
  /** To every replica of every service that subscribed; dropped while disconnected. */
  publish(routingKey: string, payload: object): void {
    void [routingKey, payload];
  }

  /** Hears the publisher's live messages with this routing key, across reconnections. Returns how to stop. */
  subscribe(publisher: ServiceName, routingKey: string, handler: (payload: unknown) => void): () => void {
    void [publisher, routingKey, handler];
    return () => undefined;
  }
}
