import { Global, Module, type DynamicModule } from '@nestjs/common';
import { Inbox } from './inbox.ts';
import { Live } from './live.ts';
import { MessagingSettings, type MessagingOptions } from './options.ts';
import { Outbox } from './outbox.ts';
import { MessagingStatus } from './status.ts';
import { Transactions } from './transactions.ts';
import { MessagingTransport } from './transport.ts';
import { Wake } from './wake.ts';

/** Needs a global provider of TypeORM's DataSource. */
@Global()
@Module({})
export class MessagingModule {
  static forRoot(options: MessagingOptions): DynamicModule {
    const offered = [Transactions, Outbox, Inbox, Live, MessagingStatus, MessagingTransport];
    return {
      module: MessagingModule,
      providers: [{ provide: MessagingSettings, useValue: new MessagingSettings(options) }, Wake, ...offered],
      exports: offered,
    };
  }
}
