import type { GeoPoint } from '@cabstand/contracts';
import { PositionIndex } from '../../apps/driver/src/dispatch/position-index.ts';

/** A square of a large city, 30 km wide. */
const SOUTH_WEST = { lat: 52.38, lng: 13.18 };
const SIDE_DEG = { lat: 0.27, lng: 0.44 };
export const NEAREST = 5;
export const WITHIN_M = 8_000;

export const somewhere = (random: () => number): GeoPoint => ({
  lat: SOUTH_WEST.lat + SIDE_DEG.lat * random(),
  lng: SOUTH_WEST.lng + SIDE_DEG.lng * random(),
});

/** Where a car may be a few seconds later. */
export const nearby = ({ lat, lng }: GeoPoint, random: () => number): GeoPoint => ({
  lat: lat + (random() - 0.5) / 1_000,
  lng: lng + (random() - 0.5) / 1_000,
});

/** Drivers in the service's index. For each search one of them moves. */
export class City {
  readonly drivers: { id: string; at: GeoPoint }[];
  readonly #index = new PositionIndex();
  readonly #random: () => number;
  #turn = 0;

  constructor(ids: readonly string[], random: () => number) {
    this.#random = random;
    this.drivers = ids.map((id) => ({ id, at: somewhere(random) }));
    for (const { id, at } of this.drivers) this.#index.set(id, at, 1);
  }

  searchesPerS(durationMs: number): number {
    const startedAt = performance.now();
    let searches = 0;
    while (performance.now() < startedAt + durationMs)
      for (let i = 0; i < 100; i++, searches++) {
        this.#move();
        this.nearest(somewhere(this.#random));
      }
    return (searches * 1_000) / (performance.now() - startedAt);
  }

  /** µs, one by one. */
  searchTimes(count: number): number[] {
    return Array.from({ length: count }, () => {
      this.#move();
      const pickup = somewhere(this.#random);
      const startedAt = performance.now();
      this.nearest(pickup);
      return (performance.now() - startedAt) * 1_000;
    });
  }

  nearest(pickup: GeoPoint): string[] {
    return this.#index.nearest(pickup, NEAREST, WITHIN_M, 0).map(({ driverId }) => driverId);
  }

  #move(): void {
    const driver = this.drivers[this.#turn++ % this.drivers.length]!;
    driver.at = nearby(driver.at, this.#random);
    this.#index.set(driver.id, driver.at, 1);
  }
}
