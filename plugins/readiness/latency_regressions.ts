import {
  EVICTED,
  MAX_STATEMENTS,
  type Slower,
  slower,
  type StatementSummary,
} from "../../src/plugin/api.ts";
import type { Thresholds } from "./thresholds.ts";

/** What the comparison of latencies by statement came to. */
export interface LatencyFindings {
  /** Statements with pairs enough to be judged. */
  readonly tested: number;
  readonly slower: number;
  /** The slowest of those, and in what; null if there is none. */
  readonly worst: string | null;
  /** Statements with too few pairs, and those slower in total as chance may have it. */
  readonly unjudged: number;
  /** Some of those, the ones that took the primary longest; null if there is none. */
  readonly unjudgedNames: string | null;
}

/** Statements that a sentence names. */
const NAMES = 3;
/** Characters of a statement that a sentence has. */
const NAME_LENGTH = 80;

/** By sketch: few statements change between two looks. */
const judged = new WeakMap<
  StatementSummary["sketch"],
  { readonly limits: string; readonly found: Slower | undefined }
>();

/** In what the mirror is slower at a statement, beyond chance and the limits. */
export function slownessOf(
  { sketch }: StatementSummary,
  t: Thresholds,
): Slower | undefined {
  const limits = {
    maxRatio: t.maxLatencyRatio,
    minDifferenceMs: t.min_difference_ms,
    minPairs: t.min_pairs,
    minTailShare: t.min_tail_share,
    falseAlarm: t.false_alarm_rate / MAX_STATEMENTS,
  };
  const text = Object.values(limits).join(" ");
  const known = judged.get(sketch);
  if (known?.limits === text) return known.found;
  const found = slower(sketch, limits);
  judged.set(sketch, { limits: text, found });
  return found;
}

/** Whether a statement has pairs enough. */
export function isJudged(
  { latency }: StatementSummary,
  { min_pairs }: Thresholds,
): boolean {
  return latency.pairs >= min_pairs;
}

/** Whether it took the mirror longer in total than is allowed, which may still be chance. */
function mayBeSlower(
  { latency: { totalRatio }, primary, mirrorLatency }: StatementSummary,
  { maxLatencyRatio, min_difference_ms }: Thresholds,
): boolean {
  const calls = Math.min(primary.count, mirrorLatency.count);
  const difference = (mirrorLatency.sum - primary.sum) / Math.max(1, calls);
  return (totalRatio ?? 0) > maxLatencyRatio &&
    difference * 1e3 > min_difference_ms;
}

/** Judges each statement by itself. */
export function latencyFindings(
  statements: readonly StatementSummary[],
  t: Thresholds,
): LatencyFindings {
  const found: { summary: StatementSummary; slowness: Slower }[] = [];
  const unjudged: StatementSummary[] = [];
  for (const summary of statements) {
    // Of statements that were given up together no pairs are kept.
    if (!isJudged(summary, t)) {
      if (summary.fingerprint !== EVICTED) unjudged.push(summary);
      continue;
    }
    const slowness = slownessOf(summary, t);
    if (slowness !== undefined) found.push({ summary, slowness });
    else if (mayBeSlower(summary, t)) unjudged.push(summary);
  }
  const [worst] = found.toSorted((a, b) =>
    (b.summary.latency.totalRatio ?? 0) - (a.summary.latency.totalRatio ?? 0)
  );
  const names = unjudged.toSorted((a, b) => b.primary.sum - a.primary.sum)
    .slice(0, NAMES).map(({ text }) => shortened(text));
  return {
    tested: statements.filter((summary) => isJudged(summary, t)).length,
    slower: found.length,
    worst: worst === undefined
      ? null
      : `${worst.summary.text} (${slownessText(worst.slowness)})`,
    unjudged: unjudged.length,
    unjudgedNames: names.length === 0
      ? null
      : names.join(", ") + (unjudged.length > NAMES ? ", …" : ""),
  };
}

/** The gate's answer, for people. */
export function latencySentence(
  found: LatencyFindings,
  { maxLatencyRatio, min_pairs }: Thresholds,
): string {
  const { tested, worst, unjudged, unjudgedNames } = found;
  const verdict = tested === 0
    ? "No statement could be judged yet."
    : found.slower === 0
    ? `None of ${tested} statements is slower on the mirror by more than a factor of ${maxLatencyRatio}.`
    : `${found.slower} of ${tested} statements are slower on the mirror by more than a factor of ${maxLatencyRatio}, the worst: ${worst}.`;
  return unjudged === 0
    ? verdict
    : `${verdict} ${unjudged}, with fewer than ${min_pairs} pairs or slower within what chance may do, are not judged yet: ${unjudgedNames}.`;
}

/** In what a statement is slower, for people. */
export function slownessText(slowness: Slower): string {
  switch (slowness.by) {
    case "median":
      return `median ${slowness.ratio.toFixed(2)} times`;
    case "tail":
      return `more than ${time(slowness.mirrorMs)} in ${
        share(slowness.mirrorShare)
      } of the calls, the primary more than ${time(slowness.primaryMs)} in ${
        share(slowness.primaryShare)
      }`;
    case "total":
      return `${slowness.ratio.toFixed(2)} times in total`;
    case "hour":
      return `${slowness.ratio.toFixed(2)} times in total from ${
        String(slowness.hour).padStart(2, "0")
      }:00 to ${String(slowness.hour).padStart(2, "0")}:59 UTC`;
  }
}

function time(ms: number): string {
  return `${ms < 10 ? ms.toFixed(2) : Math.round(ms)} ms`;
}

function share(value: number): string {
  return `${(value * 100).toFixed(1)} %`;
}

function shortened(text: string): string {
  return text.length > NAME_LENGTH ? `${text.slice(0, NAME_LENGTH)}…` : text;
}
