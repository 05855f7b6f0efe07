import { randomUUID } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { disagreements, knowledgeOf } from '../../apps/e2e/src/agreement.ts';
import { goOnlineAt, newDriver, newPassenger, type NewDriver, type NewPassenger } from '../../apps/e2e/src/people.ts';
import { freshPlace, type Place } from '../../apps/e2e/src/places.ts';
import { Platform, type PlatformOptions } from '../../apps/e2e/src/platform.ts';
import { OVER, type ServiceUrls, type Trip } from '../../tools/client/api.ts';
import { ApiError } from '../../tools/client/http.ts';
import type { ServiceName } from '@cabstand/contracts';
import { platformTallyOf, type PlatformTally } from './platform-tally.ts';
import type { Random } from './random.ts';
import { FOLDER } from './servers.ts';
import { bindTap } from './tap.ts';

/** What a ride goes through, each of it a call or a wait that a service may die in. */
export const STEPS = [
  'quote',
  'request',
  'search',
  'accept',
  'decline',
  'accepted',
  'arrive',
  'start',
  'complete',
  'cancel',
] as const;
export type Step = (typeof STEPS)[number];

export interface ServiceKill {
  service: ServiceName;
  step: Step;
  /** After the step has begun. */
  afterMs: number;
}

const ARRIVAL_TIMEOUT_MS = 60_000;
const CALL_TIMEOUT_MS = 4_000;
/** Whatever a kill waits for, it comes. */
const STEP_WITHIN_MS = 8_000;
/** What Node prints of an error that nobody caught, or the service when it has caught it. */
const CRASH = /^Node\.js v\d+|"event":"process\.uncaught-exception"/;
const STARTS = 5;
const READY_WITHIN_MS = 120_000;
const RESTS_WITHIN_MS = 240_000;
const SETTINGS = { DISPATCH_OFFER_TTL: '5s', DISPATCH_DEADLINE: '20s', LOG_LEVEL: 'warn' };

interface Pair {
  passenger: NewPassenger;
  driver: NewDriver;
  place: Place;
}

/** The real services, with people who ride through the public API, again and again, and put up with anything. */
export class Rides {
  readonly platform: Platform;
  /** Trips that were asked for until somebody answered, and what they were last said to be. */
  readonly promised = new Map<string, Trip['status']>();
  readonly #random: Random;
  readonly #riding: Promise<void>[] = [];
  #isOver = false;
  #awaited: { step: Step; reached: () => void } | undefined;

  private constructor(platform: Platform, random: Random) {
    this.platform = platform;
    this.#random = random;
  }

  static async start(pairs: number, random: Random, options: PlatformOptions = {}): Promise<Rides> {
    const platform = await Platform.start({ ...options, env: { ...SETTINGS, ...options.env } });
    const rides = new Rides(platform, random);
    try {
      await bindTap(platform.broker);
      for (let i = 0; i < pairs; i += 1) rides.#riding.push(rides.#keepRiding(await newPair(platform.urls)));
    } catch (error) {
      await rides.stop();
      throw error;
    }
    return rides;
  }

  /** kill -9 of a service in the middle of a step of somebody's ride, and a new start. Answers whether it was in time. */
  async kill({ service, step, afterMs }: ServiceKill): Promise<boolean> {
    const reached = new Promise<boolean>((resolve) => (this.#awaited = { step, reached: () => resolve(true) }));
    const isInStep = await Promise.race([reached, pause(STEP_WITHIN_MS, false)]);
    this.#awaited = undefined;
    await pause(afterMs);
    const [process] = this.platform.services[service];
    // As a supervisor does: another fault may well keep it from becoming ready.
    for (let attempt = 1, isUp = false; attempt <= STARTS && !isUp; attempt += 1) {
      await process.stop('SIGKILL');
      isUp = await process.start().then(
        () => true,
        () => false,
      );
    }
    return isInStep;
  }

  async untilReady(): Promise<void> {
    const deadline = Date.now() + READY_WITHIN_MS;
    for (const process of this.platform.processes()) {
      const isReady = async () => {
        const { status, body } = await process.readiness();
        return status === 200 && body.messaging === 'connected';
      };
      while (!(await isReady().catch(() => false))) {
        if (Date.now() > deadline) throw new Error(`${process.service} did not become ready again:\n${process.tail()}`);
        await pause(100);
      }
    }
  }

  /** Lets the rides come to their ends and everything to rest, and adds up. */
  async finish(): Promise<PlatformTally> {
    await this.untilReady();
    this.#isOver = true;
    await Promise.all(this.#riding);
    const deadline = Date.now() + RESTS_WITHIN_MS;
    let tally = await this.#tally(false);
    while (tally.disagreements + tally.stuck > 0 && Date.now() < deadline) {
      await pause(500);
      tally = await this.#tally(false);
    }
    return this.#tally(true);
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    mkdirSync(join(FOLDER, 'logs'), { recursive: true });
    for (const { service, log } of this.platform.processes())
      writeFileSync(join(FOLDER, 'logs', `${service}-service.log`), log.join('\n'));
    await this.platform.stop();
  }

  async #tally(withPublications: boolean): Promise<PlatformTally> {
    const knowledge = await knowledgeOf(this.platform);
    const complaints = disagreements(knowledge);
    const crashes = this.platform.log().filter((line) => CRASH.test(line)).length;
    const tally = await platformTallyOf(this.platform, withPublications);
    const broken = [...this.promised].filter(([id, status]) => knowledge.trips.get(id)?.status !== status);
    return {
      ...tally,
      tripsAskedFor: this.promised.size,
      trips: knowledge.trips.size,
      promisesBroken: broken.length + Math.abs(knowledge.trips.size - this.promised.size),
      disagreements: complaints.length,
      complaints,
      crashes,
    };
  }

  async #keepRiding(pair: Pair): Promise<void> {
    while (!this.#isOver) await this.#ride(pair);
  }

  async #ride(pair: Pair): Promise<void> {
    const { passenger, place } = pair;
    const plan = this.#random.pick(['ride', 'ride', 'ride', 'ride', 'cancel early', 'cancel late', 'decline'] as const);
    this.#at('quote');
    const quote = await this.#try(() => passenger.api.quote(place.pickup, place.dropoff));
    if (!quote) return;
    const id = await this.#request(passenger, quote.quoteId);
    if (!id) return;
    for (;;) {
      const trip = await this.#try(() => passenger.api.trip(id));
      if (trip) this.promised.set(id, trip.status);
      if (trip && OVER.includes(trip.status)) return;
      if (trip) await this.#goOn(trip, pair, plan);
    }
  }

  /** With one key until there is an answer: however often it is sent, it makes one trip. */
  async #request(passenger: NewPassenger, quoteId: string): Promise<string | undefined> {
    const key = randomUUID();
    for (;;) {
      this.#at('request');
      try {
        const { id, status } = await passenger.api.requestTrip(quoteId, key);
        this.promised.set(id, status);
        return id;
      } catch (error) {
        if (error instanceof ApiError && error.status < 500 && error.status !== 409 && error.status !== 429)
          return undefined;
        await pause(100);
      }
    }
  }

  async #goOn(trip: Trip, { passenger, driver, place }: Pair, plan: string): Promise<void> {
    const { id, status } = trip;
    switch (status) {
      case 'requested': {
        if (plan === 'cancel early' && this.#random.next() < 0.3) {
          this.#at('cancel');
          await this.#try(() => passenger.api.cancel(id));
          return;
        }
        this.#at('search');
        const offer = await this.#try(() => driver.api.offer());
        if (!offer) {
          await this.#try(() => goOnlineAt(driver.api, place.pickup));
          await pause(50);
          return;
        }
        const declines = plan === 'decline';
        this.#at(declines ? 'decline' : 'accept');
        await this.#try(() => (declines ? driver.api.decline(offer.offerId) : driver.api.accept(offer.offerId)));
        this.#at('accepted');
        return;
      }
      case 'accepted':
        this.#at(plan === 'cancel late' ? 'cancel' : 'arrive');
        await this.#try(() => (plan === 'cancel late' ? passenger.api.cancel(id) : driver.api.arrive(id)));
        return;
      case 'arrived':
        this.#at('start');
        await this.#try(() => driver.api.start(id));
        return;
      case 'in_progress':
        this.#at('complete');
        await this.#try(() => driver.api.complete(id));
        return;
      default:
        return;
    }
  }

  /** Undefined when there was no answer, or a refusal: the trip itself tells how it goes on. */
  async #try<T>(call: () => Promise<T>): Promise<T | undefined> {
    try {
      return await call();
    } catch {
      await pause(100);
      return undefined;
    }
  }

  #at(step: Step): void {
    if (this.#awaited?.step === step) this.#awaited.reached();
  }
}

async function newPair(urls: ServiceUrls): Promise<Pair> {
  const place = freshPlace();
  const call = { timeoutMs: ARRIVAL_TIMEOUT_MS };
  const [passenger, driver] = await Promise.all([newPassenger(urls, call), newDriver(urls, place.pickup, call)]);
  // Nothing was broken so far; from here on a call without an answer is given up on soon.
  call.timeoutMs = CALL_TIMEOUT_MS;
  return { passenger, driver, place };
}
