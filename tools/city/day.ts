import type { GeoPoint } from '@cabstand/contracts';
import { offset } from './world.ts';

/** Part of the city: how many live and work there, and how many go out there at night, in shares of the city. */
interface Quarter {
  name: string;
  centre: GeoPoint;
  radiusM: number;
  homes: number;
  jobs: number;
  nightlife: number;
}

const QUARTERS: [Quarter, ...Quarter[]] = [
  { name: 'old town', centre: offset(100, 300), radiusM: 800, homes: 1, jobs: 4, nightlife: 4 },
  { name: 'station', centre: offset(1_300, -500), radiusM: 500, homes: 1, jobs: 3, nightlife: 2 },
  { name: 'offices', centre: offset(-1_700, -1_300), radiusM: 700, homes: 0.5, jobs: 5, nightlife: 0.5 },
  { name: 'riverside', centre: offset(-500, -900), radiusM: 600, homes: 1, jobs: 1, nightlife: 5 },
  { name: 'north', centre: offset(300, 2_100), radiusM: 1_000, homes: 4, jobs: 1, nightlife: 0.5 },
  { name: 'south', centre: offset(600, -2_300), radiusM: 1_000, homes: 4, jobs: 1, nightlife: 1 },
  { name: 'east', centre: offset(2_400, 600), radiusM: 900, homes: 3, jobs: 1, nightlife: 0.5 },
];

/** Trips wanted, hour by hour, as a share of the busiest: two rush hours, a lunch, a long evening, a short night. */
const DEMAND = [
  ...[0.45, 0.35, 0.25, 0.15, 0.12, 0.2, 0.45, 0.8, 1, 0.85, 0.6, 0.55],
  ...[0.65, 0.6, 0.55, 0.6, 0.75, 0.95, 1, 0.85, 0.75, 0.7, 0.65, 0.55],
];
/** A run begins in the morning rush hour: there is something to see at once. */
const FIRST_HOUR = 7.5;
const MS_PER_HOUR = 3_600_000;

/** Where people want to go, and how many of them, at an hour of the city's day. */
export class Day {
  readonly #speed: number;
  readonly #startedAtMs = performance.now();

  /** @param speed how many times faster than ours its clock goes */
  constructor(speed: number) {
    this.#speed = speed;
  }

  /** 0 to 24. */
  hour(): number {
    return (FIRST_HOUR + ((performance.now() - this.#startedAtMs) * this.#speed) / MS_PER_HOUR) % 24;
  }
}

/** The share of the busiest hour's trips that are wanted at an hour: between 0 and 1, without jumps. */
export function demandAt(hour: number): number {
  const [from, to] = [DEMAND[Math.floor(hour) % 24]!, DEMAND[Math.ceil(hour) % 24]!];
  return from + (to - from) * (hour % 1);
}

/** From where to where somebody wants to go: to work in the morning, home in the evening, out and home at night. */
export function tripAt(hour: number, random: () => number): { from: Quarter; to: Quarter } {
  const [leaving, going] = purposeAt(hour, random);
  return { from: quarterBy(leaving, random), to: quarterBy(going, random) };
}

type Purpose = 'homes' | 'jobs' | 'nightlife';

function purposeAt(hour: number, random: () => number): [Purpose, Purpose] {
  const isUsual = random() < 0.75;
  if (hour >= 5 && hour < 11) return isUsual ? ['homes', 'jobs'] : ['jobs', 'jobs'];
  if (hour >= 11 && hour < 16) return isUsual ? ['jobs', 'jobs'] : ['homes', 'jobs'];
  if (hour >= 16 && hour < 20) return isUsual ? ['jobs', 'homes'] : ['jobs', 'nightlife'];
  if (hour >= 20 && hour < 23) return isUsual ? ['homes', 'nightlife'] : ['nightlife', 'nightlife'];
  return isUsual ? ['nightlife', 'homes'] : ['nightlife', 'nightlife'];
}

/** More often the more there is of what is looked for. */
function quarterBy(purpose: Purpose, random: () => number): Quarter {
  let left = random() * QUARTERS.reduce((sum, quarter) => sum + quarter[purpose], 0);
  return QUARTERS.find((quarter) => (left -= quarter[purpose]) < 0) ?? QUARTERS[0];
}
