import { quantile } from "../../src/plugin/api.ts";
import type { Evidence } from "./evidence.ts";
import type { EVIDENCE, EVIDENCE_SECONDS } from "./evidence_metrics.ts";
import { type Sample, Samples } from "./samples.ts";
import type { ShapeCounts } from "./shape_findings.ts";
import { type Thresholds, thresholdsFrom } from "./thresholds.ts";

/** A source database and its mirror. */
export interface Pair {
  readonly database: string;
  readonly mirror: string;
}

/** Evidence without what is in no metric. */
export type FleetEvidence = Omit<
  Evidence,
  "statements" | "lagCounts" | "drift"
>;

/** One proxy of a fleet, by the samples that Prometheus has of it. */
export class Proxy {
  readonly instance: string;
  readonly #up: boolean;
  readonly #samples: Samples;

  constructor(
    instance: string,
    samples: readonly Sample[],
    namespace: string,
  ) {
    this.instance = instance;
    const up = samples.find(({ labels }) => labels.__name__ === "up");
    this.#up = up?.value === 1;
    this.#samples = new Samples(samples, namespace);
  }

  get state(): "up" | "down" | "no metrics" {
    if (!this.#up) return "down";
    return this.#value("mirror_readiness_observed_seconds") === undefined
      ? "no metrics"
      : "up";
  }

  /** Why its evidence is missing. */
  get complaint(): string | undefined {
    if (this.state === "down") return `${this.instance} is down`;
    if (this.state === "no metrics") {
      return `${this.instance} has no metrics of this program`;
    }
    if (this.pairs.length === 0) return `${this.instance} mirrors nothing`;
    return this.#series("mirror_readiness_evidence").length === 0
      ? `${this.instance} does not export its evidence: its version is too old`
      : undefined;
  }

  get version(): string | null {
    return this.#series("build_info")[0]?.labels.version ?? null;
  }

  get limits(): Thresholds | undefined {
    return thresholdsFrom(
      new Map(
        this.#series("mirror_readiness_limit")
          .map(({ labels, value }) => [labels.limit ?? "", value]),
      ),
    );
  }

  get observedHours(): number {
    return (this.#value("mirror_readiness_observed_seconds") ?? 0) / 3_600;
  }

  /** Seconds since the epoch. */
  get windowStart(): number {
    return this.#value("mirror_readiness_window_start_timestamp_seconds") ?? 0;
  }

  activeHours(of: Pair): number {
    const seconds = this.#of("mirror_readiness_active_seconds", of)
      .map(({ value }) => value);
    return least(seconds) / 3_600;
  }

  get metricsEnabled(): boolean {
    return this.#value("mirror_metrics_enabled") === 1;
  }

  get compareMode(): string {
    return this.#series("mirror_compare_mode")
      .find(({ value }) => value === 1)?.labels.mode ?? "unknown";
  }

  /** Configured pairs, with traffic or without. */
  get pairs(): Pair[] {
    return this.#series("mirror_readiness_statements")
      .filter(({ labels }) => labels.latency === "tested")
      .map(({ labels: { database = "", mirror = "" } }) => ({
        database,
        mirror,
      }));
  }

  /** One count of the evidence, as the proxy's own verdict takes it. */
  evidence(kind: keyof typeof EVIDENCE, of?: Pair): number {
    return this.#sum("mirror_readiness_evidence", "kind", kind, of);
  }

  evidenceSeconds(kind: keyof typeof EVIDENCE_SECONDS, of?: Pair): number {
    return this.#sum("mirror_readiness_evidence_seconds", "kind", kind, of);
  }

  consecutiveErrors(of?: Pair): number {
    return this.#of("mirror_readiness_consecutive_errors", of)
      .reduce((longest, { value }) => Math.max(longest, value), 0);
  }

  /** Replays that ended within so many seconds of the primary. */
  lag(of?: Pair): ReadonlyMap<number, number> {
    const within = new Map<number, number>();
    const series = this.#of("mirror_readiness_lag_requests", of);
    for (const { labels, value } of series) {
      const bound = Number(labels.bound?.replace("+Inf", "Infinity"));
      within.set(bound, (within.get(bound) ?? 0) + value);
    }
    return within;
  }

  mirrors({ database, mirror }: Pair): boolean {
    return this.pairs.some((pair) =>
      pair.database === database && pair.mirror === mirror
    );
  }

  latency(which: "tested" | "slower" | "unjudged", of?: Pair): number {
    return this.#sum("mirror_readiness_statements", "latency", which, of);
  }

  shapes(which: keyof ShapeCounts, of?: Pair): number {
    return this.#sum("mirror_readiness_shapes", "comparison", which, of);
  }

  /** Of the pair, or of all. */
  levels(of?: Pair): string[] {
    return this.#series("mirror_readiness_level").filter(({ labels, value }) =>
      value === 1 && (of === undefined ||
        (labels.database === of.database && labels.mirror === of.mirror))
    ).map(({ labels }) => labels.level ?? "");
  }

  /** Columns of the mirror's own values behind which differences may stand. */
  driftedColumns(of?: Pair): number {
    return this.#of("mirror_readiness_drifted_columns", of)
      .reduce((total, { value }) => total + value, 0);
  }

  get clientsInTransaction(): number {
    return this.#value("clients_in_transaction") ?? 0;
  }

  get stalledSeconds(): number {
    return this.#value("mirror_readiness_stalled_seconds") ?? 0;
  }

  /** A mirror is paused: the one of the pair, or any. */
  paused(of?: Pair): boolean {
    return this.#series("mirror_paused").some(({ labels, value }) =>
      value === 1 && (of === undefined ||
        (labels.database === of.database && labels.mirror === of.mirror))
    );
  }

  #sum(name: string, label: string, value: string, of?: Pair): number {
    return this.#of(name, of).filter(({ labels }) => labels[label] === value)
      .reduce((total, series) => total + series.value, 0);
  }

  /** Of one pair, or of all. */
  #of(name: string, of?: Pair): readonly Sample[] {
    return this.#series(name).filter(({ labels }) =>
      of === undefined ||
      (labels.database === of.database && labels.mirror === of.mirror)
    );
  }

  #series(name: string): readonly Sample[] {
    return this.#samples.of(name);
  }

  #value(name: string): number | undefined {
    return this.#samples.value(name);
  }
}

/** Where the statements can be looked up: SQL text is in no metric. */
function whereShapes(
  proxies: readonly Proxy[],
  which: keyof ShapeCounts,
  of?: Pair,
): string[] {
  return proxies.filter((proxy) => proxy.shapes(which, of) > 0)
    .map(({ instance }) => `see SHOW MIRROR STATEMENTS on ${instance}`);
}

/** The evidence of these proxies together: what each has exported, added up. */
export function gatherFrom(
  proxies: readonly Proxy[],
  of?: Pair,
): FleetEvidence {
  const sum = (value: (proxy: Proxy) => number) =>
    proxies.reduce((total, proxy) => total + value(proxy), 0);
  const count = (kind: keyof typeof EVIDENCE) =>
    sum((proxy) => proxy.evidence(kind, of));
  const seconds = (kind: keyof typeof EVIDENCE_SECONDS) =>
    sum((proxy) => proxy.evidenceSeconds(kind, of));
  const longest = (value: (proxy: Proxy) => number) =>
    Math.max(0, ...proxies.map(value));
  const modes = proxies.map(({ compareMode }) => compareMode);
  const levels = [...new Set(proxies.flatMap((proxy) => proxy.levels(of)))];
  // One that stands by has no evidence, and no hours to be short of.
  const busy = proxies.filter((proxy) => proxy.evidence("seen", of) > 0);
  const witnesses = busy.length === 0 ? proxies : busy;
  const mirrorStatements = count("mirror_statements");
  const mirrorSeconds = seconds("mirror");
  return {
    seen: count("seen"),
    excluded: count("excluded"),
    untried: count("untried"),
    dropped: count("dropped"),
    withheld: count("withheld"),
    replayed: count("replayed"),
    failed: count("failed"),
    pending: count("pending"),
    reasons: {},
    requestsWithErrors: count("requests_with_errors"),
    acceptedRequests: count("accepted_requests"),
    compared: count("compared"),
    uncompared: count("uncompared"),
    mismatches: count("mismatches"),
    driftedMismatches: count("drifted_mismatches"),
    driftedRequests: count("drifted_requests"),
    driftedShapes: count("drifted_shapes"),
    ignored: count("accepted_mismatches"),
    consecutiveErrors: longest((proxy) => proxy.consecutiveErrors(of)),
    lagP99Seconds: lagP99(proxies.map((proxy) => proxy.lag(of))),
    mirrorStatements,
    mirrorSeconds,
    mirrorMeanMs: mirrorStatements === 0
      ? null
      : mirrorSeconds / mirrorStatements * 1e3,
    replayedSeconds: seconds("replayed"),
    comparedSeconds: seconds("compared"),
    shapes: {
      seen: sum((proxy) => proxy.shapes("seen", of)),
      different: sum((proxy) => proxy.shapes("different", of)),
      uncompared: sum((proxy) => proxy.shapes("uncompared", of)),
    },
    named: {
      different: whereShapes(proxies, "different", of),
      uncompared: whereShapes(proxies, "uncompared", of),
    },
    level: levels.length > 1 ? "mixed" : levels[0] ?? "all",
    clientsInTransaction: sum((proxy) => proxy.clientsInTransaction),
    stalledSeconds: longest(({ stalledSeconds }) => stalledSeconds),
    paused: proxies.some((proxy) => proxy.paused(of)),
    since: Math.max(0, ...witnesses.map(({ windowStart }) => windowStart)) *
      1e3,
    observedHours: least(witnesses.map(({ observedHours }) => observedHours)),
    activeHours: activeHours(proxies, of),
    metricsEnabled: proxies.every(({ metricsEnabled }) => metricsEnabled),
    compareMode: modes.find((mode) => mode !== "rows") ?? modes[0] ?? "unknown",
  };
}

/** Of the proxies with traffic of the pair the fewest, of all pairs the fewest of one; none saw any: 0. */
function activeHours(proxies: readonly Proxy[], of?: Pair): number {
  if (of === undefined) {
    const pairs = proxies.flatMap(({ pairs }) => pairs);
    return least(pairs.map((pair) => activeHours(proxies, pair)));
  }
  return least(
    proxies.filter((proxy) => proxy.evidence("seen", of) > 0)
      .map((proxy) => proxy.activeHours(of)),
  );
}

function least(values: readonly number[]): number {
  return values.length === 0 ? 0 : Math.min(...values);
}

/**
 * Versions of this program may have other bounds; cumulative counts at those
 * that all have are exact.
 *
 * @param lags of each proxy: replays within so many seconds.
 */
function lagP99(lags: readonly ReadonlyMap<number, number>[]): number | null {
  const bounds = [...lags[0]?.keys() ?? []]
    .filter((bound) => lags.every((lag) => lag.has(bound)))
    .sort((a, b) => a - b);
  const within = bounds.map((bound) =>
    lags.reduce((sum, lag) => sum + (lag.get(bound) ?? 0), 0)
  );
  const count = within.at(-1) ?? 0;
  if (count === 0) return null;
  const counts = within.map((n, i) => n - (within[i - 1] ?? 0));
  const finite = bounds.filter(Number.isFinite);
  return quantile({ counts, sum: 0, count }, finite, 0.99);
}
