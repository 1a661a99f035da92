import {
  type AdminColumn,
  type Cell,
  DROPPED,
  DURATION_BUCKETS,
  EXCLUDED,
  FAILED,
  type PluginContext,
  quantile,
  RESULTS,
  type SeriesSnapshot,
  type StatsSnapshot,
} from "../../src/plugin/api.ts";
import { ERROR_TYPES, LAST_ERROR_CATEGORIES, TARGETS } from "./metrics.ts";
import type { Totals, Window } from "./window.ts";

type Row = readonly Cell[];

const count = (name: string, help: string): AdminColumn => ({
  name,
  type: "int8",
  help,
});
const text = (name: string, help: string): AdminColumn => ({
  name,
  type: "text",
  help,
});

/** PgDog's columns first. */
export const MIRRORS_COLUMNS: readonly AdminColumn[] = [
  text("database", "Source database"),
  text("user", "User of the clients"),
  count("total_count", "Transactions that finished on the primary"),
  count("mirrored_count", "Replayed to their end"),
  count("dropped_count", "Shed before any byte went to the mirror"),
  count("error_count", "Errors of all four types"),
  count("queue_length", "Waiting in the queues of the mirror's lanes"),
  text("mirror", "Destination database"),
  count("excluded_count", "Never meant to be replayed"),
  count("failed_count", "Replay began, outcome unknown"),
  count("pending_count", "Queued or in flight"),
  text("state", "active, paused, or removed by a reload"),
];

/** One row for each mirror and user; a mirror without traffic has one too. */
export function mirrorRows(
  snapshot: StatsSnapshot,
  { mirrors, isPaused }: Pick<PluginContext, "mirrors" | "isPaused">,
): Row[] {
  const sum = (name: string) => sumByLabels(snapshot, name);
  const total = sum("mirror_requests_total");
  const mirrored = sum("mirror_requests_mirrored_total");
  const dropped = sum("mirror_requests_dropped_total");
  const errors = sum("mirror_errors_total");
  const queue = sum("mirror_queue_length");
  const excluded = sum("mirror_requests_excluded_total");
  const failed = sum("mirror_requests_failed_total");
  const pending = sum("mirror_pending_requests");
  const active = (snapshot.get("mirror_requests_total")?.series ?? [])
    .map(({ labels }) => labels);
  const silent = mirrors
    .filter(({ database, mirror }) =>
      !active.some((labels) =>
        labels.database === database && labels.mirror === mirror
      )
    ).map(({ database, mirror }): SeriesSnapshot["labels"] => ({
      database,
      mirror,
      user: "",
    }));
  const state = (labels: SeriesSnapshot["labels"]) => {
    const pair = mirrors.find(({ database, mirror }) =>
      labels.database === database && labels.mirror === mirror
    );
    return pair === undefined
      ? "removed"
      : isPaused(pair)
      ? "paused"
      : "active";
  };
  return [...active, ...silent].map((labels) => [
    labels.database ?? "",
    labels.user ?? "",
    total(labels),
    mirrored(labels),
    dropped(labels),
    errors(labels),
    queue(labels),
    labels.mirror ?? "",
    excluded(labels),
    failed(labels),
    pending(labels),
    state(labels),
  ]);
}

/** A metric by mirror and user, summed over its own label. */
function sumByLabels(snapshot: StatsSnapshot, name: string) {
  const key = ({ database, mirror, user }: SeriesSnapshot["labels"]) =>
    JSON.stringify([database, mirror, user]);
  const sums = new Map<string, number>();
  for (const { labels, value } of snapshot.get(name)?.series ?? []) {
    sums.set(key(labels), (sums.get(key(labels)) ?? 0) + value);
  }
  return (labels: SeriesSnapshot["labels"]) => sums.get(key(labels)) ?? 0;
}

/** The rows of SHOW MIRROR_STATS, the seed's first. */
export function statsRows(
  totals: Totals,
  general: PluginContext["general"],
): Row[] {
  const mirrored = totals.count("mirror_requests_mirrored_total");
  const latency = durations(totals, "mirror");
  const primary = durations(totals, "primary");
  const rows: [string, Cell][] = [
    ["requests_total", totals.count("mirror_requests_total")],
    ["requests_mirrored", mirrored],
    ["requests_dropped", totals.count("mirror_requests_dropped_total")],
    ...ERROR_TYPES.map((type): [string, Cell] => [
      `errors_${type}`,
      totals.count("mirror_errors_total", ["type", type]),
    ]),
    ["consecutive_errors", totals.gauge("mirror_consecutive_errors")],
    ["latency_avg_ms", latency.average],
    ["latency_max_ms", latency.maximum],
    ["error_rate", errorRate(totals)],
    ["latency_p50_ms", latency.p50],
    ["latency_p99_ms", latency.p99],
    ["primary_latency_avg_ms", primary.average],
    ["primary_latency_max_ms", primary.maximum],
    ["primary_latency_p50_ms", primary.p50],
    ["primary_latency_p99_ms", primary.p99],
    ["requests_pending", totals.gaugeSum("mirror_pending_requests")],
    ["requests_excluded", totals.count("mirror_requests_excluded_total")],
    ...byReason(totals, "excluded", EXCLUDED),
    ...byReason(totals, "dropped", DROPPED),
    ["requests_failed", totals.count("mirror_requests_failed_total")],
    ...byReason(totals, "failed", FAILED),
    ["statements_total", totals.count("mirror_statements_total")],
    ...RESULTS.map((result): [string, Cell] => [
      `statements_${result}`,
      totals.count("mirror_statements_total", ["result", result]),
    ]),
    ["order_breaks", totals.count("mirror_order_breaks_total")],
    ["given_rows", totals.count("mirror_given_rows_total")],
    ["taken_rows", totals.count("mirror_taken_rows_total")],
    ["log_missed", totals.count("mirror_log_missed_total")],
    ["queue_length", totals.gaugeSum("mirror_queue_length")],
    ["queue_bytes", totals.gauge("mirror_queue_bytes")],
    ["lag_ms", milliseconds(totals.gauge("mirror_lag_seconds"))],
    [
      "last_success",
      time(totals.gauge("mirror_last_success_timestamp_seconds")),
    ],
    ["last_error", time(totals.gauge("mirror_last_error_timestamp_seconds"))],
    ...lastError(totals),
    [
      "metrics",
      general.mirror_metrics_enabled === false
        ? "off: mirror_metrics_enabled is false"
        : "on",
    ],
  ];
  return rows.map((
    [name, value],
  ) => [name, value === null ? null : `${value}`]);
}

function byReason(
  totals: Totals,
  outcome: "excluded" | "dropped" | "failed",
  reasons: readonly string[],
): [string, Cell][] {
  return reasons.map((reason) => [
    `${outcome}_${reason}`,
    totals.count(`mirror_requests_${outcome}_total`, ["reason", reason]),
  ]);
}

/**
 * Requests that failed, or had a statement fail on the mirror only that no rule
 * accepted then, per request whose replay began. With none begun it is NULL, where counts and latencies are
 * 0: a rate of 0 is what people wait for, and nobody has seen it.
 */
function errorRate(totals: Totals): number | null {
  const failed = totals.count("mirror_requests_failed_total");
  const begun = failed + totals.count("mirror_requests_mirrored_total");
  if (begun === 0) return null;
  const errors = failed + totals.count("mirror_replays_with_errors_total") -
    totals.count("mirror_replays_with_accepted_errors_total");
  return round(errors / begun, 6);
}

function durations(totals: Totals, target: string) {
  const histogram = totals.histogram("statement_duration_seconds", [
    "target",
    target,
  ]);
  const none = histogram.count === 0;
  const at = (q: number) =>
    none ? 0 : milliseconds(quantile(histogram, DURATION_BUCKETS, q));
  return {
    average: none ? 0 : milliseconds(histogram.sum / histogram.count),
    maximum: milliseconds(
      totals.gauge("statement_duration_max_seconds", ["target", target]),
    ),
    p50: at(0.5),
    p99: at(0.99),
  };
}

/** Category and SQLSTATE of the series whose last error is the latest. */
function lastError(totals: Totals): [string, Cell][] {
  const { snapshot } = totals;
  const latest = (snapshot.get("mirror_last_error_timestamp_seconds")?.series ??
    [])
    .reduce<SeriesSnapshot | undefined>(
      (best, series) => series.value > (best?.value ?? 0) ? series : best,
      undefined,
    );
  const read = (name: string) =>
    snapshot.get(name)?.series.find(({ labels }) =>
      labels.database === latest?.labels.database &&
      labels.mirror === latest?.labels.mirror &&
      labels.user === latest?.labels.user
    )?.value ?? 0;
  const packed = latest ? read("mirror_last_error_sqlstate") : 0;
  return [
    [
      "last_error_category",
      LAST_ERROR_CATEGORIES[latest ? read("mirror_last_error_category") : 0] ??
        "none",
    ],
    [
      "last_error_sqlstate",
      packed === 0
        ? null
        : (packed - 1).toString(36).toUpperCase().padStart(5, "0"),
    ],
  ];
}

/** Columns of SHOW MIRROR_STATS_BY_DATABASE: the seed's first. */
export const STATS_BY_DATABASE_COLUMNS: readonly AdminColumn[] = [
  text("database", "Source database"),
  count("mirrored", "Replayed to their end"),
  count("errors", "Errors of all four types"),
  count("total", "Transactions that finished on the primary"),
  count("excluded", "Never meant to be replayed"),
  count("dropped", "Shed before any byte went to the mirror"),
  count("failed", "Replay began, outcome unknown"),
  count("pending", "Queued or in flight, now"),
  { name: "latency_avg_ms", type: "float8", help: "Mirror, average" },
  { name: "primary_latency_avg_ms", type: "float8", help: "Primary, average" },
];

/** One row for each source database that has a mirror. */
export function statsByDatabaseRows(
  window: Window,
  mirrors: PluginContext["mirrors"],
): Row[] {
  const databases = [...new Set(mirrors.map(({ database }) => database))];
  return databases.map((database) => {
    const totals = window.totals(database);
    return [
      database,
      totals.count("mirror_requests_mirrored_total"),
      totals.count("mirror_errors_total"),
      totals.count("mirror_requests_total"),
      totals.count("mirror_requests_excluded_total"),
      totals.count("mirror_requests_dropped_total"),
      totals.count("mirror_requests_failed_total"),
      totals.gaugeSum("mirror_pending_requests"),
      ...TARGETS.toReversed().map((target) =>
        durations(totals, target).average
      ),
    ];
  });
}

function milliseconds(seconds: number): number {
  return round(seconds * 1e3, 3);
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}

function time(seconds: number): string | null {
  return seconds === 0 ? null : new Date(seconds * 1e3).toISOString();
}
