import { Button, Label, Radio, RadioGroup } from 'react-aria-components';
import type { Point, Quote } from '../api/client.ts';
import { ErrorNotice } from '../widgets/notice.tsx';
import { PanelHeading } from '../widgets/panel-heading.tsx';
import { useNow } from '../widgets/use-now.ts';
import { clock, distance, minutes, money } from '../widgets/words.ts';
import { PlaceField } from './place-field.tsx';
import { useRideDraft, type End } from './ride-draft.ts';
import { useQuote, useRequest } from './use-request.ts';
import { ActionButton } from '../widgets/action-button.tsx';

const ENDS: { end: End; label: string }[] = [
  { end: 'pickup', label: 'Pickup' },
  { end: 'dropoff', label: 'Dropoff' },
];

/** From where, to where, for how much. */
export function BookPanel({ mapCentre }: { mapCentre: () => Point }) {
  const draft = useRideDraft();
  const quote = useQuote(draft.pickup?.point ?? null, draft.dropoff?.point ?? null);
  const requesting = useRequest(draft.clear, () => void quote.refetch());
  const isComplete = draft.pickup !== null && draft.dropoff !== null;
  return (
    <>
      <PanelHeading>Where to?</PanelHeading>
      <div className="stack">
        {ENDS.map(({ end, label }) => (
          <PlaceField
            key={end}
            label={label}
            kind={end}
            place={draft[end]}
            onChoose={(place) => draft.set(end, place)}
            onTakeCentre={() => draft.setPoint(end, mapCentre())}
          />
        ))}
      </div>
      <RadioGroup
        className="choice"
        orientation="horizontal"
        value={draft.next}
        onChange={(end) => draft.choose(end as End)}
      >
        <Label className="hint">A click on the map sets</Label>
        {ENDS.map(({ end, label }) => (
          <Radio key={end} value={end} className="chip">
            {label}
          </Radio>
        ))}
      </RadioGroup>
      <div aria-live="polite" className="stack">
        {!isComplete && <p className="muted">Choose both ends to see the price.</p>}
        {isComplete && quote.isFetching && <p className="muted">Asking for the price…</p>}
        <ErrorNotice error={quote.error} />
        {quote.error && (
          <Button className="button" onPress={() => void quote.refetch()}>
            Ask again
          </Button>
        )}
      </div>
      {isComplete && quote.data && (
        <QuoteCard
          key={quote.data.quoteId}
          quote={quote.data}
          isPending={requesting.isPending}
          onRequest={() => requesting.mutate(quote.data)}
          onRenew={() => void quote.refetch()}
        />
      )}
      <ErrorNotice error={requesting.error} />
    </>
  );
}

interface QuoteCardProps {
  quote: Quote;
  isPending: boolean;
  onRequest: () => void;
  onRenew: () => void;
}

function QuoteCard({ quote, isPending, onRequest, onRenew }: QuoteCardProps) {
  const leftS = Math.max(0, (Date.parse(quote.expiresAt) - useNow(1_000)) / 1_000);
  return (
    <div className="card highlight">
      <p className="row">
        <span>
          {distance(quote.distanceM)}, {minutes(quote.durationS)}
        </span>
        <strong className="price numbers">{money(quote.fareMinor, quote.currency)}</strong>
      </p>
      {quote.surge && (
        <p className="hint">
          Prices are ×{quote.surge.multiplier} just now: {quote.surge.reason}.
        </p>
      )}
      {leftS > 0 ? (
        <>
          <ActionButton className="button primary big" isPending={isPending} onPress={onRequest}>
            {isPending ? 'Requesting…' : 'Request this ride'}
          </ActionButton>
          <p className="hint numbers">
            The price is fixed, and held for {clock(leftS)}.
            {quote.distanceSource === 'estimate' && ' The way is estimated.'}
          </p>
        </>
      ) : (
        <>
          <p role="status">This price has expired.</p>
          <Button className="button primary" onPress={onRenew}>
            Get a new price
          </Button>
        </>
      )}
    </div>
  );
}
