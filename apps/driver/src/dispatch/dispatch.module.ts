import { Module } from '@nestjs/common';
import { StreamModule } from '../stream/stream.module.ts';
import { DispatchService } from './dispatch.service.ts';
import { DriversFreed } from './drivers-freed.ts';
import { Matching } from './matching.ts';
import { OfferController } from './offer.controller.ts';
import { OfferService } from './offer.service.ts';
import { Sweep } from './sweep.ts';

@Module({
  imports: [StreamModule],
  controllers: [OfferController],
  providers: [DispatchService, DriversFreed, Matching, OfferService, Sweep],
  exports: [DispatchService, DriversFreed],
})
export class DispatchModule {}
