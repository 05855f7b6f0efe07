import { useMutation } from '@tanstack/react-query';
import { useEffect, useEffectEvent } from 'react';
import { Button } from 'react-aria-components';
import { answerOf, asDriver, type Offer } from '../api/client.ts';
import { ApiProblem, messageOf } from '../api/problem.ts';
import { distanceM } from '../map/geometry.ts';
import { ErrorNotice } from '../widgets/notice.tsx';
import { useNow } from '../widgets/use-now.ts';
import { distance, money } from '../widgets/words.ts';
import type { Offers } from './use-offers.ts';
import { ActionButton } from '../widgets/action-button.tsx';

/** How long offers are open unless the service is told otherwise (`DISPATCH_OFFER_TTL`); only the meter's scale. */
const USUAL_MS = 15_000;
/** The service says that an offer has expired; this long it is waited for, for the page's clock is not exact. */
const GRACE_MS = 2_500;

/** A trip that the driver can have, for some seconds. */
export function OfferCard({ offer, offers }: { offer: Offer; offers: Offers }) {
  const untilExpiryMs = Date.parse(offer.expiresAt) - useNow(250);
  const leftMs = Math.max(0, untilExpiryMs);
  const answering = useMutation({
    mutationFn: (answer: 'accept' | 'decline') => {
      const params = { path: { offerId: offer.offerId } };
      return answer === 'accept'
        ? answerOf(asDriver.accounts.POST('/v1/offers/{offerId}/accept', { params }))
        : answerOf(asDriver.accounts.POST('/v1/offers/{offerId}/decline', { params }));
    },
    onSuccess: ({ status, tripId }) => {
      if (status === 'accepted') offers.await(tripId);
      offers.close(offer.offerId, status === 'accepted' ? null : 'You declined. The next offer comes by itself.');
    },
    onError: (error) => {
      // Too late, or taken back. What nobody answered can be tried again while there is time.
      if (error instanceof ApiProblem && !error.isTemporary) offers.close(offer.offerId, messageOf(error));
    },
  });
  // An answer that is on its way may have been in time.
  const isGone = untilExpiryMs < -GRACE_MS && !answering.isPending;
  const expire = useEffectEvent(() => offers.close(offer.offerId, 'The offer expired. The next one comes by itself.'));
  useEffect(() => {
    if (isGone) expire();
  }, [isGone]);
  return (
    <section className="card highlight" aria-label="Offer">
      <div className="row">
        <h2>New trip</h2>
        <strong className="price numbers">{money(offer.fareMinor, offer.currency)}</strong>
      </div>
      <dl className="facts numbers">
        <dt>To the pickup</dt>
        <dd>{distance(offer.pickupDistanceM)}</dd>
        <dt>Trip</dt>
        <dd>{distance(distanceM(offer.pickup, offer.dropoff))} as the crow flies</dd>
      </dl>
      <div className="meter" aria-hidden="true">
        <span style={{ transform: `scaleX(${Math.min(1, leftMs / USUAL_MS)})` }} />
      </div>
      <p className="hint numbers">
        {answering.isPending ? 'Answering…' : `${Math.ceil(leftMs / 1_000)} seconds to answer`}
      </p>
      <ErrorNotice error={answering.error} />
      <div className="buttons">
        <Button className="button big" isDisabled={answering.isPending} onPress={() => answering.mutate('decline')}>
          Decline
        </Button>
        <ActionButton
          className="button primary big"
          isPending={answering.isPending}
          onPress={() => answering.mutate('accept')}
        >
          Accept
        </ActionButton>
      </div>
    </section>
  );
}
