import { Directory, type MirrorLabels } from "./directory.ts";
import { HistogramHandle } from "./histogram.ts";
import {
  cellsView,
  controlView,
  type MetricLayout,
  type StatsLayout,
  STRIPE_EPOCHS,
  WINDOW_EPOCH,
} from "./layout.ts";
import { MaximumHandle } from "./maximum.ts";

/**
 * One worker's part of the registry, which only that worker writes. A count is
 * `cells[series + offset] += 1`: a plain store to an aligned 64-bit word, which
 * x86-64 and aarch64 never tear, and with one writer no update is lost; the
 * reader on the main thread sees it a moment later.
 */
export class Stripe {
  readonly cells: Float64Array<SharedArrayBuffer>;
  /** Base of the series without labels. */
  readonly process = 0;
  readonly #layout: StatsLayout;
  readonly #control: Int32Array;
  readonly #directory: Directory;
  /** The control word that says of which window this stripe's maxima are. */
  readonly #epochWord: number;
  #epoch: number;
  /** Of this thread only, so that a barrier takes no cache line from another. */
  readonly #barrier = new Int32Array(new SharedArrayBuffer(4));

  constructor(layout: StatsLayout, index: number) {
    if (!(index >= 0 && index < layout.stripes)) {
      throw new RangeError(
        `Stripe ${index} asked for, there are ${layout.stripes}`,
      );
    }
    this.cells = cellsView(layout, index);
    this.#layout = layout;
    this.#control = controlView(layout);
    this.#directory = new Directory(layout);
    this.#epochWord = STRIPE_EPOCHS + index;
    this.#epoch = Atomics.load(this.#control, this.#epochWord);
  }

  /** The metric's first cell, relative to its series. @throws {RangeError} if it is not declared. */
  offset(name: string): number {
    return this.#metric(name).offset;
  }

  /**
   * A histogram's handle, to be resolved once.
   *
   * @param value position in the enumerated label.
   * @throws {RangeError} if it is not declared, or no histogram.
   */
  histogram(name: string, value = 0): HistogramHandle {
    const { offset, buckets } = this.#metric(name);
    if (buckets.length === 0) {
      throw new RangeError(`Metric "${name}" is not a histogram`);
    }
    return new HistogramHandle(
      this.cells,
      offset + value * (buckets.length + 2),
      buckets,
    );
  }

  /**
   * The handle of a windowed gauge, to be resolved once.
   *
   * @param value position in the enumerated label.
   * @throws {RangeError} if it is not declared, or not windowed.
   */
  maximum(name: string, value = 0): MaximumHandle {
    const { offset, windowed } = this.#metric(name);
    if (!windowed) throw new RangeError(`Metric "${name}" is not windowed`);
    return new MaximumHandle(this, offset + value);
  }

  /**
   * Finds or creates the series of these labels, longer values cut to 63 bytes.
   * For once per session, not once per count.
   *
   * @returns its base in `cells`; beyond the bound on series that of the shared "other".
   */
  series(labels: MirrorLabels): number {
    return this.#base(this.#directory.series(labels));
  }

  /** Goes up by one with each RESET MIRROR_STATS. Read as plainly as cells are: a moment later is early enough, and `Atomics.load` is a call. */
  resetEpoch(): number {
    return this.#control[WINDOW_EPOCH] as number;
  }

  /** Makes the windowed gauges start over if a new window has begun. */
  syncWindow(): void {
    const epoch = this.resetEpoch();
    if (epoch === this.#epoch) return;
    this.#epoch = epoch;
    for (const metric of this.#layout.metrics) {
      if (metric.windowed) this.#clear(metric);
    }
    Atomics.store(this.#control, this.#epochWord, epoch);
  }

  /**
   * What was counted before is seen by others before what is counted after. For
   * a total and its part that one worker counts in a row: aarch64 may make
   * plain stores visible in another order, and a part must not be ahead.
   */
  fence(): void {
    Atomics.add(this.#barrier, 0, 0);
  }

  #clear({ scope, offset, cells }: MetricLayout): void {
    if (scope === "process") {
      this.cells.fill(0, offset, offset + cells);
      return;
    }
    for (let series = 0; series < this.#layout.maxSeries; series++) {
      const from = this.#base(series) + offset;
      this.cells.fill(0, from, from + cells);
    }
  }

  #base(series: number): number {
    return this.#layout.processCells + series * this.#layout.mirrorCells;
  }

  #metric(name: string): MetricLayout {
    const metric = this.#layout.metrics.find((m) => m.name === name);
    if (metric === undefined) {
      throw new RangeError(`Metric "${name}" is not declared`);
    }
    return metric;
  }
}
