import { Injectable, type INestApplication, type INestMicroservice } from '@nestjs/common';
import { Server, type CustomTransportStrategy } from '@nestjs/microservices';

/** Hands messages from this service's queues to its `@EventPattern` handlers. */
@Injectable()
export class MessagingTransport extends Server implements CustomTransportStrategy {
  on(): never {
    throw new Error('not supported');
  }

  unwrap(): never {
    throw new Error('not supported');
  }

  listen(callback: (error?: unknown) => void): void {
    callback();
  }

  close(): void {}
}

/** Attaches the transport to the application. Call before `startAllMicroservices()`. */
export function connectMessaging(app: INestApplication): INestMicroservice {
  return app.connectMicroservice({ strategy: app.get(MessagingTransport) }, { inheritAppConfig: false });
}
