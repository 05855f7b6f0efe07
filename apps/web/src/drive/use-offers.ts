import { useQueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { answerOf, asDriver, type Offer, type Trip } from '../api/client.ts';
import { followEvents } from '../api/event-stream.ts';
import { ApiProblem } from '../api/problem.ts';
import { sessions } from '../api/session.ts';
import { askForNewestTrip, learnOfTrip } from '../trip/trips.ts';

const LOOK_AGAIN_MS = 400;

export interface Offers {
  offer: Offer | null;
  /** What became of the last offer, in words; null when there is nothing to tell. */
  news: string | null;
  /** Null until it is known. */
  isConnected: boolean | null;
  /** Accepted, and not yet the driver's: milliseconds usually, longer while the broker is away. */
  awaitedTripId: string | null;
  /** The offer was answered, or its time is over. */
  close: (offerId: string, news: string | null) => void;
  await: (tripId: string) => void;
}

interface State {
  offer: Offer | null;
  news: string | null;
  isConnected: boolean | null;
  awaitedTripId: string | null;
}

/** What the driver is told while on duty: offers that come and go, and what happens to trips. */
export function useOffers(isOnDuty: boolean): Offers {
  const queries = useQueryClient();
  const [state, setState] = useState<State>({ offer: null, news: null, isConnected: null, awaitedTripId: null });

  useEffect(() => {
    if (!isOnDuty) return;
    const leaving = new AbortController();
    const { signal } = leaving;
    const learn = (change: (known: State) => Partial<State>) => setState((known) => ({ ...known, ...change(known) }));
    const hear = (event: string, data: unknown) => {
      if (event === 'offer') learn(() => ({ offer: data as Offer, news: null }));
      if (event === 'offer-withdrawn') learn((known) => withdrawn(known, data as Offer));
      if (event === 'trip') {
        const { tripId, status } = data as { tripId: string; status: Trip['status'] };
        learn((known) => ({ awaitedTripId: status === 'accepted' ? tripId : known.awaitedTripId }));
        void askForNewestTrip(queries, 'driver');
      }
    };
    const listen = async () => {
      const onConnected = (isConnected: boolean) => learn(() => ({ isConnected }));
      const url = '/api/driver/v1/drivers/me/events';
      for await (const { event, data } of followEvents(url, sessions.driver, { signal, onConnected }))
        hear(event, data);
    };
    listen().catch(() => learn(() => ({ isConnected: false })));
    return () => {
      leaving.abort();
      setState({ offer: null, news: null, isConnected: null, awaitedTripId: null });
    };
  }, [queries, isOnDuty]);

  const { awaitedTripId } = state;
  useEffect(() => {
    if (!awaitedTripId) return;
    let timer: ReturnType<typeof setTimeout>;
    let isOver = false;
    const look = async () => {
      const params = { path: { id: awaitedTripId } };
      try {
        learnOfTrip(queries, 'driver', await answerOf(asDriver.trips.GET('/v1/trips/{id}', { params })));
        setState((known) => ({ ...known, awaitedTripId: null }));
      } catch (error) {
        const isNotYet = error instanceof ApiProblem && (error.status === 404 || error.isTemporary);
        if (isNotYet && !isOver) timer = setTimeout(() => void look(), LOOK_AGAIN_MS);
      }
    };
    void look();
    return () => {
      isOver = true;
      clearTimeout(timer);
    };
  }, [queries, awaitedTripId]);

  return {
    ...state,
    close: (offerId, news) =>
      setState((known) => (known.offer?.offerId === offerId ? { ...known, offer: null, news } : known)),
    await: (tripId) => setState((known) => ({ ...known, awaitedTripId: tripId })),
  };
}

const withdrawn = ({ offer, news }: State, { offerId }: Pick<Offer, 'offerId'>): Partial<State> =>
  offer?.offerId === offerId
    ? { offer: null, news: 'The passenger cancelled: the offer was withdrawn. The next one comes by itself.' }
    : { news };
