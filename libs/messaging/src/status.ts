import { Injectable } from '@nestjs/common';

/** For `/readyz`, which shows it but doesn't depend on it. */
@Injectable()
export class MessagingStatus {
  get connected(): boolean {
    return false;
  }
}
