import { millisToHrTime } from "@opentelemetry/core";
import {
  AggregationTemporality,
  type DataPoint,
  DataPointType,
  type Histogram,
  type MetricData,
} from "@opentelemetry/sdk-metrics";
import type {
  MetricSnapshot,
  SeriesSnapshot,
  StatsSnapshot,
} from "../../src/plugin/api.ts";

/** OpenTelemetry's `ValueType.DOUBLE`. Doubles throughout, as in the registry. */
const DOUBLE = 1;

/**
 * The registry's metrics of one snapshot as the SDK's metric data: the names of
 * `/metrics`, counters as monotonic cumulative sums, histograms with the same
 * bounds. What is no number is left out: JSON has none.
 *
 * @param startedAt when the counters were 0, milliseconds since the epoch.
 */
export function metricData(
  snapshot: StatsSnapshot,
  options: { readonly namespace: string; readonly startedAt: number },
): MetricData[] {
  const times = {
    startTime: millisToHrTime(options.startedAt),
    endTime: millisToHrTime(snapshot.at),
  };
  return snapshot.metrics.filter(({ spec }) => spec.internal !== true)
    .map((metric) => one(metric, options.namespace, times))
    .filter(({ dataPoints }) => dataPoints.length > 0);
}

type Times = Pick<DataPoint<number>, "startTime" | "endTime">;

function one(
  { spec, series }: MetricSnapshot,
  namespace: string,
  times: Times,
): MetricData {
  const base = {
    descriptor: {
      name: namespace + spec.name,
      description: spec.help,
      unit: unitOf(spec.name),
      valueType: DOUBLE,
    },
    aggregationTemporality: AggregationTemporality.CUMULATIVE,
  };
  if (spec.type === "histogram") {
    const boundaries = [...spec.buckets ?? []];
    return {
      ...base,
      dataPointType: DataPointType.HISTOGRAM,
      dataPoints: series.flatMap((one) =>
        histogramPoint(one, boundaries, times)
      ),
    };
  }
  const dataPoints = series.filter(({ value }) => Number.isFinite(value))
    .map(({ labels, value }): DataPoint<number> => ({
      ...times,
      attributes: labels,
      value,
    }));
  return spec.type === "counter"
    ? {
      ...base,
      dataPointType: DataPointType.SUM,
      isMonotonic: true,
      dataPoints,
    }
    : { ...base, dataPointType: DataPointType.GAUGE, dataPoints };
}

function histogramPoint(
  { labels, histogram }: SeriesSnapshot,
  boundaries: number[],
  times: Times,
): DataPoint<Histogram>[] {
  if (histogram === undefined) return [];
  const { counts, sum, count } = histogram;
  const value = { buckets: { boundaries, counts: [...counts] }, sum, count };
  return [{ ...times, attributes: labels, value }];
}

/** UCUM, as OpenTelemetry writes units; from the base unit in the name. */
function unitOf(name: string): string {
  const [, unit] = /_(seconds|bytes)(?:_total)?$/.exec(name) ?? [];
  return unit === "seconds" ? "s" : unit === "bytes" ? "By" : "";
}
