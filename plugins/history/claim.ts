import { HeldError } from "./held.ts";
import type { HistoryStore, Holder, Run } from "./store.ts";

/** A run is over if it has not written for so many of its intervals, and for so long. */
const SILENT_INTERVALS = 3;
const MIN_SILENCE_MS = 5_000;

/**
 * Takes a proxy's place in the store, so that two that run at once never count
 * as one. A run that ended by a crash leaves its place held: whether it still
 * writes is watched by our own stopwatch, for clocks of two machines may differ.
 */
export class Claim {
  readonly #store: HistoryStore;
  readonly #intervalMs: number;
  readonly #uptimeMs: () => number;
  #seen: (Holder & { readonly sinceMs: number }) | undefined;
  /** It has written, or given way to another, while it was watched. */
  #live = false;

  constructor(
    store: HistoryStore,
    intervalMs: number,
    uptimeMs: () => number,
  ) {
    this.#store = store;
    this.#intervalMs = intervalMs;
    this.#uptimeMs = uptimeMs;
  }

  /**
   * @param last there is no time to wait: a run that was silent between two looks is over. Should it live, its next write finds out.
   * @throws {HeldError} if another run has it; ask again.
   */
  async take(run: Run, last = false): Promise<void> {
    const seen = this.#seen;
    // A look that fails begins the watch anew: nobody could write then.
    this.#seen = undefined;
    const holder = await this.#store.claim(run, this.#intervalMs);
    if (holder === undefined) {
      this.#live = false;
      return;
    }
    const now = this.#uptimeMs();
    const same = seen?.runId === holder.runId && seen.beat === holder.beat;
    if (seen !== undefined && !same) this.#live = true;
    const sinceMs = same ? seen.sinceMs : now;
    const silence = Math.max(
      MIN_SILENCE_MS,
      SILENT_INTERVALS * holder.intervalMs,
    );
    const silent = now - sinceMs >= silence || (last && same && !this.#live);
    if (
      silent &&
      await this.#store.takeOver(run, holder, this.#intervalMs)
    ) {
      this.#live = false;
      return;
    }
    this.#seen = { ...holder, sinceMs };
    throw new HeldError(run.proxy, this.#live);
  }
}
