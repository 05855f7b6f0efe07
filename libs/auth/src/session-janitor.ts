import { Injectable, Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { SigningKeys } from './signing-keys.ts';

const EVERY_MS = 60 * 60_000;

/** Deletes what can't be used any more. Every replica may: deleting twice is deleting once. */
@Injectable()
export class SessionJanitor implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly log = new Logger(SessionJanitor.name);
  private timer?: NodeJS.Timeout;

  constructor(
    private readonly dataSource: DataSource,
    private readonly signingKeys: SigningKeys,
  ) {}

  onApplicationBootstrap(): void {
    this.timer = setInterval(() => {
      this.sweep().catch((error: unknown) => this.log.warn({ event: 'sessions.sweep-failed', err: error }));
    }, EVERY_MS).unref();
  }

  onModuleDestroy(): void {
    clearInterval(this.timer);
  }

  /** A used token is kept until it would have ended, so that its reuse is noticed for as long. */
  async sweep(): Promise<void> {
    await this.signingKeys.retire();
    await this.dataSource.query('DELETE FROM refresh_tokens WHERE expires_at < now()');
    await this.dataSource.query('DELETE FROM sessions WHERE expires_at < now()');
    await this.dataSource.query('DELETE FROM sign_in_failures WHERE expires_at < now()');
  }
}
