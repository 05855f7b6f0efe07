import { useMutation, useQueryClient } from '@tanstack/react-query';
import { answerOf, asDriver, type Point, type Trip } from '../api/client.ts';
import { distanceM } from '../map/geometry.ts';
import { askForCurrentTrip, learnOfTrip } from '../trip/trips.ts';
import { ConfirmButton } from '../widgets/confirm-button.tsx';
import { ErrorNotice } from '../widgets/notice.tsx';
import { distance, money } from '../widgets/words.ts';
import { ActionButton } from '../widgets/action-button.tsx';

type Action = 'arrive' | 'start' | 'complete' | 'cancel';

/** Close enough to say that one is there. */
const THERE_M = 60;

/** Where the trip wants the cab to be; null: where it is. */
export const targetOf = ({ status, pickup, dropoff }: Trip): Point | null => {
  if (status === 'accepted') return pickup;
  return status === 'in_progress' ? dropoff : null;
};

function act(action: Action, id: string): Promise<Trip> {
  const params = { path: { id } };
  if (action === 'arrive') return answerOf(asDriver.trips.POST('/v1/trips/{id}/arrive', { params }));
  if (action === 'start') return answerOf(asDriver.trips.POST('/v1/trips/{id}/start', { params }));
  if (action === 'complete') return answerOf(asDriver.trips.POST('/v1/trips/{id}/complete', { params }));
  return answerOf(asDriver.trips.POST('/v1/trips/{id}/cancel', { params, body: {} }));
}

function nextOf(trip: Trip): { words: string; action: Action; label: string } {
  const passenger = trip.passenger?.firstName ?? 'the passenger';
  if (trip.status === 'accepted')
    return { words: `Pick up ${passenger}`, action: 'arrive', label: "I'm at the pickup" };
  if (trip.status === 'arrived')
    return { words: `Waiting for ${passenger}`, action: 'start', label: 'Passenger is on board' };
  return { words: `Take ${passenger} to the dropoff`, action: 'complete', label: 'Complete the trip' };
}

/** The trip that the driver is on. */
export function WorkCard({ trip, at }: { trip: Trip; at: Point }) {
  const queries = useQueryClient();
  const acting = useMutation({
    mutationFn: (action: Action) => act(action, trip.id),
    onSuccess: (news) => learnOfTrip(queries, 'driver', news),
    // Cancelled meanwhile, or an answer was lost and the step was taken: the trip itself says which.
    onError: () => void askForCurrentTrip(queries, 'driver'),
  });
  const { words, action, label } = nextOf(trip);
  const target = targetOf(trip);
  const leftM = target ? distanceM(at, target) : 0;
  return (
    <>
      <section className="card highlight" aria-label="Your trip">
        <p className="status-line" role="status">
          {words}
        </p>
        <p className="row">
          <span className="muted numbers">{leftM > THERE_M ? `${distance(leftM)} to go` : 'You are there'}</span>
          <strong className="numbers">{money(trip.fareMinor, trip.currency)}</strong>
        </p>
        <ErrorNotice error={acting.error} />
        <ActionButton
          className={leftM > THERE_M ? 'button big' : 'button primary big'}
          isPending={acting.isPending}
          onPress={() => acting.mutate(action)}
        >
          {label}
        </ActionButton>
      </section>
      {trip.status !== 'in_progress' && (
        <ConfirmButton
          label="Cancel the trip"
          question="Cancel this trip? The passenger is told, and has to look for another driver."
          yes="Yes, cancel"
          no="Keep it"
          isPending={acting.isPending}
          onConfirm={() => acting.mutate('cancel')}
        />
      )}
    </>
  );
}
