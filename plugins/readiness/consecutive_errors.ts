import type { SeriesSnapshot, StatsSnapshot } from "../../src/plugin/api.ts";

type Labels = SeriesSnapshot["labels"];

/** Errors in a row since a moment that begins the row anew: another window, other rules. */
export class ConsecutiveErrors {
  /** As they were then, by series, and the last success before. */
  #before = new Map<string, { count: number; success: number }>();

  begin(snapshot: StatsSnapshot): void {
    const success = successes(snapshot);
    this.#before = new Map(
      countsOf(snapshot).map(({ labels, value }) => {
        const key = keyOf(labels);
        return [key, { count: value, success: success.get(key) ?? 0 }];
      }),
    );
  }

  /** The longest row of the mirror's series, or of all. */
  longest(snapshot: StatsSnapshot, mine: (labels: Labels) => boolean): number {
    const success = successes(snapshot);
    return countsOf(snapshot).filter(({ labels }) => mine(labels))
      .reduce((longest, { labels, value }) => {
        const before = this.#before.get(keyOf(labels));
        // A success in between has begun the row anew by itself.
        const goesOn = before !== undefined && value >= before.count &&
          before.success === (success.get(keyOf(labels)) ?? 0);
        return Math.max(longest, goesOn ? value - before.count : value);
      }, 0);
  }
}

function countsOf(snapshot: StatsSnapshot): readonly SeriesSnapshot[] {
  return snapshot.get("mirror_consecutive_errors")?.series ?? [];
}

function successes(snapshot: StatsSnapshot): ReadonlyMap<string, number> {
  const series = snapshot.get("mirror_last_success_timestamp_seconds")?.series;
  return new Map(
    (series ?? []).map(({ labels, value }) => [keyOf(labels), value]),
  );
}

function keyOf({ database, mirror, user }: Labels): string {
  return JSON.stringify([database, mirror, user]);
}
