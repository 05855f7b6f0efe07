import { Authorize, CurrentPrincipal, type Principal } from '@cabstand/auth';
import { ApiAnswer, ApiProblems } from '@cabstand/service-defaults';
import { Controller, Get, HttpCode, Param, Post, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { AnswerView, OfferId, OfferView } from './offer.dto.ts';
import { offerPolicy } from './offer.policy.ts';
import { OfferService } from './offer.service.ts';

@Controller()
export class OfferController {
  constructor(private readonly offers: OfferService) {}

  @Get('v1/drivers/me/offer')
  @Authorize(offerPolicy, 'read')
  @ApiAnswer(200, OfferView)
  @ApiAnswer(204, undefined, 'No offer is open')
  async current(@CurrentPrincipal() me: Principal, @Res({ passthrough: true }) reply: FastifyReply) {
    const offer = await this.offers.current(me);
    if (!offer) reply.status(204);
    return offer ?? undefined;
  }

  @Post('v1/offers/:offerId/accept')
  @HttpCode(200)
  @Authorize(offerPolicy, 'answer')
  @ApiAnswer(200, AnswerView)
  @ApiProblems('NOT_FOUND', 'OFFER_EXPIRED', 'OFFER_WITHDRAWN', 'OFFER_CLOSED')
  accept(@CurrentPrincipal() me: Principal, @Param('offerId', { schema: OfferId }) offerId: string) {
    return this.offers.answer(me, offerId, 'accept');
  }

  @Post('v1/offers/:offerId/decline')
  @HttpCode(200)
  @Authorize(offerPolicy, 'answer')
  @ApiAnswer(200, AnswerView)
  @ApiProblems('NOT_FOUND', 'OFFER_EXPIRED', 'OFFER_WITHDRAWN', 'OFFER_CLOSED')
  decline(@CurrentPrincipal() me: Principal, @Param('offerId', { schema: OfferId }) offerId: string) {
    return this.offers.answer(me, offerId, 'decline');
  }
}
