import {
  DURATION_BUCKETS,
  EVICTED,
  type HistogramSnapshot,
  isMismatch,
  RESULTS,
  type SeriesSnapshot,
  type StatementSummary,
} from "../../src/plugin/api.ts";
import type { Family } from "./families.ts";

/** The label value of what is not among the top; also the fingerprint of what is not known. */
const OTHER = "other";
/** A challenger must be better by so much, so that two near each other do not take turns. */
const INCUMBENT = 1.1;

type Labels = Readonly<Record<string, string>>;

/** Counts of one statement, or of several. */
type Tally = Pick<
  StatementSummary,
  "calls" | "results" | "primary" | "mirrorLatency"
>;

/** What is remembered of one mirror. */
interface Mirror {
  readonly labels: Labels;
  /** By fingerprint, as they were last seen: counts of the window. */
  readonly seen: Map<string, StatementSummary>;
  /** What those of the top had in earlier windows. */
  before: ReadonlyMap<string, Tally>;
  top: ReadonlySet<string>;
  /** What was counted of statements while they were not among the top. */
  other: Tally;
}

/**
 * The series of single statements: of each mirror those with the most
 * mismatches, then those with the most calls, at most `limit` of them, and one
 * for all others.
 *
 * A statement among the top has all of its counts since the start. `other` only
 * grows: it takes what a statement counts while it is not among the top, and
 * keeps it if the statement comes up later. So no counter ever falls, and rates
 * add up to the mirror's.
 */
export class TopStatements {
  readonly #limit: number;
  readonly #mirrors = new Map<string, Mirror>();

  /** @param limit 0: no series at all. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Takes in what was counted. Called often, so that `other` gets what is its. */
  update(statements: readonly StatementSummary[]): void {
    if (this.#limit === 0) return;
    const byMirror = Map.groupBy(
      statements,
      ({ database, mirror }) => JSON.stringify([database, mirror]),
    );
    for (const [key, ofMirror] of byMirror) {
      let mirror = this.#mirrors.get(key);
      if (mirror === undefined) {
        mirror = newMirror(ofMirror[0] as StatementSummary); // a group has one
        this.#mirrors.set(key, mirror);
      }
      this.#updateMirror(mirror, ofMirror);
    }
  }

  /** Another window begins: statements count from 0 again, and counters go on. */
  begin(): void {
    for (const mirror of this.#mirrors.values()) {
      mirror.before = new Map(
        rowsOf(mirror).slice(1).map(({ labels, tally }) => [
          labels.fingerprint,
          tally,
        ]),
      );
      mirror.seen.clear();
    }
  }

  /** None without a limit, or before anything was counted. */
  families(namespace: string): Family[] {
    if (this.#mirrors.size === 0) return [];
    const rows = [...this.#mirrors.values()].flatMap(rowsOf);
    const name = `${namespace}mirror_top_statement`;
    return [
      {
        name: `${name}_calls_total`,
        help: "Pairs of replies of one statement, by its fingerprint",
        type: "counter",
        series: rows.map(({ labels, tally }) => ({
          labels,
          value: tally.calls,
        })),
      },
      {
        name: `${name}_results_total`,
        help: "Results of comparing one statement",
        type: "counter",
        series: rows.flatMap(({ labels, tally }) =>
          RESULTS.map((result, i) => ({
            labels: { ...labels, result },
            value: tally.results[i] ?? 0,
          }))
        ),
      },
      {
        name: `${name}_duration_seconds`,
        help: "Time of one statement, without the network's",
        type: "histogram",
        buckets: DURATION_BUCKETS,
        series: rows.flatMap(({ labels, tally }) => [
          histogramSeries({ ...labels, target: "primary" }, tally.primary),
          histogramSeries({ ...labels, target: "mirror" }, tally.mirrorLatency),
        ]),
      },
    ];
  }

  #updateMirror(mirror: Mirror, statements: readonly StatementSummary[]): void {
    const { seen, top } = mirror;
    const weight = ({ fingerprint }: StatementSummary) =>
      top.has(fingerprint) ? INCUMBENT : 1;
    const ranked = statements
      .filter(({ fingerprint }) =>
        fingerprint !== OTHER && fingerprint !== EVICTED
      )
      .map((statement) => ({
        fingerprint: statement.fingerprint,
        mismatches: mismatchesOf(statement) * weight(statement),
        calls: statement.calls * weight(statement),
      }))
      .sort((a, b) => b.mismatches - a.mismatches || b.calls - a.calls);
    mirror.top = new Set(
      ranked.slice(0, this.#limit).map(({ fingerprint }) => fingerprint),
    );
    // Their counts are now among those of EVICTED, most of them known already.
    const known = new Set(statements.map(({ fingerprint }) => fingerprint));
    for (const [fingerprint, before] of seen) {
      if (known.has(fingerprint)) continue;
      seen.delete(fingerprint);
      mirror.other = minus(mirror.other, before);
    }
    for (const statement of statements) {
      const { fingerprint } = statement;
      const before = seen.get(fingerprint);
      if (statement === before) continue;
      seen.set(fingerprint, statement);
      if (mirror.top.has(fingerprint)) continue;
      mirror.other = plus(mirror.other, minus(statement, before ?? NOTHING));
    }
  }
}

const NO_TIMES: HistogramSnapshot = {
  counts: new Array<number>(DURATION_BUCKETS.length + 1).fill(0),
  sum: 0,
  count: 0,
};
const NOTHING: Tally = {
  calls: 0,
  results: new Array<number>(RESULTS.length).fill(0),
  primary: NO_TIMES,
  mirrorLatency: NO_TIMES,
};

function newMirror({ database, mirror }: StatementSummary): Mirror {
  return {
    labels: { database, mirror },
    seen: new Map(),
    before: new Map(),
    top: new Set(),
    other: NOTHING,
  };
}

function rowsOf({ labels, seen, before, top, other }: Mirror) {
  const rows = [{ labels: { ...labels, fingerprint: OTHER }, tally: other }];
  for (const fingerprint of top) {
    const [now, earlier] = [seen.get(fingerprint), before.get(fingerprint)];
    if (now === undefined && earlier === undefined) continue;
    const tally = plus(now ?? NOTHING, earlier ?? NOTHING);
    rows.push({ labels: { ...labels, fingerprint }, tally });
  }
  return rows;
}

function histogramSeries(
  labels: Labels,
  histogram: HistogramSnapshot,
): SeriesSnapshot {
  return { labels, value: histogram.count, histogram };
}

function mismatchesOf({ results }: Tally): number {
  return results.reduce((sum, n, i) => sum + (isMismatch(i) ? n : 0), 0);
}

function plus(a: Tally, b: Tally): Tally {
  return combined(a, b, (x, y) => x + y);
}

function minus(a: Tally, b: Tally): Tally {
  return combined(a, b, (x, y) => x - y);
}

function combined(
  a: Tally,
  b: Tally,
  of: (x: number, y: number) => number,
): Tally {
  const each = (x: readonly number[], y: readonly number[]) =>
    x.map((n, i) => of(n, y[i] ?? 0));
  const times = (x: HistogramSnapshot, y: HistogramSnapshot) => ({
    counts: each(x.counts, y.counts),
    sum: of(x.sum, y.sum),
    count: of(x.count, y.count),
  });
  return {
    calls: of(a.calls, b.calls),
    results: each(a.results, b.results),
    primary: times(a.primary, b.primary),
    mirrorLatency: times(a.mirrorLatency, b.mirrorLatency),
  };
}
