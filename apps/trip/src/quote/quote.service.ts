import type { Principal } from '@cabstand/auth';
import { Transactions } from '@cabstand/messaging';
import { DomainError } from '@cabstand/contracts';
import { Injectable } from '@nestjs/common';
import { randomUUIDv7 } from 'node:crypto';
import { LessThan, type EntityManager } from 'typeorm';
import { fareMinor } from './fare.ts';
import { Pricing } from './pricing.ts';
import { toView, type QuoteRequest, type QuoteView } from './quote.dto.ts';
import { Quote } from './quote.entity.ts';
import { quotePolicy } from './quote.policy.ts';
import { Routing } from './routing.ts';
import { SupplyService } from './supply.service.ts';

/** How long a quote that ran out is remembered, so that using it is answered by why it can't be used. */
const KEEP_EXPIRED_MS = 24 * 3_600_000;

/** The use cases of a quote. */
@Injectable()
export class QuoteService {
  constructor(
    private readonly transactions: Transactions,
    private readonly routing: Routing,
    private readonly pricing: Pricing,
    private readonly supply: SupplyService,
  ) {}

  async quote(me: Principal, { pickup, dropoff }: QuoteRequest): Promise<QuoteView> {
    const { distanceM, durationS, distanceSource } = await this.routing.measure(pickup, dropoff);
    const { tariff, quoteTtlMs } = this.pricing;
    const surge = await this.supply.surgeAt(pickup);
    const quote: Quote = {
      id: randomUUIDv7(),
      passengerIssuer: me.issuer,
      passengerId: me.subject,
      pickup,
      dropoff,
      fareMinor: fareMinor(distanceM, durationS, tariff, surge?.multiplier),
      currency: tariff.currency,
      distanceM,
      durationS,
      distanceSource,
      surge,
      expiresAt: new Date(Date.now() + quoteTtlMs),
      usedAt: null,
    };
    await this.transactions.run((tx) => tx.insert(Quote, quote));
    return toView(quote);
  }

  /**
   * Redeems the passenger's quote, in the transaction that makes a trip of it.
   * @throws DomainError NOT_FOUND, QUOTE_USED, QUOTE_EXPIRED
   */
  async use(tx: EntityManager, me: Principal, quoteId: string): Promise<Quote> {
    const quote = await tx.findOne(Quote, { where: { id: quoteId }, lock: { mode: 'pessimistic_write' } });
    quotePolicy.check(me, 'use', quote);
    if (quote.usedAt) throw new DomainError('QUOTE_USED');
    if (quote.expiresAt.getTime() <= Date.now()) throw new DomainError('QUOTE_EXPIRED');
    await tx.update(Quote, { id: quoteId }, { usedAt: new Date() });
    return quote;
  }

  /** Forgets quotes that ran out a day ago: they tell where people wanted to go. */
  async forgetExpired(): Promise<void> {
    const before = new Date(Date.now() - KEEP_EXPIRED_MS);
    await this.transactions.run((tx) => tx.delete(Quote, { expiresAt: LessThan(before) }));
  }
}
