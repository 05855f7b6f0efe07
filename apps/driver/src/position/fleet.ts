import type { Principal } from '@cabstand/auth';
import type { StreamEvent, StreamSource } from '@cabstand/service-defaults';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { fleetPolicy } from './fleet.policy.ts';

const LOOK_EVERY_MS = 1_000;

interface Row {
  driverId: string;
  lat: number;
  lng: number;
  headingDeg: number | null;
  speedMps: number | null;
  at: Date;
  status: 'free' | 'offered' | 'on-trip';
  tripId: string | null;
}

/** What operators see: every online driver's position. Read from the database, so that any replica shows all of it. */
@Injectable()
export class Fleet {
  constructor(private readonly dataSource: DataSource) {}

  source(principal: Principal): StreamSource {
    // What this stream has shown. Nothing to resume: whoever comes back sees everything anew.
    const shown = new Map<string, string>();
    return {
      principal,
      allowed: () => fleetPolicy.allows(principal, 'follow', { kind: 'fleet' }),
      read: async () => ({ events: await this.news(shown), cursor: null }),
      subscribe: ({ wake }) => {
        const timer = setInterval(wake, LOOK_EVERY_MS);
        return () => clearInterval(timer);
      },
    };
  }

  private async news(shown: Map<string, string>): Promise<StreamEvent[]> {
    const online: Row[] = await this.dataSource.query(
      `SELECT p.driver_id AS "driverId", p.lat, p.lng, p.heading_deg AS "headingDeg", p.speed_mps AS "speedMps", p.at,
              CASE a.reserved_as WHEN 'trip' THEN 'on-trip' WHEN 'offer' THEN 'offered' ELSE 'free' END AS status,
              CASE a.reserved_as WHEN 'trip' THEN a.reserved_trip_id END AS "tripId"
         FROM availability a JOIN positions p ON p.driver_id = a.driver_id WHERE a.status = 'online'`,
    );
    const events: StreamEvent[] = [];
    for (const { lat, lng, ...row } of online) {
      // Whoever is offered a trip may well stand still.
      const news = `${row.at.getTime()} ${row.status}`;
      if (shown.get(row.driverId) === news) continue;
      shown.set(row.driverId, news);
      events.push({ event: 'position', data: { ...row, position: { lat, lng } } });
    }
    const still = new Set(online.map(({ driverId }) => driverId));
    for (const driverId of shown.keys()) {
      if (still.has(driverId)) continue;
      shown.delete(driverId);
      events.push({ event: 'driver-offline', data: { driverId } });
    }
    return events;
  }
}
