/**
 * Counts of positive values in logarithmic buckets (as DDSketch, Masson and
 * others, 2019): a quantile is off by 2.9 % at most, and counts of equal buckets
 * are added, so that parts of one story join without loss.
 *
 * Bucket `i` holds values above `edge(i)` up to `edge(i + 1)`. Four buckets make
 * a factor of 1.25, the default of `mirror_max_latency_ratio`: it is an edge.
 */
export interface LogCounts {
  /** The bucket that `counts` begins with. */
  readonly first: number;
  readonly counts: readonly number[];
}

const STEP = Math.log(1.25) / 4;

/** The lower end of bucket `i`. */
export function edge(i: number): number {
  return Math.exp(i * STEP);
}

/** The first bucket of which all values are above `value`. */
export function bucketAbove(value: number): number {
  // An edge is itself, whatever its logarithm was rounded to; 0 is not -0.
  return Math.ceil(Math.log(value) / STEP - 1e-9) + 0;
}

/** Buckets from the least to the greatest value that they may hold. */
export function bucketsBetween(least: number, greatest: number): number {
  return bucketAbove(greatest) - bucketAbove(least) + 1;
}

/** Counts while they grow. The caller bounds the values, and so the buckets. */
export class LogCounter {
  #first = 0;
  readonly #counts: number[] = [];

  /** Buckets that are kept. */
  get size(): number {
    return this.#counts.length;
  }

  /** @param value above 0, finite. */
  add(value: number): void {
    const bucket = bucketAbove(value) - 1;
    const counts = this.#counts;
    if (counts.length === 0) this.#first = bucket;
    while (bucket < this.#first) {
      counts.unshift(0);
      this.#first--;
    }
    while (bucket >= this.#first + counts.length) counts.push(0);
    (counts[bucket - this.#first] as number)++;
  }

  snapshot(): LogCounts {
    return { first: this.#first, counts: [...this.#counts] };
  }
}

/** Both together. */
export function addCounts(a: LogCounts, b: LogCounts): LogCounts {
  if (a.counts.length === 0) return b;
  if (b.counts.length === 0) return a;
  const first = Math.min(a.first, b.first);
  const end = Math.max(a.first + a.counts.length, b.first + b.counts.length);
  const counts = Array.from({ length: end - first }, (_, i) => {
    const bucket = first + i;
    return (a.counts[bucket - a.first] ?? 0) +
      (b.counts[bucket - b.first] ?? 0);
  });
  return { first, counts };
}

/** How many values there are. */
export function countOf({ counts }: LogCounts): number {
  return counts.reduce((sum, n) => sum + n, 0);
}

/** How many are in bucket `i` and above it, for any `i`. */
export function countsFrom(
  { first, counts }: LogCounts,
): (i: number) => number {
  const from = [...counts, 0];
  for (let i = counts.length - 1; i >= 0; i--) {
    (from[i] as number) += from[i + 1] as number;
  }
  return (i) => from[Math.max(0, i - first)] ?? 0;
}

/**
 * The value of a rank, counted from 1.
 *
 * @returns its bucket's middle; NaN if there are not so many.
 */
export function valueOfRank(
  { first, counts }: LogCounts,
  rank: number,
): number {
  let below = 0;
  for (const [i, count] of counts.entries()) {
    below += count;
    if (below >= rank && count > 0) return edge(first + i + 0.5);
  }
  return NaN;
}

/** @param q from 0 to 1. @returns NaN without values. */
export function quantileOf(of: LogCounts, q: number): number {
  return valueOfRank(of, Math.max(1, Math.ceil(q * countOf(of))));
}
