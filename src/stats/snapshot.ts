import { Directory, OTHER_SERIES } from "./directory.ts";
import {
  cellsView,
  controlView,
  type MetricLayout,
  type StatsLayout,
  STRIPE_EPOCHS,
  WINDOW_EPOCH,
} from "./layout.ts";
import {
  cellsPerValue,
  type LabelSet,
  type MetricSpec,
  MIRROR_LABELS,
} from "./spec.ts";

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

/** One metric: all series that there are, in the order in which they came up. */
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

type Labels = Readonly<Record<string, string>>;

/** One value of a metric in a series, as it is the same in every snapshot. */
interface Point {
  readonly labels: Labels;
  /** The value of the metric's own label, and its position. */
  readonly label: string | undefined;
  readonly position: number;
  readonly set: LabelSet | undefined;
}

/** One label set. It is remembered, because snapshots are taken several times a second. */
class Series {
  /** Where its cells begin in every stripe; more than one place if two workers came at once. */
  readonly bases: number[] = [];
  readonly #points = new Map<MetricSpec, readonly Point[]>();

  constructor(readonly labels: Labels) {}

  /** All of a metric. The same objects every time: who reads may remember what it makes of the labels. */
  points(spec: MetricSpec): readonly Point[] {
    let points = this.#points.get(spec);
    if (points === undefined) {
      points = (spec.sets ?? [undefined]).flatMap((set) =>
        (spec.label?.values ?? [undefined]).map((label, position) => ({
          labels: this.#labels(spec, label, set),
          label,
          position,
          set,
        }))
      );
      this.#points.set(spec, points);
    }
    return points;
  }

  #labels(
    spec: MetricSpec,
    label: string | undefined,
    set: LabelSet | undefined,
  ): Labels {
    const own = set === undefined ? this.labels : { ...this.labels, ...set };
    return spec.label === undefined || label === undefined
      ? own
      : { ...own, [spec.label.name]: label };
  }
}

/** The merged cells of a metric, `cellsPerValue` for each value of its label. */
type Merged = ReadonlyMap<Series, Float64Array>;

/** Reads the stripes of one layout; for the main thread. */
export class SnapshotReader {
  readonly #specs: readonly MetricSpec[];
  readonly #metrics: readonly MetricLayout[];
  readonly #layout: StatsLayout;
  readonly #control: Int32Array;
  readonly #stripes: readonly Float64Array[];
  readonly #directory: Directory;
  readonly #barrier = new Int32Array(new SharedArrayBuffer(4));
  readonly #process = new Series({});
  /** Of the directory, which only ever grows: by labels, and the positions that are in. */
  readonly #mirrored = new Map<string, Series>();
  readonly #taken = new Set<number>();

  constructor(layout: StatsLayout, specs: readonly MetricSpec[]) {
    this.#specs = specs;
    this.#metrics = layout.metrics;
    this.#layout = layout;
    this.#control = controlView(layout);
    this.#stripes = Array.from(
      { length: layout.stripes },
      (_, stripe) => cellsView(layout, stripe),
    );
    this.#directory = new Directory(layout);
    this.#process.bases.push(0);
  }

  /**
   * Merges the stripes. Metrics are read in the reverse order of their
   * declaration, so that a total that is declared before its parts is read after
   * them, and what is derived by subtraction is never negative.
   */
  read(
    replaced?: { readonly stripe: number; readonly cells: Float64Array },
  ): StatsSnapshot {
    const at = Date.now();
    const stripes = replaced === undefined
      ? this.#stripes
      : this.#stripes.with(replaced.stripe, replaced.cells);
    const scopes = { process: [this.#process], mirror: this.#series() };
    const merged = new Map<string, Merged>();
    for (let i = this.#specs.length - 1; i >= 0; i--) {
      const spec = this.#specs[i] as MetricSpec; // i < length
      if (spec.derive !== undefined) continue;
      merged.set(spec.name, this.#merge(spec, i, scopes[spec.scope], stripes));
      // The reads of the next metric come after those of this one.
      Atomics.add(this.#barrier, 0, 0);
    }
    const lookUp = new LookUp(this.#specs, merged);
    const metrics = this.#specs.map((spec): MetricSnapshot => ({
      spec,
      series: scopes[spec.scope].flatMap((series) =>
        series.points(spec).map((point) =>
          seriesSnapshot(spec, series, point, lookUp)
        )
      ),
    }));
    const byName = new Map(metrics.map((metric) => [metric.spec.name, metric]));
    return { at, metrics, get: (name) => byName.get(name) };
  }

  #series(): Series[] {
    const { processCells, mirrorCells } = this.#layout;
    this.#directory.forEach((values, position) => {
      if (this.#taken.has(position)) return;
      const base = processCells + position * mirrorCells;
      if (position === OTHER_SERIES && this.#isUnused(base)) return;
      this.#taken.add(position);
      const key = values.join("\0");
      let series = this.#mirrored.get(key);
      if (series === undefined) {
        series = new Series(Object.fromEntries(
          MIRROR_LABELS.map((name, i) => [name, values[i] ?? ""]),
        ));
        this.#mirrored.set(key, series);
      }
      series.bases.push(base);
    });
    return [...this.#mirrored.values()];
  }

  /** The shared series is always there; it is shown once something is in it. */
  #isUnused(base: number): boolean {
    return this.#stripes.every((cells) =>
      cells.subarray(base, base + this.#layout.mirrorCells)
        .every((cell) => cell === 0)
    );
  }

  #merge(
    spec: MetricSpec,
    index: number,
    series: readonly Series[],
    all: readonly Float64Array[],
  ): Merged {
    const { offset, cells: length, windowed } = this.#metrics[
      index
    ] as MetricLayout; // one for each spec
    const epoch = Atomics.load(this.#control, WINDOW_EPOCH);
    const stripes = all.filter((_, i) =>
      !windowed || Atomics.load(this.#control, STRIPE_EPOCHS + i) === epoch
    );
    return new Map(series.map((one) => {
      const into = new Float64Array(length);
      for (const cells of stripes) {
        for (const base of one.bases) {
          add(into, cells, base + offset, spec.aggregate === "max");
        }
      }
      return [one, into];
    }));
  }
}

function add(
  into: Float64Array,
  cells: Float64Array,
  from: number,
  isMaximum: boolean,
): void {
  for (let i = 0; i < into.length; i++) {
    const sum = into[i] as number;
    const value = cells[from + i] as number;
    into[i] = isMaximum ? Math.max(sum, value) : sum + value;
  }
}

function seriesSnapshot(
  spec: MetricSpec,
  series: Series,
  { labels, label, position, set }: Point,
  lookUp: LookUp,
): SeriesSnapshot {
  if (spec.derive !== undefined) {
    const get = (name: string, value?: string) =>
      lookUp.sum(series, name, value);
    return { labels, value: spec.derive(get, label, set) };
  }
  const cells = lookUp.cells(series, spec);
  const from = position * cellsPerValue(spec);
  if (spec.type !== "histogram") return { labels, value: cells[from] ?? 0 };
  const end = from + cellsPerValue(spec) - 1;
  const counts: number[] = [];
  let count = 0;
  for (let i = from; i < end; i++) {
    const n = cells[i] as number; // i < length
    counts.push(n);
    count += n;
  }
  const sum = cells[end] ?? 0;
  return { labels, value: count, histogram: { counts, sum, count } };
}

/** The merged cells by name, for the metrics that derive from them. */
class LookUp {
  readonly #specs: ReadonlyMap<string, MetricSpec>;
  readonly #merged: ReadonlyMap<string, Merged>;

  constructor(
    specs: readonly MetricSpec[],
    merged: ReadonlyMap<string, Merged>,
  ) {
    this.#specs = new Map(specs.map((spec) => [spec.name, spec]));
    this.#merged = merged;
  }

  /** Of all values of the label, one after the other. */
  cells(series: Series, spec: MetricSpec): Float64Array {
    const all = this.#merged.get(spec.name)?.get(series);
    if (all === undefined) {
      throw new RangeError(
        `Metric "${spec.name}" has no cells to derive from in this series`,
      );
    }
    return all;
  }

  /** Of one value of the label, or over all; a histogram gives its count. */
  sum(series: Series, name: string, label?: string): number {
    const spec = this.#specs.get(name);
    if (spec === undefined) {
      throw new RangeError(`Metric "${name}" is not declared`);
    }
    const cells = this.cells(series, spec);
    const { type, label: { values } = { values: [undefined] } } = spec;
    const length = cellsPerValue(spec);
    // A histogram's last cell is the sum of what it observed.
    const counted = type === "histogram" ? length - 1 : length;
    let total = 0;
    for (const [position, value] of values.entries()) {
      if (label !== undefined && value !== label) continue;
      const from = position * length;
      for (let i = from; i < from + counted; i++) total += cells[i] as number;
    }
    return total;
  }
}
