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

  /** Counts `value`, in base units; a bound belongs to its bucket. Allocates nothing. */
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
