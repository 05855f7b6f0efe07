import { answerOf, asDriver, type Point } from '../api/client.ts';
import { serverNowMs } from '../api/server-clock.ts';
import { CITY_CENTRE, distanceM, headingDeg, offset, rounded, towards } from '../map/geometry.ts';

/** Where the driver's cab says that it is, and where that comes from. */
export interface CabState {
  at: Point;
  headingDeg: number | undefined;
  /** Why positions don't get through, for people. */
  trouble: string | null;
}

export type CabMode = 'simulated' | 'device';

const STEP_MS = 1_000;
/** Standing still has to be said now and then, or the driver counts as gone (`DISPATCH_POSITION_MAX_AGE`). */
const STANDING_REPORT_EVERY_MS = 6_000;
/** A page in the background is woken seldom: the cab doesn't jump for it. */
const LONGEST_STEP_MS = 3_000;
const SPEED_MPS = 40 / 3.6;
/** For who doesn't want to wait; still below what the driver service believes of a car. */
const FAST_SPEED_MPS = 75;
const KEY = 'cabstand.driver.cab';

/** Moves the cab, or follows the device, and reports where it is while it runs. */
export class Cab {
  #state: CabState = { at: whereLast(), headingDeg: undefined, trouble: null };
  #target: Point | null = null;
  #isFast = false;
  /** Following the device, and it doesn't say where it is. */
  #isLost = false;
  #steppedAtMs = 0;
  #reportedAtMs = 0;
  #listeners = new Set<() => void>();

  readonly getState = (): CabState => this.#state;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** Where to drive; null: nowhere. */
  driveTo(target: Point | null): void {
    this.#target = target;
  }

  driveFast(isFast: boolean): void {
    this.#isFast = isFast;
  }

  /** Runs until the signal. */
  run(mode: CabMode, signal: AbortSignal): void {
    this.#isLost = mode === 'device';
    if (this.#isLost) this.#followDevice(signal);
    this.#steppedAtMs = Date.now();
    const timer = setInterval(() => this.#step(mode), STEP_MS);
    signal.addEventListener('abort', () => clearInterval(timer));
    void this.#report();
  }

  #step(mode: CabMode): void {
    const nowMs = Date.now();
    const stepMs = Math.min(nowMs - this.#steppedAtMs, LONGEST_STEP_MS);
    this.#steppedAtMs = nowMs;
    const moved = mode === 'simulated' && this.#drive(stepMs / 1_000);
    if (moved || nowMs - this.#reportedAtMs >= STANDING_REPORT_EVERY_MS) void this.#report();
  }

  #drive(seconds: number): boolean {
    const { at } = this.#state;
    if (!this.#target || distanceM(at, this.#target) < 1) return false;
    const next = towards(at, this.#target, (this.#isFast ? FAST_SPEED_MPS : SPEED_MPS) * seconds);
    this.#set({ at: next, headingDeg: headingDeg(at, next) });
    return true;
  }

  #followDevice(signal: AbortSignal): void {
    const watch = navigator.geolocation.watchPosition(
      ({ coords }) => {
        const at = rounded({ lat: coords.latitude, lng: coords.longitude });
        this.#isLost = false;
        const isMoving = coords.heading !== null && !Number.isNaN(coords.heading);
        this.#set({ at, headingDeg: isMoving ? Math.floor(coords.heading! % 360) : undefined, trouble: null });
        if (Date.now() - this.#reportedAtMs >= STEP_MS) void this.#report();
      },
      () => {
        this.#isLost = true;
        this.#set({ trouble: 'This device does not say where it is. Allow it, or simulate driving instead.' });
      },
      { enableHighAccuracy: true },
    );
    signal.addEventListener('abort', () => navigator.geolocation.clearWatch(watch));
  }

  async #report(): Promise<void> {
    // Where the cab was last is not where it is.
    if (this.#isLost) return;
    this.#reportedAtMs = Date.now();
    const { at, headingDeg: heading } = this.#state;
    const moving = heading === undefined ? {} : { headingDeg: heading };
    const points = [{ ...at, at: new Date(serverNowMs()).toISOString(), ...moving }];
    try {
      await answerOf(asDriver.accounts.POST('/v1/drivers/me/positions', { body: { points } }));
      this.#tell(null);
    } catch {
      // The next report says it all again.
      this.#tell('Your position does not get through: reconnecting…');
    }
  }

  /** How a report went, which says nothing of a device that has fallen silent since. */
  #tell(trouble: string | null): void {
    if (!this.#isLost && trouble !== this.#state.trouble) this.#set({ trouble });
  }

  #set(news: Partial<CabState>): void {
    this.#state = { ...this.#state, ...news };
    if (news.at) sessionStorage.setItem(KEY, JSON.stringify(news.at));
    for (const listener of this.#listeners) listener();
  }
}

/** Where the cab stood before a reload, or somewhere in the city. */
function whereLast(): Point {
  const written = sessionStorage.getItem(KEY);
  if (written !== null) return JSON.parse(written) as Point;
  const angle = Math.random() * 2 * Math.PI;
  return offset(CITY_CENTRE, 700 * Math.cos(angle), 700 * Math.sin(angle));
}
