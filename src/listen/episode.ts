const QUIET_MS = 10_000;

/**
 * A trouble that shows again and again and is told of once: for as long as it
 * never stays away for longer than a while.
 */
export class Episode {
  readonly #quietMs: number;
  #lastMs = -Infinity;

  constructor(quietMs = QUIET_MS) {
    this.#quietMs = quietMs;
  }

  /** It shows, at `nowMs` of a clock that never goes back. @returns whether it begins now, and is to be told of. */
  shows(nowMs: number): boolean {
    const begins = nowMs - this.#lastMs > this.#quietMs;
    this.#lastMs = nowMs;
    return begins;
  }
}
