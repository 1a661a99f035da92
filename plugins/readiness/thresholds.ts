import { z } from "zod";

/** What the verdict must be about; in metrics by position. */
const SCOPES = ["all", "partial"] as const;

/**
 * `[plugins.readiness]`: limits, and what the score loses. The limits that
 * PgDog's users know are in `[general]`; here are the rest, each with the reason
 * for its default.
 */
export const readinessSchema = z.strictObject({
  /** One statement in a thousand may differ: fewer can't be told from chance in a day's traffic. */
  max_mismatch_rate: z.number().min(0).max(1).default(0.001),
  /** "partial" accepts a verdict about a part of the traffic: what level and exposure leave out is not tried. */
  scope: z.enum(SCOPES).default("all"),
  /** Below it the evidence is about a part of the traffic only. */
  min_coverage: z.number().min(0).max(1).default(0.99),
  /** Requests whose outcome on the mirror nobody knows. */
  max_unknown_rate: z.number().min(0).max(1).default(0.001),
  /** A minute behind is a mirror that does not keep up. */
  max_lag_seconds: z.number().min(0).default(60),
  /** Pairs of one statement before its latency is judged. */
  min_pairs: z.int().min(2).default(30),
  /** A slower statement matters from this difference on: less is noise of the network. */
  min_difference_ms: z.number().min(0).default(2),
  /** A slower tail matters from this share of a statement's calls on; p95 has 0.05, and of as many calls one more or less is chance. */
  min_tail_share: z.number().min(0).max(1).default(0.02),
  /** Probability that an equal mirror is ever called slower in its window, over all statements and looks. */
  false_alarm_rate: z.number().gt(0).max(1).default(0.01),
  /** What the score loses. */
  weight_error_rate: z.number().min(0).default(30),
  weight_error_rate_half: z.number().min(0).default(10),
  weight_latency: z.number().min(0).default(20),
  weight_latency_near: z.number().min(0).default(5),
  weight_runtime: z.number().min(0).default(25),
  weight_requests: z.number().min(0).default(25),
  weight_requests_near: z.number().min(0).default(5),
  weight_consecutive_errors: z.number().min(0).default(10),
  weight_other_gate: z.number().min(0).default(10),
});

/** The limits that are in `[general]`. */
export interface GeneralLimits {
  readonly maxErrorRate: number;
  readonly maxLatencyMs: number;
  readonly minRuntimeHours: number;
  readonly minRequests: number;
  readonly errorThreshold: number;
  readonly maxLatencyRatio: number;
}

/** All that a verdict is judged by. */
export type Thresholds = z.output<typeof readinessSchema> & GeneralLimits;

/** Keys of `[general]` and what they are called here. */
const GENERAL_KEYS: Readonly<Record<string, keyof GeneralLimits>> = {
  mirror_max_error_rate: "maxErrorRate",
  mirror_max_latency_ms: "maxLatencyMs",
  mirror_min_runtime_hours: "minRuntimeHours",
  mirror_min_requests: "minRequests",
  mirror_error_threshold: "errorThreshold",
  mirror_max_latency_ratio: "maxLatencyRatio",
};

/** All limits and weights by their keys in the configuration. */
export const LIMIT_KEYS: readonly string[] = [
  ...Object.keys(GENERAL_KEYS),
  ...Object.keys(readinessSchema.shape),
];

/** @param key one of {@linkcode LIMIT_KEYS}. */
export function limitOf(thresholds: Thresholds, key: string): number {
  const name = GENERAL_KEYS[key] ?? key;
  const limit = thresholds[name as keyof Thresholds] ?? NaN;
  return typeof limit === "number" ? limit : SCOPES.indexOf(limit);
}

/**
 * The opposite of {@linkcode limitOf}.
 *
 * @returns undefined if one of the limits is missing.
 */
export function thresholdsFrom(
  limits: ReadonlyMap<string, number>,
): Thresholds | undefined {
  if (LIMIT_KEYS.some((key) => !Number.isFinite(limits.get(key)))) {
    return undefined;
  }
  return Object.fromEntries(
    LIMIT_KEYS.map((key) => [
      GENERAL_KEYS[key] ?? key,
      key === "scope" ? SCOPES[limits.get(key) ?? 0] : limits.get(key),
    ]),
  ) as unknown as Thresholds; // all of them: LIMIT_KEYS has every key
}
