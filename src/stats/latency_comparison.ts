import { type LatencySketch, pairsOf, sumsOf } from "./latency_sketch.ts";
import { quantileOf, valueOfRank } from "./log_counts.ts";
import { binomialTail } from "./binomial.ts";

/** How the mirror's time compares with the primary's, over pairs of one statement. */
export interface LatencyComparison {
  /** Pairs that the figures rest on. */
  readonly pairs: number;
  /** Median of mirror time by primary time; null below two pairs. */
  readonly ratio: number | null;
  /** Its 95 % interval; null below six pairs. */
  readonly ratioLow: number | null;
  readonly ratioHigh: number | null;
  /** The mirror's median less the primary's, in seconds; null below two pairs. */
  readonly difference: number | null;
  /** Mirror time by primary time, in sum; null without a pair. */
  readonly totalRatio: number | null;
}

/** What a sketch shows. Values of buckets are off by 2.9 % at most. */
export function latencyComparison(sketch: LatencySketch): LatencyComparison {
  const pairs = pairsOf(sketch);
  const { primary, mirror } = sumsOf(sketch);
  const rank = medianRank(pairs);
  const at = (rank: number) => valueOfRank(sketch.ratios, rank);
  return {
    pairs,
    ratio: pairs < 2 ? null : quantileOf(sketch.ratios, 0.5),
    ratioLow: rank === 0 ? null : at(rank),
    ratioHigh: rank === 0 ? null : at(pairs + 1 - rank),
    difference: pairs < 2
      ? null
      : (quantileOf(sketch.mirror, 0.5) - quantileOf(sketch.primary, 0.5)) /
        1e6,
    totalRatio: pairs === 0 ? null : mirror / primary,
  };
}

/** Values beyond which the normal distribution gives the rank to one. */
const MANY = 100;

/**
 * The rank at which the median's 95 % interval begins: the greatest that leaves
 * at most 2.5 % below it (Conover, Practical Nonparametric Statistics).
 *
 * @returns 0 if there are too few values.
 */
export function medianRank(n: number): number {
  if (n > MANY) return Math.floor((n + 1 - 1.96 * Math.sqrt(n)) / 2);
  let rank = 0;
  while (binomialTail(n - rank, n, 0.5) <= 0.025) rank++;
  return rank;
}
