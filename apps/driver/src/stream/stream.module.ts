import { Module } from '@nestjs/common';
import { DriverStream } from './driver-stream.ts';
import { DriverStreamController } from './driver-stream.controller.ts';

@Module({ controllers: [DriverStreamController], providers: [DriverStream], exports: [DriverStream] })
export class StreamModule {}
