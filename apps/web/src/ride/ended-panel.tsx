import { Button } from 'react-aria-components';
import type { Trip } from '../api/client.ts';
import { RatingForm } from '../trip/rating-form.tsx';
import { Receipt } from '../trip/receipt.tsx';
import { PanelHeading } from '../widgets/panel-heading.tsx';

function wordsOf(trip: Trip): { title: string; more: string } {
  if (trip.status === 'completed') return { title: 'You have arrived', more: 'Thank you for riding with us.' };
  if (trip.status === 'unfulfilled')
    return {
      title: 'No driver found',
      more: 'Nobody nearby could take the trip. It costs nothing; try again in a few minutes.',
    };
  if (trip.cancelledBy === 'driver')
    return {
      title: 'The driver cancelled',
      more: 'It costs nothing. Request the ride again and another driver will come.',
    };
  return { title: 'Ride cancelled', more: 'It costs nothing.' };
}

/** What became of the trip. */
export function EndedPanel({ trip, onDone, onAgain }: { trip: Trip; onDone: () => void; onAgain: () => void }) {
  const { title, more } = wordsOf(trip);
  const isCompleted = trip.status === 'completed';
  return (
    <>
      <div role="status" className="stack">
        <PanelHeading>{title}</PanelHeading>
        <p className="muted">{more}</p>
      </div>
      {isCompleted && (
        <>
          <Receipt member="passenger" trip={trip} />
          <RatingForm member="passenger" tripId={trip.id} whom={trip.driver?.firstName ?? 'your driver'} />
        </>
      )}
      <div className="buttons">
        {!isCompleted && (
          <Button className="button primary" onPress={onAgain}>
            Same ride again
          </Button>
        )}
        <Button className={isCompleted ? 'button primary' : 'button'} onPress={onDone}>
          Book another ride
        </Button>
      </div>
    </>
  );
}
