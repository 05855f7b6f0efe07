import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useState, useSyncExternalStore } from 'react';
import { answerOf, asDriver, type Driver, type Offer, type Point, type Trip } from '../api/client.ts';
import { serverNowMs } from '../api/server-clock.ts';
import { isOver } from '../trip/current-trip.ts';
import { useCurrentTrip } from '../trip/trips.ts';
import { useDraft } from '../widgets/use-draft.ts';
import { Cab, type CabMode } from './cab.ts';
import { useOffers, type Offers } from './use-offers.ts';
import { targetOf } from './work-card.tsx';

const DRIVER_KEY = ['profile', 'driver'];
/** What ended longer ago is history. */
const RECENT_MS = 15 * 60_000;

interface Settings {
  mode: CabMode;
  isFast: boolean;
}

export interface Shift {
  isOnline: boolean;
  isChanging: boolean;
  goOnline: (isOnline: boolean) => void;
  /** The one under way, else the last one. */
  trip: Trip | null;
  isFresh: (trip: Trip) => boolean;
  offers: Offers;
  offer: Offer | null;
  at: Point;
  headingDeg: number | undefined;
  target: Point | null;
  trouble: string | null;
  error: unknown;
  settings: Settings;
  setSettings: (settings: Settings) => void;
}

/** A driver at work: online or not, the cab, the offers and the trip. Goes on by itself after a reload. */
export function useShift(): Shift {
  const queries = useQueryClient();
  const [cab] = useState(() => new Cab());
  const [openedAtMs] = useState(serverNowMs);
  const [settings, setSettings] = useDraft<Settings>('driver.settings', { mode: 'simulated', isFast: false });
  const profile = useQuery({
    queryKey: DRIVER_KEY,
    queryFn: () => answerOf(asDriver.accounts.GET('/v1/drivers/me')),
  });
  const current = useCurrentTrip('driver');
  const trip = current.data ?? null;
  const isOnline = profile.data?.status === 'online';
  const isOnDuty = isOnline || (trip !== null && !isOver(trip));
  const offers = useOffers(isOnDuty);
  const target = trip && !isOver(trip) ? targetOf(trip) : null;

  const changing = useMutation({
    mutationFn: (wanted: boolean) =>
      answerOf(
        asDriver.accounts.PUT('/v1/drivers/me/availability', { body: { status: wanted ? 'online' : 'offline' } }),
      ),
    onSuccess: ({ status }) =>
      queries.setQueryData<Driver>(DRIVER_KEY, (known) => (known ? { ...known, status } : known)),
  });

  const { mode, isFast } = settings;
  useEffect(() => {
    if (!isOnDuty) return;
    const stopping = new AbortController();
    cab.run(mode, stopping.signal);
    return () => stopping.abort();
  }, [cab, isOnDuty, mode]);
  useEffect(() => cab.driveTo(target), [cab, target]);
  useEffect(() => cab.driveFast(isFast), [cab, isFast]);
  const { at, headingDeg, trouble } = useSyncExternalStore(cab.subscribe, cab.getState);

  return {
    isOnline,
    isChanging: changing.isPending || profile.isPending,
    goOnline: (wanted) => changing.mutate(wanted),
    trip,
    isFresh: ({ completedAt, cancelledAt }) => Date.parse(completedAt ?? cancelledAt ?? '') > openedAtMs - RECENT_MS,
    offers,
    offer: offers.offer,
    ...{ at, headingDeg, target },
    trouble: isOnDuty ? trouble : null,
    error: changing.error ?? profile.error ?? current.error,
    ...{ settings, setSettings },
  };
}
