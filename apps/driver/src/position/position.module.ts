import { Module } from '@nestjs/common';
import { DispatchModule } from '../dispatch/dispatch.module.ts';
import { Fleet } from './fleet.ts';
import { PositionBuffer } from './position-buffer.ts';
import { PositionController } from './position.controller.ts';
import { PositionService } from './position.service.ts';
import { Supply } from './supply.ts';

@Module({
  imports: [DispatchModule],
  controllers: [PositionController],
  providers: [PositionBuffer, PositionService, Fleet, Supply],
})
export class PositionModule {}
