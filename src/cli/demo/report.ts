import {
  DROPPED,
  EXCLUDED,
  FAILED,
  quantile,
  type StatsSnapshot,
} from "../../stats/mod.ts";

type Counts = Readonly<Record<string, number>>;

/** Milliseconds; null without a statement. */
export interface Latency {
  readonly p50: number | null;
  readonly p99: number | null;
}

/** What `demo --json` prints. */
export interface DemoReport {
  readonly primary: { readonly version: string };
  readonly mirror: { readonly version: string };
  readonly requests: {
    readonly seen: number;
    /** By reason, like the others. */
    readonly excluded: Counts;
    readonly dropped: Counts;
    readonly replayed: number;
    readonly failed: Counts;
    readonly pending: number;
  };
  readonly errors: {
    readonly connection: number;
    readonly query: number;
    readonly timeout: number;
    readonly buffer_full: number;
  };
  readonly latency_ms: {
    readonly primary: Latency;
    readonly mirror: Latency;
  };
}

/** The ledger of all mirrors together, from one snapshot. */
export function reportOf(
  snapshot: StatsSnapshot,
  versions: { readonly primary: string; readonly mirror: string },
): DemoReport {
  const errors = (type: string) => sum(snapshot, "mirror_errors_total", type);
  return {
    primary: { version: versions.primary },
    mirror: { version: versions.mirror },
    requests: {
      seen: sum(snapshot, "mirror_requests_total"),
      excluded: byReason("mirror_requests_excluded_total", EXCLUDED),
      dropped: byReason("mirror_requests_dropped_total", DROPPED),
      replayed: sum(snapshot, "mirror_requests_mirrored_total"),
      failed: byReason("mirror_requests_failed_total", FAILED),
      pending: sum(snapshot, "mirror_pending_requests"),
    },
    errors: {
      connection: errors("connection"),
      query: errors("query"),
      timeout: errors("timeout"),
      buffer_full: errors("buffer_full"),
    },
    latency_ms: {
      primary: latencyOf(snapshot, "primary"),
      mirror: latencyOf(snapshot, "mirror"),
    },
  };

  function byReason(name: string, reasons: readonly string[]): Counts {
    return Object.fromEntries(
      reasons.map((reason) => [reason, sum(snapshot, name, reason)]),
    );
  }
}

/** Over all series, or those where some label has this value. */
function sum(snapshot: StatsSnapshot, name: string, label?: string): number {
  const { spec, series } = snapshot.get(name) ?? missing(name);
  const key = spec.label?.name ?? "";
  return series
    .filter(({ labels }) => label === undefined || labels[key] === label)
    .reduce((total, { value }) => total + value, 0);
}

function latencyOf(snapshot: StatsSnapshot, target: string): Latency {
  const name = "statement_duration_seconds";
  const { spec, series } = snapshot.get(name) ?? missing(name);
  const bounds = spec.buckets ?? [];
  const counts = new Array<number>(bounds.length + 1).fill(0);
  for (const { labels, histogram } of series) {
    if (labels.target !== target) continue;
    histogram?.counts.forEach((n, i) => counts[i] = (counts[i] ?? 0) + n);
  }
  const count = counts.reduce((total, n) => total + n, 0);
  const at = (q: number) => {
    const seconds = quantile({ counts, count, sum: 0 }, bounds, q);
    return Number.isNaN(seconds) ? null : Math.round(seconds * 1e6) / 1e3;
  };
  return { p50: at(0.5), p99: at(0.99) };
}

function missing(name: string): never {
  throw new Error(`There is no metric "${name}": is mirror_stats loaded?`);
}
