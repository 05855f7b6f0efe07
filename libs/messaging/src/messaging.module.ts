import {
  Global,
  Injectable,
  Logger,
  Module,
  type DynamicModule,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { ConsumeConnection, PublishConnection } from './broker-connection.ts';
import { DeadLetterOffice } from './dead-letter-office.ts';
import { DeadLetters } from './dead-letters.ts';
import { FaultSwitches } from './fault-switches.ts';
import { Inbox } from './inbox.ts';
import { Live } from './live.ts';
import { MessagingMetrics } from './metrics.ts';
import { MessagingSettings, type MessagingOptions } from './options.ts';
import { Outbox } from './outbox.ts';
import { Relay } from './relay.ts';
import { MessagingStatus } from './status.ts';
import { TopologyCheck } from './topology-check.ts';
import { Transactions } from './transactions.ts';
import { MessagingTransport } from './transport.ts';
import { outline } from './waiting.ts';

/**
 * Starts and stops what runs in the background. By the time of the stop Nest has closed the HTTP server and the
 * transport, so nothing commits any more and the relay can publish the rest.
 */
@Injectable()
class Background implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger('Messaging');
  private pruning: NodeJS.Timeout | undefined;

  constructor(
    private readonly settings: MessagingSettings,
    private readonly publishing: PublishConnection,
    private readonly consuming: ConsumeConnection,
    private readonly relay: Relay,
    private readonly deadLetters: DeadLetters,
    private readonly topology: TopologyCheck,
    private readonly inbox: Inbox,
  ) {}

  onApplicationBootstrap(): void {
    this.publishing.start();
    this.consuming.start();
    this.relay.start();
    this.deadLetters.start();
    this.topology.start();
    this.pruning = setInterval(() => void this.prune(), this.settings.pruneEveryMs).unref();
  }

  async onApplicationShutdown(): Promise<void> {
    this.topology.stop();
    clearInterval(this.pruning);
    await Promise.all([this.relay.stop(), this.deadLetters.stop()]);
    await Promise.all([this.publishing.close(), this.consuming.close()]);
  }

  private async prune(): Promise<void> {
    // The next round is soon enough.
    await this.inbox
      .prune()
      .catch((error: unknown) => this.logger.warn({ event: 'inbox.not-pruned', reason: outline(error) }));
  }
}

/** Needs a global provider of TypeORM's DataSource. */
@Global()
@Module({})
export class MessagingModule {
  static forRoot(options: MessagingOptions): DynamicModule {
    const offered = [
      ...[Transactions, Outbox, Inbox, Live],
      ...[MessagingStatus, MessagingTransport, DeadLetterOffice, FaultSwitches],
    ];
    const inside = [
      MessagingMetrics,
      PublishConnection,
      ConsumeConnection,
      Relay,
      DeadLetters,
      TopologyCheck,
      Background,
    ];
    return {
      module: MessagingModule,
      providers: [{ provide: MessagingSettings, useValue: new MessagingSettings(options) }, ...inside, ...offered],
      exports: offered,
    };
  }
}
