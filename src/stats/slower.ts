import { logEvidence } from "./evidence.ts";
import {
  GREATEST_US,
  type LatencySketch,
  LEAST_US,
  pairsOf,
  type PairSums,
  sumsOf,
} from "./latency_sketch.ts";
import {
  bucketAbove,
  bucketsBetween,
  countsFrom,
  edge,
  quantileOf,
} from "./log_counts.ts";

/** From when on a statement counts as slower. */
export interface SlowerLimits {
  /** Mirror time by primary time. */
  readonly maxRatio: number;
  /** A slower statement matters from this difference on, in milliseconds. */
  readonly minDifferenceMs: number;
  /** Pairs before it is judged, in all and of an hour. */
  readonly minPairs: number;
  /** Share of the calls from which on a tail matters. */
  readonly minTailShare: number;
  /** Probability of a false alarm about one statement, over all looks. */
  readonly falseAlarm: number;
}

/** In what a statement is slower. Times are milliseconds. */
export type Slower =
  /** In the half of its calls. */
  | { readonly by: "median"; readonly ratio: number }
  /** More calls took the mirror longer than `mirrorMs` than the primary longer than `primaryMs`. */
  | {
    readonly by: "tail";
    readonly primaryMs: number;
    readonly primaryShare: number;
    readonly mirrorMs: number;
    readonly mirrorShare: number;
  }
  /** In the sum of its calls. */
  | { readonly by: "total"; readonly ratio: number }
  /** In the sum of its calls of an hour of the day (UTC). */
  | { readonly by: "hour"; readonly hour: number; readonly ratio: number };

/** What is asked of a statement; each question has its part of the false alarms. */
const QUESTIONS = 4;
/** Durations at which tails are compared. */
const EDGES = bucketsBetween(LEAST_US, GREATEST_US);
const HOURS = 24;

/**
 * Whether the mirror is slower at a statement, beyond chance and beyond the
 * limits: at its median, in its tail, in total, or in an hour of the day.
 *
 * No question assumes how times are spread. The median and the tail assume of a
 * mirror that is not slower that no pair, whatever came before it, is likelier
 * above than below; the total, that a pair's times, the mirror's divided by
 * `maxRatio`, may change places. Each is evidence that may be looked at after
 * every pair (`evidence.ts`). Pairs that are slow together, as in a checkpoint,
 * count one by one: then what passed the limits decides.
 *
 * @returns the first that applies; undefined if none does, or below `minPairs`.
 */
export function slower(
  sketch: LatencySketch,
  limits: SlowerLimits,
): Slower | undefined {
  if (pairsOf(sketch) < limits.minPairs) return undefined;
  const needed = Math.log(QUESTIONS / limits.falseAlarm);
  return slowerMedian(sketch, limits, needed) ??
    slowerTail(sketch, limits, needed) ??
    slowerTotal(sketch, limits, needed) ??
    slowerHour(sketch, limits, needed);
}

/** The sign test: pairs of which the mirror took longer than the limit allows. */
function slowerMedian(
  { ratios, primary, mirror }: LatencySketch,
  { maxRatio, minDifferenceMs }: SlowerLimits,
  needed: number,
): Slower | undefined {
  const from = countsFrom(ratios);
  const above = from(bucketAbove(maxRatio));
  const pairs = from(-Infinity);
  if (logEvidence(above, pairs, 0.5) < needed) return undefined;
  const differenceUs = quantileOf(mirror, 0.5) - quantileOf(primary, 0.5);
  if (differenceUs <= minDifferenceMs * 1e3) return undefined;
  return { by: "median", ratio: quantileOf(ratios, 0.5) };
}

/**
 * For each duration, calls that took the primary longer, and calls that took the
 * mirror longer than what is allowed for it. If the mirror is not slower, a call
 * of both together is as likely the primary's.
 */
function slowerTail(
  { primary, mirror }: LatencySketch,
  { maxRatio, minDifferenceMs, minTailShare }: SlowerLimits,
  needed: number,
): Slower | undefined {
  const onPrimary = countsFrom(primary);
  const onMirror = countsFrom(mirror);
  const pairs = onPrimary(-Infinity);
  let best = needed + Math.log(EDGES);
  let found: Slower | undefined;
  const end = mirror.first + mirror.counts.length;
  for (let at = bucketAbove(LEAST_US) - 1; at < end; at++) {
    const primaryUs = edge(at);
    const allowedUs = Math.max(
      primaryUs * maxRatio,
      primaryUs + minDifferenceMs * 1e3,
    );
    const bucket = bucketAbove(allowedUs);
    const ours = onPrimary(at);
    const theirs = onMirror(bucket);
    if (theirs - ours < minTailShare * pairs) continue;
    const evidence = logEvidence(theirs, theirs + ours, 0.5);
    if (evidence < best) continue;
    best = evidence;
    found = {
      by: "tail",
      primaryMs: primaryUs / 1e3,
      primaryShare: ours / pairs,
      mirrorMs: edge(bucket) / 1e3,
      mirrorShare: theirs / pairs,
    };
  }
  return found;
}

function slowerTotal(
  sketch: LatencySketch,
  limits: SlowerLimits,
  needed: number,
): Slower | undefined {
  const ratio = slowerSum(sumsOf(sketch), limits, needed);
  return ratio === undefined ? undefined : { by: "total", ratio };
}

function slowerHour(
  { hours }: LatencySketch,
  limits: SlowerLimits,
  needed: number,
): Slower | undefined {
  let found: Slower | undefined;
  let worst = 0;
  for (const [hour, sums] of Object.entries(hours)) {
    if (sums.pairs < limits.minPairs) continue;
    const ratio = slowerSum(sums, limits, needed + Math.log(HOURS));
    if (ratio === undefined || ratio <= worst) continue;
    worst = ratio;
    found = { by: "hour", hour: Number(hour), ratio };
  }
  return found;
}

/** @returns how many times the mirror's sum is the primary's; undefined if it is not slower. */
function slowerSum(
  sums: PairSums,
  { maxRatio, minDifferenceMs }: SlowerLimits,
  needed: number,
): number | undefined {
  const meanMs = (sums.mirror - sums.primary) / sums.pairs * 1e3;
  if (meanMs <= minDifferenceMs) return undefined;
  return logSumEvidence(sums, maxRatio) < needed
    ? undefined
    : sums.mirror / sums.primary;
}

/** By which a sum of differences is scaled, per second: for differences from 50 µs to an hour. */
const SCALES = Array.from({ length: 28 }, (_, i) => 2 ** (i - 13));

/**
 * Evidence that the mirror's sum is above `maxRatio` times the primary's. If a
 * pair's times may change places, its difference `d` is as likely `-d`, and
 * `exp(s d - s² d² / 2)` is at most 1 on average for each scale `s` (de la Peña,
 * 1999), as it is if the mirror is faster than that (Bercu and Touati, 2008).
 */
function logSumEvidence(sums: PairSums, maxRatio: number): number {
  const sum = sums.mirror / maxRatio - sums.primary;
  if (sum <= 0) return -Infinity;
  const squares = Math.max(
    sums.mirrorSquares / maxRatio ** 2 - 2 * sums.products / maxRatio +
      sums.primarySquares,
    // What it can't be below, were it not for rounding.
    sum ** 2 / sums.pairs,
  );
  const logs = SCALES.map((scale) => scale * sum - scale ** 2 * squares / 2);
  const most = Math.max(...logs);
  return most + Math.log(
    logs.reduce((total, log) => total + Math.exp(log - most), 0) /
      SCALES.length,
  );
}
