import {
  DROPPED,
  DURATION_BUCKETS,
  EXCLUDED,
  FAILED,
  LAG_BUCKETS,
  type MetricSpec,
  RESULTS,
} from "../../src/plugin/api.ts";

/** Positions of the `target` label. */
export const TARGETS = ["primary", "mirror"] as const;
export const Target = { primary: 0, mirror: 1 } as const;

/** The seed's four error categories, derived from the ledger. */
export const ERROR_TYPES = [
  "connection",
  "query",
  "timeout",
  "buffer_full",
] as const;

/** Positions of the last error's category; 0: none yet. */
export const LAST_ERROR_CATEGORIES = [
  "none",
  "connection",
  "timeout",
  "protocol",
  "internal",
  "query",
] as const;

/**
 * The ledger (docs/design.md). `mirror_requests_total` comes first: a
 * snapshot reads it last, so that the outcomes are never ahead of it.
 */
export const METRICS: readonly MetricSpec[] = [
  {
    name: "mirror_requests_total",
    help: "Transactions that finished on the primary",
    type: "counter",
    scope: "mirror",
    open: "mirror_pending_requests",
  },
  {
    name: "mirror_requests_excluded_total",
    help: "Transactions that were never meant to be replayed",
    type: "counter",
    scope: "mirror",
    label: { name: "reason", values: EXCLUDED },
  },
  {
    name: "mirror_requests_dropped_total",
    help: "Transactions that were shed before any byte went to the mirror",
    type: "counter",
    scope: "mirror",
    label: { name: "reason", values: DROPPED },
  },
  {
    name: "mirror_requests_mirrored_total",
    help: "Transactions that were replayed to their end",
    type: "counter",
    scope: "mirror",
  },
  {
    name: "mirror_requests_failed_total",
    help: "Transactions whose replay began and whose outcome is unknown",
    type: "counter",
    scope: "mirror",
    label: { name: "reason", values: FAILED },
  },
  {
    name: "mirror_pending_requests",
    help: "Transactions queued or in flight",
    type: "gauge",
    scope: "mirror",
    derive: (get) =>
      get("mirror_requests_total") - get("mirror_requests_excluded_total") -
      get("mirror_requests_dropped_total") -
      get("mirror_requests_mirrored_total") -
      get("mirror_requests_failed_total"),
  },
  {
    name: "mirror_statements_total",
    help:
      "Statements that the mirror answered, by the result of comparing them; those before a replay failed are among them",
    type: "counter",
    scope: "mirror",
    label: { name: "result", values: RESULTS },
  },
  {
    name: "mirror_compared_seconds_total",
    help: "Time of the primary for statements that were compared",
    type: "counter",
    scope: "mirror",
  },
  {
    name: "mirror_replayed_seconds_total",
    help:
      "Time of the primary for statements of replayed transactions that can be evidence: not BEGIN, COMMIT and the like, reads of catalogs, accepted differences",
    type: "counter",
    scope: "mirror",
  },
  {
    name: "mirror_replay_lag_seconds",
    help: "End of a replay minus the transaction's end on the primary",
    type: "histogram",
    scope: "mirror",
    buckets: LAG_BUCKETS,
  },
  {
    name: "mirror_errors_total",
    help: "Errors by type",
    type: "counter",
    scope: "mirror",
    label: { name: "type", values: ERROR_TYPES },
    derive: (get, type) => {
      switch (type) {
        case "connection":
          return get("mirror_requests_failed_total", "connection") +
            get("mirror_requests_failed_total", "protocol");
        case "query":
          return get("mirror_statements_total", "mismatch_error_on_mirror");
        case "timeout":
          return get("mirror_requests_failed_total", "timeout");
        default:
          return get("mirror_requests_dropped_total", "queue_full");
      }
    },
  },
  {
    name: "mirror_replays_with_errors_total",
    help:
      "Replayed transactions with a statement that failed on the mirror only, accepted or not",
    type: "counter",
    scope: "mirror",
  },
  {
    name: "mirror_replays_with_accepted_errors_total",
    help:
      "Those of them of which rules of [[ignore]] accepted all errors when they happened",
    type: "counter",
    scope: "mirror",
  },
  {
    name: "mirror_consecutive_errors",
    help:
      "Requests in a row that failed, found the mirror down or its queue full, or had a statement fail on the mirror only that no rule accepts",
    type: "gauge",
    scope: "mirror",
    aggregate: "max",
  },
  {
    name: "mirror_last_success_timestamp_seconds",
    help:
      "When a request was last replayed without an error of the mirror's own",
    type: "gauge",
    scope: "mirror",
    aggregate: "max",
  },
  {
    name: "mirror_last_error_timestamp_seconds",
    help:
      "When a request last failed, or a statement failed on the mirror only",
    type: "gauge",
    scope: "mirror",
    aggregate: "max",
  },
  {
    name: "mirror_last_error_category",
    help: "Position of the last error's category",
    type: "gauge",
    scope: "mirror",
    aggregate: "max",
    internal: true,
  },
  {
    name: "mirror_last_error_sqlstate",
    help:
      "SQLSTATE of the last error as a base 36 number, plus one; 0: it had none",
    type: "gauge",
    scope: "mirror",
    aggregate: "max",
    internal: true,
  },
  {
    name: "mirror_order_breaks_total",
    help:
      "Transactions that went ahead of one that committed before them, because waiting led nowhere",
    type: "counter",
    scope: "mirror",
  },
  {
    name: "mirror_given_rows_total",
    help: "Rows that were inserted with values that the primary had generated",
    type: "counter",
    scope: "mirror",
  },
  {
    name: "mirror_taken_rows_total",
    help:
      "Rows that a statement with SKIP LOCKED, or by a condition beside other writers, took on the primary, and the mirror was told to take",
    type: "counter",
    scope: "mirror",
  },
  {
    name: "mirror_log_missed_total",
    help:
      "Transactions of which the primary's log did not tell in time, or not for sure, what it had generated",
    type: "counter",
    scope: "mirror",
  },
  {
    name: "mirror_queue_length",
    help: "Transactions that wait in the queues of the mirror's lanes",
    type: "gauge",
    scope: "mirror",
    aggregate: "max",
  },
  {
    name: "mirror_queue_bytes",
    help: "Bytes that wait for the mirrors, over all clients",
    type: "gauge",
    scope: "process",
    aggregate: "max",
  },
  {
    name: "mirror_lag_seconds",
    help: "End of the last replay minus the transaction's end on the primary",
    type: "gauge",
    scope: "mirror",
    aggregate: "max",
  },
  {
    name: "statement_duration_seconds",
    help: "Time from a statement's last byte to ReadyForQuery",
    type: "histogram",
    scope: "mirror",
    label: { name: "target", values: TARGETS },
    buckets: DURATION_BUCKETS,
  },
  {
    name: "statement_duration_max_seconds",
    help: "Longest statement since the last RESET MIRROR_STATS",
    type: "gauge",
    scope: "mirror",
    aggregate: "max",
    windowed: true,
    label: { name: "target", values: TARGETS },
    internal: true,
  },
];
