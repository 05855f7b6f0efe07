import { Module } from '@nestjs/common';
import { StreamModule } from '../stream/stream.module.ts';
import { DispatchService } from './dispatch.service.ts';
import { DriversFreed } from './drivers-freed.ts';
import { KnownPositions } from './known-positions.ts';
import { Matching } from './matching.ts';
import { OfferController } from './offer.controller.ts';
import { OfferService } from './offer.service.ts';
import { Sweep } from './sweep.ts';

@Module({
  imports: [StreamModule],
  controllers: [OfferController],
  providers: [DispatchService, DriversFreed, KnownPositions, Matching, OfferService, Sweep],
  exports: [DispatchService, DriversFreed, KnownPositions],
})
export class DispatchModule {}
