import { labelOffset, type StatsLayout, stripeViews } from "./layout.ts";
import { cellsPerValue, type MetricSpec, MIRROR_LABELS } from "./spec.ts";

/** A histogram's cells, merged. */
export interface HistogramSnapshot {
  /** One for each bucket and the overflow; not cumulative. */
  readonly counts: readonly number[];
  readonly sum: number;
  readonly count: number;
}

/** One series of a metric. A histogram's `value` is its count. */
export interface SeriesSnapshot {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
  readonly histogram?: HistogramSnapshot;
}

export interface MetricSnapshot {
  readonly spec: MetricSpec;
  readonly series: readonly SeriesSnapshot[];
}

/** All metrics at one moment; whoever shows numbers shows these. */
export interface StatsSnapshot {
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** In the order of declaration. */
  readonly metrics: readonly MetricSnapshot[];
  get(name: string): MetricSnapshot | undefined;
}

interface SeriesKey {
  readonly labels: Readonly<Record<string, string>>;
  /** Where its cells begin in each stripe that has it. */
  readonly places: { stripe: number; base: number }[];
}

type Cells = { counts: number[]; sum: number };

/**
 * Merges the stripes. Metrics are read in the reverse order of their
 * declaration, so that a total that is declared before its parts is read after
 * them, and what is derived by subtraction is never negative.
 */
export function takeSnapshot(
  layout: StatsLayout,
  specs: readonly MetricSpec[],
): StatsSnapshot {
  const at = Date.now();
  const views = Array.from(
    { length: layout.stripes },
    (_, i) => stripeViews(layout, i),
  );
  const keys = mirrorSeries(layout, views);
  const process: SeriesKey = {
    labels: {},
    places: views.map((_, stripe) => ({ stripe, base: 0 })),
  };
  const read = new Map<string, Map<SeriesKey, Cells[]>>();
  for (const [i, spec] of [...specs.entries()].reverse()) {
    if (spec.derive !== undefined) continue;
    const offset = layout.metrics[i]?.offset ?? 0;
    const series = spec.scope === "process" ? [process] : keys;
    read.set(
      spec.name,
      new Map(series.map((key) => [
        key,
        (spec.label?.values ?? [""]).map((_, value) =>
          merge(spec, key, offset + value * cellsPerValue(spec))
        ),
      ])),
    );
  }
  const metrics = specs.map((spec): MetricSnapshot => ({
    spec,
    series: (spec.scope === "process" ? [process] : keys).flatMap((key) =>
      (spec.label?.values ?? [undefined]).map((labelValue, value) => {
        const labels = labelValue === undefined
          ? key.labels
          : { ...key.labels, [spec.label?.name ?? ""]: labelValue };
        if (spec.derive !== undefined) {
          const get = (name: string, label?: string) =>
            lookUp(key, name, label);
          return { labels, value: spec.derive(get, labelValue) };
        }
        const cells = read.get(spec.name)?.get(key)?.[value];
        const counts = cells?.counts ?? [0];
        const count = counts.reduce((sum, n) => sum + n, 0);
        return spec.type === "histogram"
          ? {
            labels,
            value: count,
            histogram: { counts, sum: cells?.sum ?? 0, count },
          }
          : { labels, value: count };
      })
    ),
  }));
  const byName = new Map(metrics.map((metric) => [metric.spec.name, metric]));
  return { at, metrics, get: (name) => byName.get(name) };

  function merge(spec: MetricSpec, key: SeriesKey, offset: number): Cells {
    const length = spec.type === "histogram" ? cellsPerValue(spec) - 1 : 1;
    const counts = new Array<number>(length).fill(0);
    let sum = 0;
    for (const { stripe, base } of key.places) {
      const cells = views[stripe]?.cells;
      for (let i = 0; i < length; i++) {
        const value = cells?.[base + offset + i] ?? 0;
        counts[i] = spec.aggregate === "max"
          ? Math.max(counts[i] ?? 0, value)
          : (counts[i] ?? 0) + value;
      }
      if (spec.type === "histogram") {
        sum += cells?.[base + offset + length] ?? 0;
      }
    }
    return { counts, sum };
  }

  function lookUp(key: SeriesKey, name: string, label?: string): number {
    const spec = specs.find((s) => s.name === name);
    const cells = read.get(name)?.get(key);
    if (spec === undefined || cells === undefined) {
      throw new RangeError(`Metric "${name}" has no cell to derive from`);
    }
    const values = spec.label?.values ?? [""];
    return cells.reduce(
      (total, { counts }, i) =>
        label === undefined || values[i] === label
          ? total + counts.reduce((sum, n) => sum + n, 0)
          : total,
      0,
    );
  }
}

function mirrorSeries(
  layout: StatsLayout,
  views: ReturnType<typeof stripeViews>[],
): SeriesKey[] {
  const decoder = new TextDecoder();
  const keys = new Map<string, SeriesKey>();
  views.forEach(({ count, labels: bytes }, stripe) => {
    const used = Atomics.load(count, 0);
    for (let index = 0; index < used; index++) {
      const labels: Record<string, string> = {};
      MIRROR_LABELS.forEach((name, i) => {
        const at = labelOffset(index, i);
        const length = bytes[at] ?? 0;
        labels[name] = decoder.decode(bytes.slice(at + 1, at + 1 + length));
      });
      const id = JSON.stringify(labels);
      const key = keys.get(id) ?? { labels, places: [] };
      key.places.push({
        stripe,
        base: layout.processCells + index * layout.mirrorCells,
      });
      keys.set(id, key);
    }
  });
  return [...keys.values()].filter((key) => !isUnusedOther(key));

  /** The shared series exists in every stripe; it is shown once something is in it. */
  function isUnusedOther(key: SeriesKey): boolean {
    return key.places.every(({ stripe, base }) =>
      base === layout.processCells &&
      views[stripe]?.cells.subarray(base, base + layout.mirrorCells)
        .every((cell) => cell === 0)
    );
  }
}
