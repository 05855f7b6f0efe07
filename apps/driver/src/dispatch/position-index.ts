import { EARTH_RADIUS_M, type GeoPoint } from '@cabstand/contracts';
import { boundingBox, type BoundingBox } from './geo.ts';

/** A driver's newest position. */
export interface Located {
  driverId: string;
  position: GeoPoint;
  atMs: number;
}

/** Few drivers share a cell even where half a million are in one city; where they are rare, cells don't matter much. */
const CELL_M = 125;
/** Where a search for the nearest begins; it doubles from there. */
const FIRST_REACH_M = 62.5;
const FIRST_CAPACITY = 1_024;
const NONE = -1;

const radians = (degrees: number) => (degrees * Math.PI) / 180;
const METRES_PER_DEGREE = radians(1) * EARTH_RADIUS_M;
const ROWS = Math.ceil((180 * METRES_PER_DEGREE) / CELL_M);
const rowOf = (lat: number) => Math.min(ROWS - 1, Math.max(0, Math.floor(((lat + 90) / 180) * ROWS)));
/** How many cells go around the earth in a row: cells are about as wide as they are high, so few at the poles. */
const columnsIn = (row: number) => {
  const middleLat = ((row + 0.5) / ROWS) * 180 - 90;
  return Math.max(1, Math.floor((360 * METRES_PER_DEGREE * Math.cos(radians(middleLat))) / CELL_M));
};
const columnOf = (lng: number, columns: number) =>
  Math.min(columns - 1, Math.max(0, Math.floor(((lng + 180) / 360) * columns)));
/** More than any row has, so that no two cells share a key. */
const COLUMNS = 2 ** 19;
const cellKey = (row: number, column: number) => row * COLUMNS + column;
/** As the crow flies through the earth, squared, on a sphere of radius 1: ascends with the distance over its surface. */
const squaredChord = (distanceM: number) => (2 * Math.sin(Math.min(Math.PI / 2, distanceM / EARTH_RADIUS_M / 2))) ** 2;

/**
 * Where drivers are, by place: a grid of cells around the earth. Drivers in one cell are chained; cells are found by
 * hash, for most of them are empty. Numbers are in typed arrays, a slot for each driver: half a million take 60 MB.
 */
export class PositionIndex {
  private readonly slots = new Map<string, number>();
  private readonly drivers: string[] = [];
  private lat!: Float64Array;
  private lng!: Float64Array;
  private atMs!: Float64Array;
  /** The position as a point on a sphere of radius 1, so that comparing distances takes no trigonometry. */
  private xyz!: Float64Array;
  private cell!: Float64Array;
  /** First slot of each bucket's chain, and each slot's neighbours in it. */
  private heads!: Int32Array;
  private next!: Int32Array;
  private previous!: Int32Array;

  constructor() {
    this.allocate(FIRST_CAPACITY);
  }

  get size(): number {
    return this.drivers.length;
  }

  get(driverId: string): Located | undefined {
    const slot = this.slots.get(driverId);
    return slot === undefined ? undefined : this.located(slot);
  }

  /** Puts the driver there, from wherever they were. */
  set(driverId: string, { lat, lng }: GeoPoint, atMs: number): void {
    let slot = this.slots.get(driverId);
    if (slot === undefined) {
      if (this.size === this.next.length) this.allocate(2 * this.size);
      slot = this.drivers.push(driverId) - 1;
      this.slots.set(driverId, slot);
      this.cell[slot] = NONE;
    }
    this.lat[slot] = lat;
    this.lng[slot] = lng;
    this.atMs[slot] = atMs;
    this.xyz.set(onSphere(lat, lng), 3 * slot);
    const row = rowOf(lat);
    const cell = cellKey(row, columnOf(lng, columnsIn(row)));
    if (cell === this.cell[slot]) return;
    if (this.cell[slot] !== NONE) this.unlink(slot);
    this.cell[slot] = cell;
    this.link(slot);
  }

  /** Forgets whoever was last heard of before that. */
  forgetBefore(atMs: number): void {
    for (let slot = this.size - 1; slot >= 0; slot--) if (this.atMs[slot]! < atMs) this.remove(slot);
  }

  /**
   * The `count` nearest who were heard of since then, none farther than `maxM`, in no order. Exact: a circle is
   * widened until that many are inside, and whoever is outside is farther away than all of them.
   */
  nearest(centre: GeoPoint, count: number, maxM: number, sinceMs: number): Located[] {
    for (let reachM = Math.min(FIRST_REACH_M, maxM); ; reachM = Math.min(2 * reachM, maxM)) {
      const found = this.within(centre, reachM, sinceMs);
      if (found.length < count && reachM < maxM) continue;
      if (found.length > count) found.sort((a, b) => a.chord - b.chord).length = count;
      return found.map(({ slot }) => this.located(slot));
    }
  }

  /** Everybody in the circle, and nobody else. */
  private within(centre: GeoPoint, radiusM: number, sinceMs: number): { slot: number; chord: number }[] {
    const { xyz, atMs } = this;
    const [x, y, z] = onSphere(centre.lat, centre.lng);
    // A tenth of a millimetre more, so that nobody on the edge is lost to rounding.
    const maxChord = squaredChord(radiusM + 0.0001);
    const found: { slot: number; chord: number }[] = [];
    const look = (slot: number) => {
      const at = 3 * slot;
      const chord = (xyz[at]! - x) ** 2 + (xyz[at + 1]! - y) ** 2 + (xyz[at + 2]! - z) ** 2;
      if (chord <= maxChord && atMs[slot]! >= sinceMs) found.push({ slot, chord });
    };
    // A circle of more cells than there are drivers, in the country or at a pole: look at the drivers instead.
    if ((2 * radiusM) / CELL_M > Math.sqrt(this.size)) for (let slot = 0; slot < this.size; slot++) look(slot);
    else this.lookThrough(boundingBox(centre, radiusM), look);
    return found;
  }

  private lookThrough({ south, north, lngs }: BoundingBox, look: (slot: number) => void): void {
    for (let row = rowOf(south); row <= rowOf(north); row++) {
      const columns = columnsIn(row);
      // At the antimeridian there are two ranges, half the earth apart: no cell is in both.
      for (const { from, to } of lngs) this.lookAlong(row, columnOf(from, columns), columnOf(to, columns), look);
    }
  }

  private lookAlong(row: number, from: number, to: number, look: (slot: number) => void): void {
    for (let column = from; column <= to; column++) {
      const key = cellKey(row, column);
      for (let slot = this.heads[this.bucketOf(key)]!; slot !== NONE; slot = this.next[slot]!)
        // Another cell's drivers may hang in the same bucket.
        if (this.cell[slot] === key) look(slot);
    }
  }

  private located(slot: number): Located {
    const position = { lat: this.lat[slot]!, lng: this.lng[slot]! };
    return { driverId: this.drivers[slot]!, position, atMs: this.atMs[slot]! };
  }

  /** The last slot takes the place of the one that goes. */
  private remove(slot: number): void {
    const last = this.size - 1;
    const driverId = this.drivers[last]!;
    const { position, atMs } = this.located(last);
    this.unlink(slot);
    this.slots.delete(this.drivers[slot]!);
    if (slot !== last) {
      this.unlink(last);
      this.slots.set(driverId, slot);
      this.drivers[slot] = driverId;
      this.cell[slot] = NONE;
    }
    this.drivers.pop();
    if (slot !== last) this.set(driverId, position, atMs);
  }

  private bucketOf(cell: number): number {
    // Multiplied by parts of the golden ratio: neighbours are spread, so that a city doesn't share few buckets.
    const row = Math.floor(cell / COLUMNS);
    const column = cell % COLUMNS;
    return ((Math.imul(row, 0x9e3779b1) ^ Math.imul(column, 0x85ebca6b)) >>> 0) & (this.heads.length - 1);
  }

  private link(slot: number): void {
    const bucket = this.bucketOf(this.cell[slot]!);
    const head = this.heads[bucket]!;
    this.next[slot] = head;
    this.previous[slot] = NONE;
    if (head !== NONE) this.previous[head] = slot;
    this.heads[bucket] = slot;
  }

  private unlink(slot: number): void {
    const [before, after] = [this.previous[slot]!, this.next[slot]!];
    if (before === NONE) this.heads[this.bucketOf(this.cell[slot]!)] = after;
    else this.next[before] = after;
    if (after !== NONE) this.previous[after] = before;
  }

  /** Makes room, a power of two, and chains whoever is there anew. */
  private allocate(capacity: number): void {
    const grown = (old: Float64Array | undefined, each = 1) => {
      const array = new Float64Array(each * capacity);
      if (old) array.set(old);
      return array;
    };
    this.lat = grown(this.lat);
    this.lng = grown(this.lng);
    this.atMs = grown(this.atMs);
    this.xyz = grown(this.xyz, 3);
    this.cell = grown(this.cell);
    this.heads = new Int32Array(2 * capacity).fill(NONE);
    this.next = new Int32Array(capacity);
    this.previous = new Int32Array(capacity);
    for (let slot = 0; slot < this.size; slot++) this.link(slot);
  }
}

function onSphere(lat: number, lng: number): [number, number, number] {
  const across = Math.cos(radians(lat));
  return [across * Math.cos(radians(lng)), across * Math.sin(radians(lng)), Math.sin(radians(lat))];
}
