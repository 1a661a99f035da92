/** The cells of one thread. */
export interface WindowedCells {
  readonly cells: Float64Array;
  /** Starts over if there is a new window. */
  syncWindow(): void;
}

/**
 * Keeps the largest value of the window. A maximum can't be had by subtraction
 * as a count can, so each stripe starts over when it notices a new window, and
 * a snapshot leaves out the stripes that have not noticed yet.
 */
export class MaximumHandle {
  readonly #stripe: WindowedCells;
  readonly #offset: number;

  constructor(stripe: WindowedCells, offset: number) {
    this.#stripe = stripe;
    this.#offset = offset;
  }

  /** Keeps `value` if it is larger. Allocates nothing. */
  observe(series: number, value: number): void {
    this.#stripe.syncWindow();
    const { cells } = this.#stripe;
    const cell = series + this.#offset;
    if (value > (cells[cell] as number)) cells[cell] = value;
  }
}
