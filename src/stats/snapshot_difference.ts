import type {
  HistogramSnapshot,
  MetricSnapshot,
  SeriesSnapshot,
  StatsSnapshot,
} from "./snapshot.ts";

/**
 * What was counted between two snapshots of one registry, which have the same
 * objects as labels. Gauges are as they are now.
 */
export function difference(
  now: StatsSnapshot,
  then: StatsSnapshot,
): StatsSnapshot {
  const metrics = now.metrics.map((metric) => counted(metric, then));
  const byName = new Map(metrics.map((metric) => [metric.spec.name, metric]));
  return { at: now.at, metrics, get: (name) => byName.get(name) };
}

function counted(metric: MetricSnapshot, then: StatsSnapshot): MetricSnapshot {
  const { type, name, open } = metric.spec;
  const before = then.get(name);
  if (type === "gauge" || before === undefined) return metric;
  const at = byLabels(before);
  // What was open then has its outcome in what is counted now.
  const opened = open === undefined ? undefined : then.get(open);
  const openAt = opened === undefined ? undefined : byLabels(opened);
  return {
    ...metric,
    series: metric.series.map((series) => {
      const { labels } = series;
      const earlier = at.get(labels);
      return earlier === undefined
        ? series
        : minus(series, earlier, openAt?.get(labels)?.value ?? 0);
    }),
  };
}

function minus(
  series: SeriesSnapshot,
  earlier: SeriesSnapshot,
  open: number,
): SeriesSnapshot {
  const { labels, histogram } = series;
  const value = series.value - earlier.value + open;
  if (histogram === undefined || earlier.histogram === undefined) {
    return { labels, value };
  }
  return { labels, value, histogram: less(histogram, earlier.histogram) };
}

function less(a: HistogramSnapshot, b: HistogramSnapshot): HistogramSnapshot {
  return {
    counts: a.counts.map((n, i) => n - (b.counts[i] ?? 0)),
    sum: a.sum - b.sum,
    count: a.count - b.count,
  };
}

function byLabels({ series }: MetricSnapshot) {
  return new Map(series.map((one) => [one.labels, one]));
}
