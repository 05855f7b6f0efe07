import { Button, Label, Radio, RadioGroup, Switch } from 'react-aria-components';
import type { Trip } from '../api/client.ts';
import { RatingForm } from '../trip/rating-form.tsx';
import { Receipt } from '../trip/receipt.tsx';
import { isOver } from '../trip/current-trip.ts';
import { ConnectionNotice, ErrorNotice, Notice } from '../widgets/notice.tsx';
import { PanelHeading } from '../widgets/panel-heading.tsx';
import { useDraft } from '../widgets/use-draft.ts';
import type { CabMode } from './cab.ts';
import { EarningsLine } from './earnings.tsx';
import { OfferCard } from './offer-card.tsx';
import type { Shift } from './use-shift.ts';
import { WorkCard } from './work-card.tsx';
import { ActionButton } from '../widgets/action-button.tsx';

/** What a driver does all day. */
export function ShiftPanel({ shift }: { shift: Shift }) {
  const { trip, at, offers, isOnline } = shift;
  const [seenTripId, setSeenTripId] = useDraft<string | null>('driver.seen', null);
  const active = trip && !isOver(trip) ? trip : null;
  const ended = trip && isOver(trip) && trip.id !== seenTripId && shift.isFresh(trip) ? trip : null;
  const shown = [active?.id, ended?.id, offers.offer?.offerId, isOnline, offers.awaitedTripId];
  const duty = isOnline ? 'You are online' : active ? 'You are offline after this trip' : 'You are offline';
  return (
    <>
      <PanelHeading of={shown.join()}>{duty}</PanelHeading>
      <EarningsLine />
      <ErrorNotice error={shift.error} />
      {shift.trouble && <Notice tone="warn">{shift.trouble}</Notice>}
      <ErrorNotice error={offers.refusal} />
      {offers.refusal === null && <ConnectionNotice isConnected={offers.isConnected} />}
      {active && <WorkCard trip={active} at={at} />}
      {!active && ended && <EndedCard trip={ended} onDone={() => setSeenTripId(ended.id)} />}
      {!active && isOnline && <Waiting shift={shift} />}
      <ShiftControls shift={shift} isWorking={active !== null} />
    </>
  );
}

/** Offers, and what becomes of them. */
function Waiting({ shift: { offers } }: { shift: Shift }) {
  const { offer, news, awaitedTripId } = offers;
  const words = awaitedTripId
    ? 'Accepted: the trip is being confirmed…'
    : offer
      ? 'A trip is offered to you'
      : 'Waiting for a trip';
  return (
    <>
      <div className="stack">
        <p className="status-line" role="status">
          {words}
        </p>
        {!offer && <div className="progress" />}
        {!offer && !awaitedTripId && !news && (
          <p className="muted">Offers come by themselves, to the nearest driver first.</p>
        )}
      </div>
      {news && !offer && <Notice>{news}</Notice>}
      {offer && <OfferCard key={offer.offerId} offer={offer} offers={offers} />}
    </>
  );
}

function EndedCard({ trip, onDone }: { trip: Trip; onDone: () => void }) {
  const isCompleted = trip.status === 'completed';
  const words = isCompleted
    ? 'Trip completed'
    : trip.cancelledBy === 'driver'
      ? 'You cancelled the trip'
      : 'The passenger cancelled the trip';
  return (
    <section className="stack" aria-label="Last trip">
      <p className="status-line" role="status">
        {words}
      </p>
      {isCompleted && (
        <>
          <Receipt member="driver" trip={trip} />
          <RatingForm member="driver" tripId={trip.id} whom={trip.passenger?.firstName ?? 'your passenger'} />
        </>
      )}
      <Button className="button" onPress={onDone}>
        Done
      </Button>
    </section>
  );
}

const MODES: { mode: CabMode; label: string }[] = [
  { mode: 'simulated', label: 'Simulated' },
  { mode: 'device', label: "This device's location" },
];

function ShiftControls({ shift, isWorking }: { shift: Shift; isWorking: boolean }) {
  const { isOnline, settings, setSettings } = shift;
  return (
    <div className="stack">
      <RadioGroup
        className="choice"
        value={settings.mode}
        onChange={(mode) => setSettings({ ...settings, mode: mode as CabMode })}
      >
        <Label className="hint">Driving</Label>
        {MODES.map(({ mode, label }) => (
          <Radio key={mode} value={mode} className="chip">
            {label}
          </Radio>
        ))}
      </RadioGroup>
      {settings.mode === 'simulated' && (
        <Switch
          className="switch"
          isSelected={settings.isFast}
          onChange={(isFast) => setSettings({ ...settings, isFast })}
        >
          <span className="switch-track" aria-hidden="true" />
          Drive fast
        </Switch>
      )}
      <ActionButton
        className={isOnline ? 'button big' : 'button primary big'}
        isPending={shift.isChanging}
        onPress={() => shift.goOnline(!isOnline)}
      >
        {isOnline ? 'Go offline' : 'Go online'}
      </ActionButton>
      {isOnline && isWorking && (
        <p className="hint">Going offline lets you finish this trip, and brings no new ones.</p>
      )}
    </div>
  );
}
