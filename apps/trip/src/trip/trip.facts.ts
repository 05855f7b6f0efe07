import {
  TripAccepted,
  TripArrived,
  TripCancelled,
  TripCompleted,
  TripRequested,
  TripStarted,
  TripUnfulfilled,
  type EventDefinition,
  type PayloadOf,
} from '@cabstand/contracts';
import type { TripState } from './trip.entity.ts';

/** An event together with what it says. */
export interface Fact {
  event: EventDefinition;
  payload: PayloadOf<EventDefinition>;
}

export const fact = <E extends EventDefinition>(event: E, payload: PayloadOf<E>): Fact => ({ event, payload });

/** The event that tells the others which state the trip is in. */
export function factOf(trip: TripState): Fact {
  const { id: tripId, passengerId, driverId, pickup, dropoff, fareMinor, currency, cancelledBy } = trip;
  switch (trip.status) {
    case 'requested':
      return fact(TripRequested, { tripId, passengerId, pickup, dropoff, fareMinor, currency });
    case 'accepted':
      return fact(TripAccepted, underWay(trip));
    case 'arrived':
      return fact(TripArrived, underWay(trip));
    case 'in_progress':
      return fact(TripStarted, underWay(trip));
    case 'completed':
      return fact(TripCompleted, { ...underWay(trip), fareMinor, currency });
    case 'cancelled':
      return fact(TripCancelled, { tripId, passengerId, driverId, cancelledBy: cancelledBy! });
    case 'unfulfilled':
      return fact(TripUnfulfilled, { tripId, passengerId, driverId });
  }
}

const underWay = ({ id, passengerId, driverId }: TripState) => ({ tripId: id, passengerId, driverId: driverId! });
