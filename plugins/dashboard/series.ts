import type {
  HistogramSnapshot,
  SeriesSnapshot,
  StatsSnapshot,
} from "../../src/plugin/api.ts";

/** One mirror of one source database. */
export interface Pair {
  readonly database: string;
  readonly mirror: string;
}

/** A snapshot's series of one pair, over all users. */
export class PairSeries {
  readonly #snapshot: StatsSnapshot;
  readonly #pair: Pair;

  constructor(snapshot: StatsSnapshot, pair: Pair) {
    this.#snapshot = snapshot;
    this.#pair = pair;
  }

  /** @param label name and value of the metric's own label. */
  sum(name: string, label?: readonly [string, string]): number {
    return this.#of(name, label).reduce((sum, { value }) => sum + value, 0);
  }

  /** The highest over the users; 0 without one. */
  max(name: string): number {
    return this.#of(name).reduce((max, { value }) => Math.max(max, value), 0);
  }

  histogram(name: string, label?: readonly [string, string]) {
    return this.#of(name, label).reduce<HistogramSnapshot>(
      (total, { histogram }) => histogram ? add(total, histogram, 1) : total,
      { counts: [], sum: 0, count: 0 },
    );
  }

  #of(name: string, label?: readonly [string, string]): SeriesSnapshot[] {
    const { database, mirror } = this.#pair;
    return (this.#snapshot.get(name)?.series ?? []).filter(({ labels }) =>
      labels.database === database && labels.mirror === mirror &&
      (label === undefined || labels[label[0]] === label[1])
    );
  }
}

/** What series beyond the registry's bound are booked under. */
const OTHER: Pair = { database: "other", mirror: "other" };

/** Those of the configuration, and what did not fit into the registry. */
export function allPairs(
  mirrors: readonly Pair[],
  snapshot: StatsSnapshot,
): Pair[] {
  const other = new PairSeries(snapshot, OTHER).sum("mirror_requests_total");
  return other > 0 ? [...mirrors, OTHER] : [...mirrors];
}

/** What came between two looks at a histogram. */
export function between(
  now: HistogramSnapshot,
  then: HistogramSnapshot,
): HistogramSnapshot {
  return add(now, then, -1);
}

function add(
  to: HistogramSnapshot,
  other: HistogramSnapshot,
  sign: 1 | -1,
): HistogramSnapshot {
  const length = Math.max(to.counts.length, other.counts.length);
  return {
    counts: Array.from(
      { length },
      (_, i) => (to.counts[i] ?? 0) + sign * (other.counts[i] ?? 0),
    ),
    sum: to.sum + sign * other.sum,
    count: to.count + sign * other.count,
  };
}
