import { Jobs } from '@cabstand/service-defaults';
import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { QuoteService } from '../quote/quote.service.ts';
import { TripPaths } from './trip.paths.ts';
import { TripService } from './trip.service.ts';

export class SweepSettings {
  constructor(
    readonly everyMs: number,
    readonly giveUpAfterMs: number,
  ) {}
}

/** Ends what nobody else will: trips that were never taken, quotes that were never used, what is left of paths. */
@Injectable()
export class TripSweep implements OnApplicationBootstrap {
  constructor(
    private readonly jobs: Jobs,
    private readonly settings: SweepSettings,
    private readonly trips: TripService,
    private readonly quotes: QuoteService,
    private readonly paths: TripPaths,
  ) {}

  onApplicationBootstrap(): void {
    this.jobs.every(this.settings.everyMs, 'trip-sweep', () => this.run());
  }

  async run(): Promise<void> {
    while ((await this.trips.giveUpOlderThan(this.settings.giveUpAfterMs)) > 0);
    await this.quotes.forgetExpired();
    await this.paths.forgetEnded();
  }
}
