import { likelyCauses } from "./drift.ts";
import type { Evidence } from "./evidence.ts";
import {
  type LatencyFindings,
  latencyFindings,
  latencySentence,
} from "./latency_regressions.ts";
import type { Thresholds } from "./thresholds.ts";

export type Status = "pass" | "fail" | "insufficient";
export type State = "READY" | "NOT READY" | "INCONCLUSIVE";

/** The gates, in the order in which they are shown. */
export const GATES = [
  "error_rate",
  "latency",
  "latency_regressions",
  "runtime",
  "requests",
  "mismatch_rate",
  "statements",
  "coverage",
  "unknown",
  "consecutive_errors",
  "lag",
] as const;

/** One question of the verdict, answered. */
export interface Gate {
  readonly gate: typeof GATES[number];
  readonly status: Status;
  /** Null without a sample. */
  readonly observed: number | null;
  readonly limit: number;
  /** What the observation rests on. */
  readonly samples: number;
  /** For people. */
  readonly sentence: string;
}

/** The answer to "may the mirror take over?". */
export interface Verdict {
  readonly state: State;
  /** 0 to 100. */
  readonly score: number;
  readonly recommendation: string;
  /** The state, and what it is about if not all was tried on purpose, or something was unsafe: `READY for DDL only: 85.00 % of the requests were not tried`. */
  readonly headline: string;
  readonly gates: readonly Gate[];
  /** Why it can't be READY although no gate says so. */
  readonly reasons: readonly string[];
  /** What may stand behind the differences, of a verdict that is not READY. */
  readonly causes: readonly string[];
}

/** What a judge may know besides the evidence. */
export interface Knowledge {
  /** Default: found in the evidence's statements. */
  readonly latency?: LatencyFindings;
  /** More reasons why it can't be READY. */
  readonly reasons?: readonly string[];
  /** Where causes can be looked up. */
  readonly causes?: readonly string[];
}

/**
 * Judges the evidence. Pure. A gate that fails makes NOT READY: evidence
 * against outweighs evidence that is missing. READY takes every gate passed,
 * and comparing and counting switched on.
 */
export function assess(
  evidence: Evidence,
  thresholds: Thresholds,
  knowledge: Knowledge = {},
): Verdict {
  const gates = judgeGates(
    evidence,
    thresholds,
    knowledge.latency ?? latencyFindings(evidence.statements, thresholds),
  );
  const scope = scopeOf(evidence);
  const isDrifted = isDriftOpen(evidence, thresholds);
  const reasons = [
    ...(evidence.metricsEnabled ? [] : ["metrics are off"]),
    ...(evidence.compareMode === "rows"
      ? []
      : [`rows are not compared (mirror_compare = "${evidence.compareMode}")`]),
    ...(evidence.paused ? ["the mirror is paused"] : []),
    ...(evidence.seen > 0 ? [] : [
      evidence.clientsInTransaction === 0
        ? "there was no traffic"
        : `no transaction has ended, and ${evidence.clientsInTransaction} clients are idle in one`,
    ]),
    ...(scope === null || thresholds.scope === "partial" ? [] : [
      `it is about ${scope} (scope = "partial" in [plugins.readiness] accepts that)`,
    ]),
    ...(evidence.stalledSeconds <= thresholds.max_lag_seconds ? [] : [
      `${evidence.pending} requests are pending and none has found its outcome for ${
        Math.round(evidence.stalledSeconds)
      } s`,
    ]),
    ...(!isDrifted ? [] : [
      `differences that may come of values which the mirror made by itself say nothing of it: ${evidence.driftedMismatches}`,
    ]),
    ...(knowledge.reasons ?? []),
  ];
  const state = gates.some(({ status }) => status === "fail")
    ? "NOT READY"
    : reasons.length > 0 || gates.some(({ status }) => status !== "pass")
    ? "INCONCLUSIVE"
    : "READY";
  const score = scoreOf(gates, thresholds);
  return {
    state,
    score,
    recommendation: recommendationOf(state, score, isDrifted),
    headline: headlineOf(state, scope, unsafeOf(evidence)),
    gates,
    reasons,
    causes: state === "READY" ? [] : [
      ...likelyCauses(evidence.drift, isNoiseOpen(evidence, thresholds)),
      ...(knowledge.causes ?? []),
    ],
  };
}

/** Requests of this run that were not replayed since they are unsafe. */
function unsafeOf({ reasons }: Evidence): number {
  return reasons["excluded unsafe"] ?? 0;
}

/** What is unsafe does not bound a verdict, but is not hidden by it. */
function headlineOf(
  state: State,
  scope: string | null,
  unsafe: number,
): string {
  const requests = unsafe === 1 ? "1 request" : `${unsafe} requests`;
  if (scope === null) {
    return unsafe === 0
      ? state
      : `${state} for all but ${requests} excluded as unsafe`;
  }
  const besides = unsafe === 0
    ? ""
    : `; ${requests} ${unsafe === 1 ? "was" : "were"} excluded as unsafe`;
  return `${state} for ${scope}${besides}`;
}

/** Whether what may be drift would make a gate fail, if it were none. */
function isDriftOpen(e: Evidence, t: Thresholds): boolean {
  const mismatches = ratio(e.mismatches + e.driftedMismatches, e.compared);
  const errors = ratio(
    e.requestsWithErrors + e.driftedRequests,
    e.replayed + e.failed,
  );
  return e.driftedMismatches > 0 &&
    (e.driftedShapes > 0 || (mismatches ?? 0) > t.max_mismatch_rate ||
      (errors ?? 0) > t.maxErrorRate);
}

/** Whether noise keeps READY away. */
function isNoiseOpen(e: Evidence, t: Thresholds): boolean {
  const statements = ratio(e.compared, e.compared + e.uncompared) ?? 1;
  const time = ratio(e.comparedSeconds, e.replayedSeconds) ?? 1;
  return e.shapes.uncompared > 0 || Math.min(statements, time) < t.min_coverage;
}

/** What a verdict on these levels is about. */
const SUBJECTS: Readonly<Record<string, string>> = {
  ddl: "DDL only",
  dml: "transactions without DDL only",
  read: "transactions that only read",
};

/** What the verdict is about; null if all was tried that may be. */
export function scopeOf(
  { level, untried, seen, reasons }: Evidence,
): string | null {
  const share = ratio(untried, seen);
  if (share === null || share === 0) return null;
  const subject = SUBJECTS[level] ?? "a part of the traffic";
  const ruled = reasons["excluded rule"] ?? 0;
  const by = ruled === 0 ? "" : `, ${ruled} of them by rules of [[exclude]]`;
  return `${subject}: ${percent(share)} of the requests were not tried${by}`;
}

function judgeGates(
  e: Evidence,
  t: Thresholds,
  latency: LatencyFindings,
): Gate[] {
  const begun = e.replayed + e.failed;
  const settled = e.seen - e.untried - e.pending;
  const mismatchRate = ratio(e.mismatches, e.compared);
  const replayed = ratio(e.replayed, settled);
  // Of what the mirror was asked to do, so that no pause counts as its fault.
  const lost = ratio(e.dropped - e.withheld + e.failed, settled) ?? 0;
  const time = ratio(e.comparedSeconds, e.replayedSeconds);
  const statements = ratio(e.compared, e.compared + e.uncompared);
  const coverage = minimum([replayed, time, statements]);
  const found = e.shapes.different + e.shapes.uncompared;
  const besides = (count: number, what: string) =>
    count === 0 ? "" : ` ${count} ${what}.`;
  const others = besides(
    e.driftedMismatches,
    "that differ as well may come of values that the mirror made by itself",
  ) +
    besides(
      e.ignored,
      "that differ as well are accepted by rules of [[ignore]]",
    );
  const otherRequests = besides(
    e.driftedRequests,
    "more had an error that may come of values that the mirror made by itself",
  ) +
    besides(
      e.acceptedRequests,
      "more had an error that rules of [[ignore]] accept",
    );
  return [
    atMost(
      "error_rate",
      ratio(e.requestsWithErrors, begun),
      t.maxErrorRate,
      begun,
      (o, l) =>
        `${
          percent(o)
        } of the replayed requests failed, or had a statement fail on the mirror only; ${
          percent(l)
        } are allowed.${otherRequests}`,
    ),
    atMost(
      "latency",
      e.mirrorMeanMs,
      t.maxLatencyMs,
      e.mirrorStatements,
      (o, l) =>
        `A statement takes the mirror ${
          o.toFixed(2)
        } ms on average; ${l} ms are allowed.`,
    ),
    {
      ...atMost(
        "latency_regressions",
        latency.tested === 0 ? null : latency.slower,
        0,
        latency.tested,
        () => "",
      ),
      sentence: latencySentence(latency, t),
    },
    atLeast(
      "runtime",
      e.activeHours,
      t.minRuntimeHours,
      e.seen,
      (o, l) =>
        `${o.toFixed(2)} hours with traffic within ${
          e.observedHours.toFixed(2)
        } hours, since ${new Date(e.since).toISOString()}; ${l} are needed.`,
    ),
    atLeast(
      "requests",
      e.replayed,
      t.minRequests,
      e.replayed,
      (o, l) =>
        `${o} requests were replayed; ${l} are needed.${
          e.clientsInTransaction === 0
            ? ""
            : ` ${e.clientsInTransaction} clients are idle in a transaction, which counts when it ends.`
        }`,
    ),
    atMost(
      "mismatch_rate",
      mismatchRate,
      t.max_mismatch_rate,
      e.compared,
      (o, l) =>
        `${e.mismatches} of ${e.compared} compared statements (${
          percent(o)
        }) had another result on the mirror; ${
          percent(l)
        } are allowed.${others}`,
    ),
    {
      ...atMost(
        "statements",
        found,
        0,
        e.shapes.seen,
        () => statementsSentence(e),
      ),
      // What was never compared says nothing.
      ...(e.shapes.different === 0 && e.shapes.uncompared > 0
        ? { status: "insufficient" as const }
        : {}),
    },
    {
      ...atLeast(
        "coverage",
        coverage,
        t.min_coverage,
        settled,
        (o, l) =>
          `${percent(replayed ?? 0)} of the requests were replayed; of these, ${
            percent(statements ?? 0)
          } of the statements and ${
            percent(time ?? 0)
          } of the primary's time were compared (the lowest, ${
            percent(o)
          }, counts); ${percent(l)} are needed.${
            o >= l || e.withheld === 0
              ? ""
              : ` ${e.withheld} requests were withheld on purpose (PAUSE MIRROR, a stop, a mirror that was removed).`
          }${besides(unsafeOf(e), "requests were excluded as unsafe")}`,
      ),
      // What was lost speaks against the mirror; what was not asked of it, or could not be compared, says nothing.
      ...(lost > 1 - t.min_coverage ? { status: "fail" as const } : {}),
    },
    atMost(
      "unknown",
      ratio(e.failed, settled),
      t.max_unknown_rate,
      settled,
      (o, l) =>
        `${percent(o)} of the requests have an unknown outcome on the mirror; ${
          percent(l)
        } are allowed.`,
    ),
    atMost(
      "consecutive_errors",
      begun === 0 ? null : e.consecutiveErrors,
      t.errorThreshold - 1,
      begun,
      (o) =>
        `${o} requests in a row have failed on the mirror; ${t.errorThreshold} are an alarm.`,
    ),
    atMost(
      "lag",
      e.lagP99Seconds,
      t.max_lag_seconds,
      e.replayed,
      (o, l) =>
        `99 of 100 replays ended within ${
          o.toFixed(3)
        } s of the primary; ${l} s are allowed.`,
    ),
  ];
}

function statementsSentence(
  { shapes: { seen, different, uncompared }, named }: Evidence,
): string {
  if (different + uncompared === 0) {
    return `Each of ${seen} statements gave the primary's result at least once.`;
  }
  const list = (texts: readonly string[], all: number) =>
    texts.join("; ") + (all > texts.length ? "; …" : "");
  return [
    ...different === 0 ? [] : [
      `${different} of ${seen} statements give another result than the primary, in half of their calls or in more than chance explains: ${
        list(named.different, different)
      }`,
    ],
    ...uncompared === 0 ? [] : [
      `${uncompared} of ${seen} statements are not known to give the primary's result, for they were compared too seldom: ${
        list(named.uncompared, uncompared)
      }`,
    ],
  ].join(". ");
}

function atMost(
  gate: Gate["gate"],
  observed: number | null,
  limit: number,
  samples: number,
  sentence: (observed: number, limit: number) => string,
): Gate {
  if (observed === null || samples === 0) return unanswered(gate, limit);
  const status = observed <= limit ? "pass" : "fail";
  const text = sentence(observed, limit);
  return { gate, status, observed, limit, samples, sentence: text };
}

/** What only time can bring is insufficient below its limit, not failed. */
function atLeast(
  gate: Gate["gate"],
  observed: number | null,
  limit: number,
  samples: number,
  sentence: (observed: number, limit: number) => string,
): Gate {
  if (observed === null || samples === 0) return unanswered(gate, limit);
  const status = observed >= limit ? "pass" : "insufficient";
  const text = sentence(observed, limit);
  return { gate, status, observed, limit, samples, sentence: text };
}

function unanswered(gate: Gate["gate"], limit: number): Gate {
  const sentence = "There is nothing to judge by yet.";
  return {
    gate,
    status: "insufficient",
    observed: null,
    limit,
    samples: 0,
    sentence,
  };
}

/** From 100 down: what each gate that did not pass, or passed barely, takes off. */
function scoreOf(gates: readonly Gate[], t: Thresholds): number {
  let score = 100;
  for (const { gate, status, observed, limit } of gates) {
    const passed = status === "pass";
    const value = observed ?? 0;
    switch (gate) {
      case "error_rate":
        score -= !passed
          ? t.weight_error_rate
          : value > limit / 2
          ? t.weight_error_rate_half
          : 0;
        break;
      case "latency":
        score -= !passed
          ? t.weight_latency
          : value > limit * 0.75
          ? t.weight_latency_near
          : 0;
        break;
      case "runtime":
        score -= passed ? 0 : t.weight_runtime;
        break;
      case "requests":
        score -= !passed
          ? t.weight_requests
          : value < limit * 2
          ? t.weight_requests_near
          : 0;
        break;
      case "consecutive_errors":
        score -= passed ? 0 : t.weight_consecutive_errors;
        break;
      default:
        score -= passed ? 0 : t.weight_other_gate;
    }
  }
  return Math.max(0, score);
}

/** Of several verdicts, the one that all must live with. */
export function worstOf(verdicts: readonly Verdict[]): Verdict | undefined {
  return verdicts.toSorted((a, b) => badness(b) - badness(a))[0];
}

function badness({ state, score }: Verdict): number {
  const rank = state === "NOT READY" ? 2 : state === "INCONCLUSIVE" ? 1 : 0;
  return rank * 1_000 + 100 - score;
}

/** PgDog's plan: what to do with the score. */
function recommendationOf(
  state: State,
  score: number,
  isDrifted: boolean,
): string {
  if (state === "READY" && score >= 95) return "Safe to proceed";
  if (state === "READY" && score >= 80) return "Possible, with warnings";
  if (state === "INCONCLUSIVE") {
    return isDrifted
      ? "End the likely causes, then begin a new window"
      : "Keep observing: the evidence is not complete";
  }
  return score >= 60 ? "Address the issues first" : "Do not migrate";
}

function ratio(part: number, whole: number): number | null {
  return whole > 0 ? part / whole : null;
}

function minimum(values: readonly (number | null)[]): number | null {
  return values.includes(null) ? null : Math.min(...values as number[]);
}

function percent(value: number): string {
  return `${
    (value * 100).toFixed(value !== 0 && Math.abs(value) < 0.001 ? 4 : 2)
  } %`;
}
