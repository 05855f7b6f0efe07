import { Injectable } from '@nestjs/common';
import { ConsumeConnection, PublishConnection } from './broker-connection.ts';

/** For `/readyz`, which shows it but doesn't depend on it. */
@Injectable()
export class MessagingStatus {
  constructor(
    private readonly publishing: PublishConnection,
    private readonly consuming: ConsumeConnection,
  ) {}

  get connected(): boolean {
    return this.publishing.connected && this.consuming.connected;
  }
}
