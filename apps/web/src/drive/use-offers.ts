import { useQueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { answerOf, asDriver, type Offer, type Trip } from '../api/client.ts';
import { followEvents } from '../api/event-stream.ts';
import { ApiProblem, messageOf } from '../api/problem.ts';
import { sessions } from '../api/session.ts';
import { isOver } from '../trip/current-trip.ts';
import { askForCurrentTrip, learnOfTrip } from '../trip/trips.ts';

const LOOK_AGAIN_MS = 400;
/** What takes longer than this, the stream tells if it comes at all. */
const AWAIT_AT_MOST_MS = 30_000;

const NEXT = 'The next one comes by itself.';
/** Why an offer is gone that the driver hasn't answered. */
const GONE: Partial<Record<string, string>> = {
  expired: `The offer expired. ${NEXT}`,
  withdrawn: `The passenger cancelled: the offer was withdrawn. ${NEXT}`,
};
const CANCELLED_MEANWHILE = `The passenger cancelled the trip meanwhile. ${NEXT}`;
const NEVER_CONFIRMED =
  'The trip was not confirmed: most likely the passenger cancelled it. If it comes, it is shown here.';

export interface Offers {
  offer: Offer | null;
  /** What became of the last offer, in words; null when there is nothing to tell. */
  news: string | null;
  /** Null until it is known. */
  isConnected: boolean | null;
  /** Why there will be no offers, when the service has refused them for good; else null. */
  refusal: unknown;
  /** Accepted, and not yet the driver's: milliseconds usually, longer while the broker is away. */
  awaitedTripId: string | null;
  /** The offer was answered, or its time is over. */
  close: (offerId: string, news: string | null) => void;
  await: (tripId: string) => void;
}

type State = Omit<Offers, 'close' | 'await'>;

const AT_FIRST: State = { offer: null, news: null, isConnected: null, refusal: null, awaitedTripId: null };

/** What the driver is told while on duty: offers that come and go, and what happens to trips. */
export function useOffers(isOnDuty: boolean): Offers {
  const queries = useQueryClient();
  const [state, setState] = useState(AT_FIRST);

  useEffect(() => {
    if (!isOnDuty) return;
    const leaving = new AbortController();
    const { signal } = leaving;
    const learn = (change: (known: State) => Partial<State>) => setState((known) => ({ ...known, ...change(known) }));
    const hear = (event: string, data: unknown) => {
      if (event === 'offer') learn((known) => offered(known, data as Offer));
      if (event === 'offer-withdrawn') learn((known) => withdrawn(known, data as Withdrawal));
      if (event === 'trip') {
        const { tripId, status } = data as { tripId: string; status: Trip['status'] };
        learn((known) => toldOfTrip(known, tripId, status));
        void askForCurrentTrip(queries, 'driver');
      }
    };
    const listen = async () => {
      const onConnected = (isConnected: boolean) => learn(() => ({ isConnected }));
      const url = '/api/driver/v1/drivers/me/events';
      for await (const { event, data } of followEvents(url, sessions.driver, { signal, onConnected }))
        hear(event, data);
    };
    listen().catch((refusal: unknown) => {
      if (!signal.aborted) learn(() => ({ refusal }));
    });
    return () => {
      leaving.abort();
      setState(AT_FIRST);
    };
  }, [queries, isOnDuty]);

  const { awaitedTripId } = state;
  useEffect(() => {
    if (!awaitedTripId) return;
    let timer: ReturnType<typeof setTimeout>;
    let hasLeft = false;
    const sinceMs = performance.now();
    const stop = (news: string | null) =>
      setState((known) => (known.awaitedTripId === awaitedTripId ? { ...known, awaitedTripId: null, news } : known));
    const look = async () => {
      const params = { path: { id: awaitedTripId } };
      try {
        const trip = await answerOf(asDriver.trips.GET('/v1/trips/{id}', { params }));
        if (hasLeft) return;
        learnOfTrip(queries, 'driver', trip);
        stop(null);
      } catch (error) {
        if (hasLeft) return;
        const isNotYet = error instanceof ApiProblem && (error.status === 404 || error.isTemporary);
        if (!isNotYet) stop(messageOf(error));
        else if (performance.now() - sinceMs > AWAIT_AT_MOST_MS) stop(NEVER_CONFIRMED);
        else timer = setTimeout(() => void look(), LOOK_AGAIN_MS);
      }
    };
    void look();
    return () => {
      hasLeft = true;
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

/** Drivers who have a trip are offered none: the one that was awaited came to nothing. */
const offered = ({ awaitedTripId }: State, offer: Offer): Partial<State> =>
  offer.tripId === awaitedTripId
    ? {}
    : { offer, news: awaitedTripId ? CANCELLED_MEANWHILE : null, awaitedTripId: null };

type Withdrawal = Pick<Offer, 'offerId'> & { status: string };

const withdrawn = ({ offer, news }: State, { offerId, status }: Withdrawal): Partial<State> =>
  offer?.offerId === offerId ? { offer: null, news: GONE[status] ?? null } : { news };

function toldOfTrip({ awaitedTripId, offer }: State, tripId: string, status: Trip['status']): Partial<State> {
  if (status === 'accepted') return { awaitedTripId: tripId, offer: offer?.tripId === tripId ? null : offer };
  if (!isOver({ status }) || awaitedTripId !== tripId) return {};
  return { awaitedTripId: null, news: status === 'cancelled' ? CANCELLED_MEANWHILE : null };
}
