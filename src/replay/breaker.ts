/**
 * Keeps a dead mirror cheap: one login at a time while it is not proven that
 * it answers, and none at all for a while after one failed.
 *
 * ```
 * unproven --success--> closed --failure--> open --time--> unproven
 *     \-------------------failure-----------/
 * ```
 *
 * @module
 */

/** A delay before the next try, in milliseconds: doubled each time, with full jitter above the half. */
const FIRST_DELAY_MS = 250;
const MAX_DELAY_MS = 15_000;

export type BreakerState =
  /** Nobody has logged in since the last trouble: one lane may try. */
  | "unproven"
  /** The mirror answers: lanes connect freely. */
  | "closed"
  /** The last login failed; nobody tries before `openUntilUs`. */
  | "open";

/** What a lane that wants to connect may do. */
export type Permission = "connect" | "wait" | "refused";

/** One breaker for each mirror. */
export class Breaker {
  #state: BreakerState = "unproven";
  #failures = 0;
  #openUntilUs = 0;
  #probing = false;
  readonly #random: () => number;

  /** @param random in [0, 1), for the jitter. */
  constructor(random: () => number = Math.random) {
    this.#random = random;
  }

  /** The state at `nowUs`: an open breaker becomes unproven when its time is over. */
  state(nowUs: number): BreakerState {
    if (this.#state === "open" && nowUs >= this.#openUntilUs) {
      this.#state = "unproven";
      this.#probing = false;
    }
    return this.#state;
  }

  /** Asks to connect. `connect` in state unproven makes the caller the one that tries. */
  ask(nowUs: number): Permission {
    switch (this.state(nowUs)) {
      case "closed":
        return "connect";
      case "open":
        return "refused";
      case "unproven":
        if (this.#probing) return "wait";
        this.#probing = true;
        return "connect";
    }
  }

  /** A login went through. */
  succeeded(): void {
    this.#state = "closed";
    this.#failures = 0;
    this.#probing = false;
  }

  /** A connection that worked was lost: the next lane to connect tries alone. */
  lost(): void {
    if (this.#state !== "closed") return;
    this.#state = "unproven";
    this.#probing = false;
  }

  /** The one that tried has given up without a result (its client has gone, or its own parameters were refused). */
  abandoned(): void {
    this.#probing = false;
  }

  /** A login failed. */
  failed(nowUs: number): void {
    const ceiling = Math.min(
      MAX_DELAY_MS,
      FIRST_DELAY_MS * 2 ** this.#failures,
    );
    const delayMs = ceiling / 2 + this.#random() * ceiling / 2;
    this.#failures++;
    this.#state = "open";
    this.#probing = false;
    this.#openUntilUs = nowUs + delayMs * 1000;
  }
}
