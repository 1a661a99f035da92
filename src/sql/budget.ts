/** Steps that looking at one statement may take: about a second at the most. */
const MAX_STEPS = 1_000_000;

/** A statement is too large, or too deep within itself, to be looked at. */
export class TooLargeError extends Error {
  override readonly name = "TooLargeError";
}

/** The work that one statement may cost. */
export class Budget {
  #left: number;

  constructor(steps = MAX_STEPS) {
    this.#left = steps;
  }

  /** @throws {TooLargeError} There is nothing left. */
  spend(steps: number): void {
    this.#left -= steps;
    if (this.#left < 0) throw new TooLargeError();
  }
}
