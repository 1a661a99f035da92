import {
  LABEL_BYTES,
  labelOffset,
  type StatsLayout,
  stripeViews,
} from "./layout.ts";

const encoder = new TextEncoder();

/** The values of the shared series that takes what the bound on series refuses. */
export const OTHER = "other";

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
  readonly #count: Int32Array;
  readonly #labels: Uint8Array;
  readonly #control: Int32Array;
  readonly #series = new Map<string, number>();

  constructor(layout: StatsLayout, index: number) {
    if (index < 0 || index >= layout.stripes) {
      throw new RangeError(
        `Stripe ${index} asked for, there are ${layout.stripes}`,
      );
    }
    const views = stripeViews(layout, index);
    this.cells = views.cells;
    this.#layout = layout;
    this.#count = views.count;
    this.#labels = views.labels;
    this.#control = views.control;
    if (Atomics.load(this.#count, 0) === 0) this.series([OTHER, OTHER, OTHER]);
  }

  /** The metric's first cell, relative to its series. @throws {RangeError} if it is not declared. */
  offset(name: string): number {
    return this.#metric(name).offset;
  }

  /** A histogram's handle, to be resolved once. `value` selects the enumerated label. */
  histogram(name: string, value = 0): HistogramHandle {
    const { offset, buckets } = this.#metric(name);
    return new HistogramHandle(
      this.cells,
      offset + value * (buckets.length + 2),
      buckets,
    );
  }

  /**
   * Finds or creates the series of these labels, longer values cut to 63 bytes.
   *
   * @returns its base in `cells`; beyond the bound that of the shared `other`.
   */
  series(
    labels: readonly [database: string, mirror: string, user: string],
  ): number {
    const key = labels.join("\0");
    const known = this.#series.get(key);
    if (known !== undefined) return known;
    const index = Atomics.load(this.#count, 0);
    const { maxSeries, processCells, mirrorCells } = this.#layout;
    // Series 0 is "other". Refused keys are not remembered: they are unbounded.
    if (index >= maxSeries) return processCells;
    labels.forEach((label, i) => {
      const encoded = encoder.encode(label).subarray(0, LABEL_BYTES - 1);
      const at = labelOffset(index, i);
      this.#labels[at] = encoded.length;
      this.#labels.set(encoded, at + 1);
    });
    Atomics.store(this.#count, 0, index + 1);
    const base = processCells + index * mirrorCells;
    this.#series.set(key, base);
    return base;
  }

  /** The bases of all series that carry labels, the shared `other` among them. */
  *allSeries(): Iterable<number> {
    const count = Atomics.load(this.#count, 0);
    for (let i = 0; i < count; i++) {
      yield this.#layout.processCells + i * this.#layout.mirrorCells;
    }
  }

  /** Goes up by one with each RESET MIRROR_STATS. */
  resetEpoch(): number {
    return Atomics.load(this.#control, 0);
  }

  #metric(name: string) {
    const metric = this.#layout.metrics.find((m) => m.name === name);
    if (metric === undefined) {
      throw new RangeError(`Metric "${name}" is not declared`);
    }
    return metric;
  }
}

/** Cells of a histogram: one for each bucket, the overflow, the sum. */
export class HistogramHandle {
  readonly #cells: Float64Array;
  readonly #offset: number;
  readonly #bounds: Float64Array;

  constructor(cells: Float64Array, offset: number, bounds: readonly number[]) {
    this.#cells = cells;
    this.#offset = offset;
    this.#bounds = new Float64Array(bounds);
  }

  /** Counts `value`, in base units. Allocates nothing. */
  observe(series: number, value: number): void {
    const bounds = this.#bounds;
    let low = 0;
    let high = bounds.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (value <= (bounds[middle] as number)) high = middle;
      else low = middle + 1;
    }
    const base = series + this.#offset;
    (this.#cells[base + low] as number)++;
    (this.#cells[base + bounds.length + 1] as number) += value;
  }
}
