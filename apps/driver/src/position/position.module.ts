import { Module } from '@nestjs/common';
import { DispatchModule } from '../dispatch/dispatch.module.ts';
import { Fleet } from './fleet.ts';
import { PositionBuffer } from './position-buffer.ts';
import { PositionController } from './position.controller.ts';
import { PositionService } from './position.service.ts';

@Module({
  imports: [DispatchModule],
  controllers: [PositionController],
  providers: [PositionBuffer, PositionService, Fleet],
})
export class PositionModule {}
