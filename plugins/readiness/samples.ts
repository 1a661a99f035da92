import type {
  HistogramSnapshot,
  MetricSnapshot,
  SeriesSnapshot,
  StatsSnapshot,
} from "../../src/plugin/api.ts";

/** One sample that Prometheus gave; its name is the label `__name__`. */
export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

type Labels = Readonly<Record<string, string>>;

/**
 * Samples as the snapshot that they were exported from, of one process or of
 * many, so that one piece of code gathers evidence from both. Histograms may
 * lack their buckets.
 *
 * @param namespace what the exporter put before each name.
 */
export function snapshotOf(
  samples: readonly Sample[],
  namespace: string,
): StatsSnapshot {
  const byName = new Map<string, Sample[]>();
  for (const sample of samples) {
    const name = sample.labels.__name__ ?? "";
    if (!name.startsWith(namespace)) continue;
    const key = name.slice(namespace.length);
    const found = byName.get(key) ?? [];
    found.push(sample);
    byName.set(key, found);
  }
  const metrics = new Map<string, MetricSnapshot>();
  for (const [name, found] of byName) {
    const base = name.replace(/_count$/, "");
    if (base !== name) {
      metrics.set(base, histogram(base, byName));
    } else if (!/_(bucket|sum)$/.test(name)) {
      metrics.set(name, metric(name, found.map(plain)));
    }
  }
  return {
    at: Date.now(),
    metrics: [...metrics.values()],
    get: (name) => metrics.get(name),
  };
}

function plain({ labels, value }: Sample): SeriesSnapshot {
  return { labels, value };
}

function metric(
  name: string,
  series: readonly SeriesSnapshot[],
  buckets: readonly number[] = [],
): MetricSnapshot {
  // Only what a reader of snapshots looks at.
  const spec = { name, help: name, type: "gauge", scope: "mirror" } as const;
  return { spec: { ...spec, buckets }, series };
}

function histogram(
  name: string,
  byName: ReadonlyMap<string, readonly Sample[]>,
): MetricSnapshot {
  const sums = keyed(byName.get(`${name}_sum`));
  const buckets = new Map<string, Map<number, number>>();
  for (const { labels, value } of byName.get(`${name}_bucket`) ?? []) {
    const key = keyOf(labels);
    const cumulative = buckets.get(key) ?? new Map<number, number>();
    cumulative.set(Number(labels.le?.replace("+Inf", "Infinity")), value);
    buckets.set(key, cumulative);
  }
  const bounds = commonBounds([...buckets.values()]);
  const series = (byName.get(`${name}_count`) ?? []).map(
    ({ labels, value: count }) => {
      const key = keyOf(labels);
      return {
        labels,
        value: count,
        histogram: {
          counts: countsOf(buckets.get(key), bounds, count),
          sum: sums.get(key) ?? 0,
          count,
        } satisfies HistogramSnapshot,
      };
    },
  );
  return metric(name, series, bounds);
}

/**
 * Versions of this program may have other buckets; cumulative counts at the
 * bounds that all have are exact.
 */
function commonBounds(all: readonly ReadonlyMap<number, number>[]): number[] {
  return [...(all[0]?.keys() ?? [])]
    .filter((bound) =>
      Number.isFinite(bound) && all.every((one) => one.has(bound))
    )
    .sort((a, b) => a - b);
}

function countsOf(
  cumulative: ReadonlyMap<number, number> | undefined,
  bounds: readonly number[],
  count: number,
): number[] {
  if (cumulative === undefined) return [];
  let below = 0;
  return [...bounds, Infinity].map((bound) => {
    const upTo = bound === Infinity ? count : cumulative.get(bound) ?? below;
    const own = upTo - below;
    below = upTo;
    return own;
  });
}

function keyed(samples: readonly Sample[] = []): Map<string, number> {
  return new Map(samples.map(({ labels, value }) => [keyOf(labels), value]));
}

/** Equal for the parts of one histogram. */
function keyOf({ __name__: _name, le: _le, ...labels }: Labels): string {
  return JSON.stringify(Object.entries(labels).sort());
}
