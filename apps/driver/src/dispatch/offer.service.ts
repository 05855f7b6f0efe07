import type { Principal } from '@cabstand/auth';
import { DomainError } from '@cabstand/contracts';
import { Transactions } from '@cabstand/messaging';
import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { Dispatch } from './dispatch.entity.ts';
import { DispatchService } from './dispatch.service.ts';
import { lockDispatch } from './locks.ts';
import { toOfferView, type AnswerView, type OfferView } from './offer.dto.ts';
import { Offer } from './offer.entity.ts';
import { answer, OUTCOME, type DriverAnswer } from './offer.machine.ts';
import { offerPolicy } from './offer.policy.ts';

/** The driver's side of an offer. */
@Injectable()
export class OfferService {
  constructor(
    private readonly dataSource: DataSource,
    private readonly transactions: Transactions,
    private readonly dispatch: DispatchService,
  ) {}

  /** The open offer of the driver, or null. One whose time is up is none, also before a sweep has seen it. */
  async current(me: Principal): Promise<OfferView | null> {
    const found = await this.dataSource
      .createQueryBuilder(Offer, 'o')
      .innerJoinAndMapOne('o.dispatch', Dispatch, 'd', 'd.tripId = o.tripId')
      .where(offerPolicy.where(me, 'read'))
      .andWhere(`o.status = 'open' AND o.expiresAt > clock_timestamp()`)
      .getOne();
    const offer = found as (Offer & { dispatch: Dispatch }) | null;
    return offer && toOfferView(offer, offer.dispatch);
  }

  /**
   * Takes the driver's answer; the same answer again changes nothing and is answered the same.
   * @throws DomainError NOT_FOUND; OFFER_EXPIRED, OFFER_WITHDRAWN, OFFER_CLOSED (conflict)
   */
  async answer(me: Principal, offerId: string, action: DriverAnswer): Promise<AnswerView> {
    const found = await this.dataSource.manager.findOneBy(Offer, { id: offerId });
    offerPolicy.check(me, 'answer', found);
    // A settled offer stays as it is: only an open one takes locks.
    const isOpen = found.status === 'open';
    const done = isOpen
      ? await this.transactions.run((tx) => this.settle(tx, found, action))
      : answer(found, action, new Date());
    // After the commit, because the offer did expire.
    if (done === 'expire') throw new DomainError('OFFER_EXPIRED');
    return { offerId, tripId: found.tripId, status: OUTCOME[action] as AnswerView['status'] };
  }

  private async settle(tx: EntityManager, { id, tripId }: Offer, action: DriverAnswer) {
    const held = await lockDispatch(tx, tripId);
    const offer = await tx.findOneOrFail(Offer, { where: { id }, lock: { mode: 'pessimistic_write' } });
    const todo = answer(offer, action, held.now);
    if (todo === null) return null;
    if (todo === 'accept') await this.dispatch.accept(tx, { ...held, offer });
    else await this.dispatch.passOn(tx, { ...held, offer }, todo);
    return todo;
  }
}
