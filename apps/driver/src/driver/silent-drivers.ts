import { Jobs } from '@cabstand/service-defaults';
import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { DispatchSettings } from '../dispatch/dispatch-settings.ts';
import { AvailabilityService } from './availability.service.ts';

const AT_ONCE = 1_000;

/**
 * Takes drivers offline who have said nothing for long; one who holds an offer or is on a trip only after that. Every
 * replica runs it: whoever locks the driver first does it.
 */
@Injectable()
export class SilentDrivers implements OnApplicationBootstrap {
  private seenBefore = new Set<string>();

  constructor(
    private readonly dataSource: DataSource,
    private readonly settings: DispatchSettings,
    private readonly availability: AvailabilityService,
    private readonly jobs: Jobs,
  ) {}

  onApplicationBootstrap(): void {
    this.jobs.every(this.settings.silentAfterMs / 10, 'silent-drivers', (stopping) => this.sweep(stopping));
  }

  private async sweep(stopping: AbortSignal): Promise<void> {
    const silent = await this.silent(this.dataSource.manager);
    // Silent twice: after an outage of ours everybody seems to be for a moment, until they are heard again.
    for (const driverId of silent.filter((id) => this.seenBefore.has(id))) {
      if (stopping.aborted) return;
      await this.availability.leave(driverId, async (tx) => (await this.silent(tx, driverId)).length > 0);
    }
    this.seenBefore = new Set(silent);
  }

  /** By when we heard of them, not by their clocks. */
  private async silent(tx: EntityManager, driverId: string | null = null): Promise<string[]> {
    const rows = await tx.query<{ driverId: string }[]>(
      `SELECT a.driver_id AS "driverId" FROM availability a LEFT JOIN positions p USING (driver_id)
        WHERE a.status = 'online' AND a.reserved_trip_id IS NULL AND ($2::uuid IS NULL OR a.driver_id = $2)
          AND greatest(a.online_at, p.stored_at) < clock_timestamp() - make_interval(secs => $1)
        ORDER BY a.driver_id LIMIT ${AT_ONCE}`,
      [this.settings.silentAfterMs / 1_000, driverId],
    );
    return rows.map(({ driverId }) => driverId);
  }
}
