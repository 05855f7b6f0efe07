import { useQueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import type { Point, Trip } from '../api/client.ts';
import { followEvents } from '../api/event-stream.ts';
import { sessions, type Member } from '../api/session.ts';
import { askForCurrentTrip, learnOfTrip } from './trips.ts';

export interface DriverPosition {
  position: Point;
  headingDeg?: number;
}

export interface LiveTrip {
  /** Where the driver is, as far as this page has been told. */
  driver: DriverPosition | null;
  /** Null until it is known. */
  isConnected: boolean | null;
}

/** Keeps the trip up to date by its stream. Null: there is nothing to follow. */
export function useLiveTrip(member: Member, tripId: string | null): LiveTrip {
  const queries = useQueryClient();
  const [live, setLive] = useState<LiveTrip & { tripId: string | null }>(nothing);
  useEffect(() => {
    if (tripId === null) return;
    const leaving = new AbortController();
    const { signal } = leaving;
    const learn = (news: Partial<LiveTrip>) =>
      setLive((known) => ({ ...(known.tripId === tripId ? known : nothing), tripId, ...news }));
    const listen = async () => {
      const onConnected = (isConnected: boolean) => learn({ isConnected });
      const url = `/api/trip/v1/trips/${tripId}/events`;
      for await (const { event, data } of followEvents(url, sessions[member], { signal, onConnected })) {
        if (event === 'trip') learnOfTrip(queries, member, data as Trip);
        if (event === 'driver-position') learn({ driver: data as DriverPosition });
      }
    };
    // Refused for good: what the trip is by now says why.
    listen().catch(() => void askForCurrentTrip(queries, member));
    return () => leaving.abort();
  }, [queries, member, tripId]);
  return live.tripId === tripId ? live : nothing;
}

const nothing: LiveTrip & { tripId: null } = { tripId: null, driver: null, isConnected: null };
