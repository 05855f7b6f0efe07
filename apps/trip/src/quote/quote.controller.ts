import { Authorize, CurrentPrincipal, type Principal } from '@cabstand/auth';
import { ApiAnswer, Idempotent } from '@cabstand/service-defaults';
import { Body, Controller, Post } from '@nestjs/common';
import { QuoteRequest, QuoteView } from './quote.dto.ts';
import { quotePolicy } from './quote.policy.ts';
import { QuoteService } from './quote.service.ts';

@Controller('v1/quotes')
export class QuoteController {
  constructor(private readonly quotes: QuoteService) {}

  /** What a ride would cost. The fare is held for this passenger until `expiresAt`. */
  @Post()
  @Authorize(quotePolicy, 'create')
  @Idempotent()
  @ApiAnswer(201, QuoteView)
  create(@CurrentPrincipal() me: Principal, @Body({ schema: QuoteRequest }) ride: QuoteRequest): Promise<QuoteView> {
    return this.quotes.quote(me, ride);
  }
}
