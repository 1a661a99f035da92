import type {
  HistogramSnapshot,
  PluginContext,
  StatsSnapshot,
} from "../../src/plugin/api.ts";

/** Counts since the last reset: the registry's totals less those at the reset. */
export class Window {
  /** Of the process's uptime. */
  sinceMs = 0;
  readonly #context: PluginContext;
  #baseline: StatsSnapshot | undefined;

  constructor(context: PluginContext) {
    this.#context = context;
  }

  /** Begins anew. */
  reset(): void {
    this.#baseline = this.#context.stats.snapshot();
    this.sinceMs = this.#context.uptimeMs();
    this.#context.stats.resetWindow();
  }

  /** The window's counts, of one source database or of all. */
  totals(database?: string): Totals {
    return new Totals(
      this.#context.stats.snapshot(),
      this.#baseline,
      database,
    );
  }
}

/** Sums over series, in a window. */
export class Totals {
  readonly snapshot: StatsSnapshot;
  readonly #baseline: StatsSnapshot | undefined;
  readonly #database: string | undefined;

  constructor(
    snapshot: StatsSnapshot,
    baseline: StatsSnapshot | undefined,
    database: string | undefined,
  ) {
    this.snapshot = snapshot;
    this.#baseline = baseline;
    this.#database = database;
  }

  /** A counter since the reset; `label` is `[name, value]` of its enumerated label. */
  count(name: string, label?: readonly [string, string]): number {
    const now = this.#sum(this.snapshot, name, label);
    if (this.#baseline === undefined) return now;
    const then = this.#sum(this.#baseline, name, label);
    // What was pending at the reset is the window's, for its outcome will be.
    const pending = name === "mirror_requests_total"
      ? this.#sum(this.#baseline, "mirror_pending_requests")
      : 0;
    return now - (then - pending);
  }

  /** A gauge as it is now: the highest over its series. */
  gauge(name: string, label?: readonly [string, string]): number {
    return this.#series(this.snapshot, name, label)
      .reduce((max, { value }) => Math.max(max, value), 0);
  }

  /** A gauge as it is now, summed over its series. */
  gaugeSum(name: string): number {
    return this.#sum(this.snapshot, name);
  }

  /** A histogram since the reset. */
  histogram(name: string, label: readonly [string, string]): HistogramSnapshot {
    const now = merge(this.#series(this.snapshot, name, label));
    if (this.#baseline === undefined) return now;
    const then = merge(this.#series(this.#baseline, name, label));
    return {
      counts: now.counts.map((count, i) => count - (then.counts[i] ?? 0)),
      sum: now.sum - then.sum,
      count: now.count - then.count,
    };
  }

  #sum(
    snapshot: StatsSnapshot,
    name: string,
    label?: readonly [string, string],
  ): number {
    return this.#series(snapshot, name, label)
      .reduce((sum, { value }) => sum + value, 0);
  }

  #series(
    snapshot: StatsSnapshot,
    name: string,
    label?: readonly [string, string],
  ) {
    const database = this.#database;
    return (snapshot.get(name)?.series ?? []).filter(({ labels }) =>
      (database === undefined || labels.database === database) &&
      (label === undefined || labels[label[0]] === label[1])
    );
  }
}

function merge(
  series: readonly { readonly histogram?: HistogramSnapshot }[],
): HistogramSnapshot {
  return series.reduce<HistogramSnapshot>(
    (total, { histogram }) =>
      histogram === undefined ? total : {
        counts: histogram.counts.map((n, i) => n + (total.counts[i] ?? 0)),
        sum: total.sum + histogram.sum,
        count: total.count + histogram.count,
      },
    { counts: [], sum: 0, count: 0 },
  );
}
