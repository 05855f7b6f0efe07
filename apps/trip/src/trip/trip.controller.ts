import { Authorize, CurrentPrincipal, type Principal } from '@cabstand/auth';
import {
  ApiAccessReason,
  ApiAnswer,
  ApiProblems,
  ApiStream,
  Idempotent,
  pageOf,
  PageQuery,
  type Page,
} from '@cabstand/service-defaults';
import { Body, Controller, Get, HttpCode, Param, Post, Query, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { Cancellation, RatingRequest, RatingView, TripId, TripRequest, TripView } from './trip.dto.ts';
import { tripPolicy } from './trip.policy.ts';
import { TripService } from './trip.service.ts';
import { TripStreams } from './trip.streams.ts';

@Controller('v1/trips')
export class TripController {
  constructor(
    private readonly trips: TripService,
    private readonly streams: TripStreams,
  ) {}

  /** Requests a ride at the fare of a quote. */
  @Post()
  @Authorize(tripPolicy, 'create')
  @Idempotent()
  @ApiAnswer(201, TripView)
  @ApiProblems('ACCOUNT_SUSPENDED', 'NOT_FOUND', 'QUOTE_USED', 'QUOTE_EXPIRED', 'TRIP_ALREADY_ACTIVE')
  request(
    @CurrentPrincipal() me: Principal,
    @Body({ schema: TripRequest }) { quoteId }: TripRequest,
  ): Promise<TripView> {
    return this.trips.request(me, quoteId);
  }

  /** One's own trips, an operator's are all of them; newest first. */
  @Get()
  @Authorize(tripPolicy, 'read')
  @ApiAccessReason()
  @ApiAnswer(200, pageOf(TripView))
  list(@CurrentPrincipal() me: Principal, @Query({ schema: PageQuery }) query: PageQuery): Promise<Page<TripView>> {
    return this.trips.list(me, query);
  }

  @Get(':id')
  @Authorize(tripPolicy, 'read')
  @ApiAccessReason()
  @ApiAnswer(200, TripView)
  @ApiProblems('NOT_FOUND')
  get(@CurrentPrincipal() me: Principal, @Param('id', { schema: TripId }) id: string): Promise<TripView> {
    return this.trips.get(me, id);
  }

  /** By either side, until the passenger is on board. */
  @Post(':id/cancel')
  @HttpCode(200)
  @Authorize(tripPolicy, 'cancel')
  @ApiAnswer(200, TripView)
  @ApiProblems('NOT_FOUND', 'TRIP_TRANSITION_INVALID')
  cancel(
    @CurrentPrincipal() me: Principal,
    @Param('id', { schema: TripId }) id: string,
    @Body({ schema: Cancellation }) body: Cancellation,
  ): Promise<TripView> {
    return this.trips.cancel(me, id, body?.reason);
  }

  /** The driver stands at the pickup. */
  @Post(':id/arrive')
  @HttpCode(200)
  @Authorize(tripPolicy, 'arrive')
  @ApiAnswer(200, TripView)
  @ApiProblems('NOT_FOUND', 'TRIP_TRANSITION_INVALID')
  arrive(@CurrentPrincipal() me: Principal, @Param('id', { schema: TripId }) id: string): Promise<TripView> {
    return this.trips.arrive(me, id);
  }

  /** The passenger is on board. */
  @Post(':id/start')
  @HttpCode(200)
  @Authorize(tripPolicy, 'start')
  @ApiAnswer(200, TripView)
  @ApiProblems('NOT_FOUND', 'TRIP_TRANSITION_INVALID')
  start(@CurrentPrincipal() me: Principal, @Param('id', { schema: TripId }) id: string): Promise<TripView> {
    return this.trips.start(me, id);
  }

  /** The passenger is where they wanted to go. */
  @Post(':id/complete')
  @HttpCode(200)
  @Authorize(tripPolicy, 'complete')
  @ApiAnswer(200, TripView)
  @ApiProblems('NOT_FOUND', 'TRIP_TRANSITION_INVALID')
  complete(@CurrentPrincipal() me: Principal, @Param('id', { schema: TripId }) id: string): Promise<TripView> {
    return this.trips.complete(me, id);
  }

  /** Each side rates the other, once, after a completed trip. */
  @Post(':id/rating')
  @Authorize(tripPolicy, 'rate')
  @Idempotent()
  @ApiAnswer(201, RatingView)
  @ApiProblems('NOT_FOUND', 'TRIP_NOT_RATEABLE', 'TRIP_ALREADY_RATED')
  rate(
    @CurrentPrincipal() me: Principal,
    @Param('id', { schema: TripId }) id: string,
    @Body({ schema: RatingRequest }) rating: RatingRequest,
  ): Promise<RatingView> {
    return this.trips.rate(me, id, rating);
  }

  /**
   * Server-sent events: `trip` with the trip as it became, numbered for `Last-Event-ID`, and `driver-position`
   * while a driver is on it. Starts with the current state; after the trip's end it stays open and silent.
   */
  @Get(':id/events')
  @Authorize(tripPolicy, 'read')
  @ApiAccessReason()
  @ApiStream('`trip` and `driver-position` events')
  @ApiProblems('NOT_FOUND')
  events(
    @CurrentPrincipal() me: Principal,
    @Param('id', { schema: TripId }) id: string,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    return this.streams.follow(me, id, reply);
  }
}
