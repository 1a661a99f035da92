import {
  addCounts,
  countOf,
  LogCounter,
  type LogCounts,
} from "./log_counts.ts";

/** Sums over pairs of one hour of the day, in seconds: of the times, their squares and products. */
export interface PairSums {
  readonly pairs: number;
  readonly primary: number;
  readonly mirror: number;
  readonly primarySquares: number;
  readonly mirrorSquares: number;
  readonly products: number;
}

/**
 * What both sides took for the pairs of one statement: all that its latency is
 * judged by. Sketches of one statement are added, whichever worker, run or
 * proxy they are of.
 */
export interface LatencySketch {
  /** Mirror time by primary time. */
  readonly ratios: LogCounts;
  /** Microseconds. */
  readonly primary: LogCounts;
  readonly mirror: LogCounts;
  /** By hour of the day (UTC), from 0 to 23: days of a window lie upon each other. */
  readonly hours: Readonly<Record<string, PairSums>>;
}

const NO_COUNTS: LogCounts = { first: 0, counts: [] };
const NO_SUMS: PairSums = {
  pairs: 0,
  primary: 0,
  mirror: 0,
  primarySquares: 0,
  mirrorSquares: 0,
  products: 0,
};
/** Of no pair. */
export const NO_SKETCH: LatencySketch = {
  ratios: NO_COUNTS,
  primary: NO_COUNTS,
  mirror: NO_COUNTS,
  hours: {},
};

/** Times below this are all the same: the clock and the loop are no better. */
export const LEAST_US = 50;
/** Times above an hour are an hour. */
export const GREATEST_US = 3_600_000_000;

const HOUR_MS = 3_600_000;
const BUCKET_BYTES = 8;
const HOUR_BYTES = 128;

/** A sketch while it grows; 1,300 buckets and 24 hours at the most, 14 KB. */
export class LatencySketcher {
  readonly #ratios = new LogCounter();
  readonly #primary = new LogCounter();
  readonly #mirror = new LogCounter();
  readonly #hours = new Map<
    number,
    { -readonly [K in keyof PairSums]: number }
  >();

  /** About what it holds. */
  get bytes(): number {
    const buckets = this.#ratios.size + this.#primary.size + this.#mirror.size;
    return buckets * BUCKET_BYTES + this.#hours.size * HOUR_BYTES;
  }

  /** Takes a pair. @param atMs since the epoch. */
  add(primaryUs: number, mirrorUs: number, atMs: number): void {
    const primary = clamped(primaryUs);
    const mirror = clamped(mirrorUs);
    this.#ratios.add(mirror / primary);
    this.#primary.add(primary);
    this.#mirror.add(mirror);
    const hour = Math.floor(atMs / HOUR_MS) % 24;
    let sums = this.#hours.get(hour);
    if (sums === undefined) this.#hours.set(hour, sums = { ...NO_SUMS });
    const p = primary / 1e6;
    const m = mirror / 1e6;
    sums.pairs++;
    sums.primary += p;
    sums.mirror += m;
    sums.primarySquares += p * p;
    sums.mirrorSquares += m * m;
    sums.products += p * m;
  }

  snapshot(): LatencySketch {
    return {
      ratios: this.#ratios.snapshot(),
      primary: this.#primary.snapshot(),
      mirror: this.#mirror.snapshot(),
      hours: Object.fromEntries(
        [...this.#hours].map(([hour, sums]) => [hour, { ...sums }]),
      ),
    };
  }
}

/** Both together. */
export function addSketches(a: LatencySketch, b: LatencySketch): LatencySketch {
  const hours: Record<string, PairSums> = { ...a.hours };
  for (const [hour, sums] of Object.entries(b.hours)) {
    const known = hours[hour];
    hours[hour] = known === undefined ? sums : addSums(known, sums);
  }
  return {
    ratios: addCounts(a.ratios, b.ratios),
    primary: addCounts(a.primary, b.primary),
    mirror: addCounts(a.mirror, b.mirror),
    hours,
  };
}

/** Pairs that a sketch is of. */
export function pairsOf({ ratios }: LatencySketch): number {
  return countOf(ratios);
}

/** The sums of all hours. */
export function sumsOf({ hours }: LatencySketch): PairSums {
  return Object.values(hours).reduce(addSums, NO_SUMS);
}

function addSums(a: PairSums, b: PairSums): PairSums {
  return {
    pairs: a.pairs + b.pairs,
    primary: a.primary + b.primary,
    mirror: a.mirror + b.mirror,
    primarySquares: a.primarySquares + b.primarySquares,
    mirrorSquares: a.mirrorSquares + b.mirrorSquares,
    products: a.products + b.products,
  };
}

function clamped(us: number): number {
  return Math.min(Math.max(us, LEAST_US), GREATEST_US);
}
