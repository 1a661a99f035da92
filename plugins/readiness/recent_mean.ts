import type { StatsSnapshot } from "../../src/plugin/api.ts";

/** Samples, one a second, that the mean is of. */
const WINDOW = 60;

/** The mirror's average time for a statement over the last minute: what an alert needs, which must recover. */
export class RecentMean {
  /** Sums at each sample, oldest first. */
  readonly #sums: { readonly seconds: number; readonly count: number }[] = [];

  /** Takes a sample. @returns milliseconds; null without a statement. */
  look(snapshot: StatsSnapshot): number | null {
    let seconds = 0;
    let count = 0;
    for (
      const { labels, histogram } of snapshot.get("statement_duration_seconds")
        ?.series ?? []
    ) {
      if (labels.target !== "mirror" || histogram === undefined) continue;
      seconds += histogram.sum;
      count += histogram.count;
    }
    this.#sums.push({ seconds, count });
    if (this.#sums.length > WINDOW + 1) this.#sums.shift();
    const first = this.#sums.length > WINDOW ? this.#sums[0] : undefined;
    const statements = count - (first?.count ?? 0);
    return statements === 0
      ? null
      : (seconds - (first?.seconds ?? 0)) / statements * 1e3;
  }
}
