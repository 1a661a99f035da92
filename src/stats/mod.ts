/**
 * The stats registry: what is counted, where, and how it is read. Hot paths
 * write cells of a stripe of their own; readers take snapshots.
 *
 * @module
 */

export { DURATION_BUCKETS, LAG_BUCKETS } from "./durations.ts";
export {
  type LatencyComparison,
  latencyComparison,
} from "./latency_comparison.ts";
export {
  addSketches,
  type LatencySketch,
  LatencySketcher,
  NO_SKETCH,
  pairsOf,
  sumsOf,
} from "./latency_sketch.ts";
export { type Difference, fits, type IgnoreRule, isInForce } from "./ignore.ts";
export {
  type ExcludeRule,
  excludeRuleText,
  type Exclusion,
  ExclusionCounts,
  ExclusionStore,
} from "./exclusions.ts";
export * from "./ledger.ts";
export type { StatsLayout } from "./layout.ts";
export { quantile } from "./quantile.ts";
export { Registry } from "./registry.ts";
export type {
  HistogramSnapshot,
  MetricSnapshot,
  SeriesSnapshot,
  StatsSnapshot,
} from "./snapshot.ts";
export { difference } from "./snapshot_difference.ts";
export type { LabelSet, MetricSpec, Scope } from "./spec.ts";
export { HistogramHandle } from "./histogram.ts";
export { MaximumHandle } from "./maximum.ts";
export { Stripe } from "./stripe.ts";
export {
  activeMs,
  observedMs,
  type TrafficHour,
  TrafficHours,
} from "./traffic_hours.ts";
export {
  type EndedWindow,
  EvidenceWindow,
  type WindowStart,
} from "./window.ts";
export {
  type ChanceColumn,
  chanceColumnName,
  ChanceColumnStore,
} from "./chance_columns.ts";
export {
  type DriftCount,
  EVICTED,
  type Example,
  MAX_STATEMENTS,
  type MismatchCount,
  type Outcome,
  type StatementChanges,
  StatementStore,
  type StatementSummary,
  withoutValues,
} from "./statements.ts";
export { type Slower, slower, type SlowerLimits } from "./slower.ts";
export { isSystematic, MISMATCH_SHARE } from "./systematic.ts";
