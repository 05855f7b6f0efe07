import { TripCancelled, TripCompleted, TripRated, TripRequested, TripUnfulfilled } from '@cabstand/contracts';
import { eventually } from '@cabstand/testing';
import { Controller, type Type } from '@nestjs/common';
import { Ctx, EventPattern, Payload } from '@nestjs/microservices';
import type { EntityManager } from 'typeorm';
import { Delivery, Inbox, SET_BASED } from '../src/index.ts';
import {
  createPair,
  deadLettersOf,
  effectsOf,
  publish,
  queueDepth,
  tripRequested,
  type Pair,
  type Service,
} from './service.ts';

let pair: Pair;
let trip: Service;
const QUEUE = 'passenger.trip-events';

beforeAll(async () => {
  pair = await createPair();
  trip = await pair.startTrip();
});
afterAll(() => pair.drop());

type Ids = string[];

/** Notes all fresh events in one statement; the calls are listed with what they were given and what was fresh of it. */
function setBasedHandlers(calls: { given: Ids; fresh: Ids }[], handle?: (fresh: Ids, tx: EntityManager) => void): Type {
  @Controller()
  class TripEventsController {
    constructor(private readonly inbox: Inbox) {}

    @EventPattern<string>(TripRequested.type, SET_BASED)
    async onTripsRequested(
      @Payload() trips: TripRequested[],
      @Ctx() requested: Delivery<TripRequested>[],
    ): Promise<void> {
      expect(requested.map(({ payload }) => payload)).toEqual(trips);
      const call = { given: requested.map(({ envelope }) => envelope.id), fresh: [] as Ids };
      calls.push(call);
      await this.inbox.onceEach(requested, async (tx, fresh) => {
        call.fresh = fresh.map(({ envelope }) => envelope.id);
        await tx.query('INSERT INTO effects SELECT unnest($1::uuid[]), $2', [call.fresh, TripRequested.type]);
        handle?.(call.fresh, tx);
      });
    }

    @EventPattern([TripCompleted, TripCancelled, TripUnfulfilled, TripRated].map(({ type }) => type))
    ignore(): void {
      throw new Error('nobody publishes these here');
    }
  }
  return TripEventsController;
}

async function backlog(size: number): Promise<Ids> {
  const ids = await Promise.all(Array.from({ length: size }, () => publish(trip, tripRequested())));
  await eventually(async () => expect(await queueDepth(pair.broker, QUEUE)).toBe(size));
  return ids;
}

async function expectEffectsOnce(passenger: Service, ids: Ids): Promise<void> {
  await eventually(async () => {
    const effects = (await effectsOf(passenger)).filter((id) => ids.includes(id));
    expect(effects.toSorted()).toEqual(ids.toSorted());
  });
}

it('gives a set-based handler all events that wait, and each has its effect once', async () => {
  const calls: { given: Ids; fresh: Ids }[] = [];
  const ids = await backlog(120);
  const passenger = await pair.startPassenger(undefined, { controllers: [setBasedHandlers(calls)] });
  await expectEffectsOnce(passenger, ids);
  expect(calls.length).toBeLessThan(30);
  expect(calls.flatMap(({ given }) => given).toSorted()).toEqual(ids.toSorted());
  await passenger.stop();
  expect(await queueDepth(pair.broker, QUEUE)).toBe(0);
});

it('calls it at once for an event that comes alone, and not again with what had its effect', async () => {
  const calls: { given: Ids; fresh: Ids }[] = [];
  const passenger = await pair.startPassenger(undefined, { controllers: [setBasedHandlers(calls)] });
  const id = await publish(trip);
  await expectEffectsOnce(passenger, [id]);
  expect(calls).toEqual([{ given: [id], fresh: [id] }]);
  await passenger.stop();

  // Its own inbox knows the first of them before they are handled.
  const [known, ...ids] = await backlog(20);
  await pair.passengerQuery('INSERT INTO inbox (message_id) VALUES ($1)', [known]);
  const again = await pair.startPassenger(undefined, { controllers: [setBasedHandlers(calls)] });
  await expectEffectsOnce(again, ids);
  await again.stop();
  expect(calls.flatMap(({ fresh }) => fresh)).not.toContain(known);
  expect(await queueDepth(pair.broker, QUEUE)).toBe(0);
});

it('handles each event on its own once a set has failed, so that a poison event is retried alone', async () => {
  const calls: { given: Ids; fresh: Ids }[] = [];
  const [poison, ...ids] = await backlog(40);
  const fail = (fresh: Ids) => {
    if (fresh.includes(poison!)) throw new Error('always');
  };
  const passenger = await pair.startPassenger(undefined, { controllers: [setBasedHandlers(calls, fail)] });
  await expectEffectsOnce(passenger, ids);
  await eventually(async () => expect(await deadLettersOf(passenger)).toMatchObject([{ message_id: poison }]));
  expect(await effectsOf(passenger)).not.toContain(poison);
  // With the set that failed and once alone, or in a set that didn't fail; never a further time.
  for (const id of ids) expect(calls.filter(({ given }) => given.includes(id)).length).toBeLessThanOrEqual(2);
  await passenger.stop();
  expect(await queueDepth(pair.broker, QUEUE)).toBe(0);
});
