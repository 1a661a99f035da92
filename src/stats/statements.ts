import {
  type LatencyComparison,
  latencyComparison,
} from "./latency_comparison.ts";
import { addSketches, type LatencySketch } from "./latency_sketch.ts";
import type { HistogramSnapshot } from "./snapshot.ts";

/** One side of an example: what the server answered. */
export interface Outcome {
  /** `complete`, `error`, … */
  readonly kind: string;
  readonly sqlstate: string | null;
  readonly tag: string | null;
  readonly rows: number;
  /** The value there, or the error's text; without `mirror_examples = "clear"` the value's length, if anything. */
  readonly detail: string | null;
}

/** A difference that was seen, kept to be looked at. */
export interface Example {
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** One of RESULTS. */
  readonly result: string;
  readonly primary: Outcome;
  readonly mirror: Outcome;
  /** The session's number. */
  readonly session: number;
  /** Where the rows differ, by row and column; holds no value. */
  readonly difference: string | null;
  /** The statement as sent, with its values; null unless `mirror_examples` is "clear". */
  readonly values: string | null;
}

/** An example for readers that must not see what clients sent and got. */
export function withoutValues(example: Example): Example {
  const { primary, mirror } = example;
  return {
    ...example,
    primary: { ...primary, detail: null },
    mirror: { ...mirror, detail: null },
    values: null,
  };
}

/** Mismatches of one kind: what a rule accepts, or does not. */
export interface MismatchCount {
  /** One of RESULTS. */
  readonly result: string;
  /** `00000` without an error; null: several, or not known. */
  readonly mirrorSqlstate: string | null;
  readonly primarySqlstate: string | null;
  /** They may come of what the mirror has drawn by itself: they speak neither for it nor against it. */
  readonly mayBeDrift?: boolean;
  readonly count: number;
  /** Replayed requests whose first error on the mirror was one of these. */
  readonly requests: number;
}

/** Differences of one kind, in a statement that reads or writes what the mirror has drawn by itself. */
export interface DriftCount {
  /** As `schema.relation.column`. */
  readonly column: string;
  /** One of RESULTS: a mismatch or noise. */
  readonly result: string;
  readonly mirrorSqlstate: string | null;
  readonly primarySqlstate: string | null;
  readonly count: number;
}

/** What is known of one fingerprint on one mirror, since the window began. */
export interface StatementSummary {
  readonly database: string;
  readonly mirror: string;
  readonly fingerprint: string;
  readonly text: string;
  readonly calls: number;
  /** In the order of RESULTS. */
  readonly results: readonly number[];
  /** The mismatches among them, by kind. */
  readonly outcomes: readonly MismatchCount[];
  /** Rows that the primary returned. */
  readonly rows: number;
  readonly primary: HistogramSnapshot;
  readonly mirrorLatency: HistogramSnapshot;
  /** Of pairs of which both sides succeeded. */
  readonly sketch: LatencySketch;
  /** What the sketch shows. */
  readonly latency: LatencyComparison;
  /** Milliseconds since the epoch. */
  readonly firstSeen: number;
  readonly lastSeen: number;
  /** Columns of which cells differed and may, as `created_at (time)`, with the number of calls. */
  readonly masked: Readonly<Record<string, number>>;
  /** The differences behind which a column may stand that the mirror has drawn. */
  readonly drifted: readonly DriftCount[];
  readonly examples: readonly Example[];
}

/** Statements that a mirror's table holds; beyond it those used least are given up. */
export const MAX_STATEMENTS = 10_000;

/** The fingerprint that has the counts of all statements that were given up. */
export const EVICTED = "evicted";

/** What has changed in one mirror's table. */
export interface StatementChanges {
  readonly database: string;
  readonly mirror: string;
  /** Fingerprints that are no longer in it: their counts are among those of {@linkcode EVICTED}. */
  readonly gone: readonly string[];
  readonly summaries: readonly StatementSummary[];
}

/** The main thread's copy of the mirror workers' tables, and what earlier processes knew. */
export class StatementStore {
  readonly #own = new Map<string, StatementSummary>();
  #restored = new Map<string, StatementSummary>();
  /** Of what is known from both: each second they are asked for, and few change. */
  #joined = new Map<
    string,
    { own: StatementSummary; joined: StatementSummary }
  >();

  /** Takes what has changed; a summary replaces the one before. */
  update({ database, mirror, gone, summaries }: StatementChanges): void {
    for (const fingerprint of gone) {
      this.#own.delete(keyOf({ database, mirror, fingerprint }));
    }
    for (const summary of summaries) this.#own.set(keyOf(summary), summary);
  }

  /** What earlier processes knew; several of one fingerprint are joined. */
  restore(summaries: readonly StatementSummary[]): void {
    this.#restored = new Map();
    this.#joined = new Map();
    for (const summary of summaries) {
      const key = keyOf(summary);
      const known = this.#restored.get(key);
      this.#restored.set(key, known ? joined(known, summary) : summary);
    }
  }

  /** Forgets what is known of this process. */
  forgetOwn(): void {
    this.#own.clear();
  }

  /** Begins anew, without what is known. @returns all of this process. */
  begin(): StatementSummary[] {
    const own = this.own();
    this.#own.clear();
    this.#restored = new Map();
    return own;
  }

  /** All of this process, in the order of their first sight. */
  own(): StatementSummary[] {
    return [...this.#own.values()];
  }

  /** All of all processes, those of this one first. */
  all(): StatementSummary[] {
    if (this.#restored.size === 0) return this.own();
    const own = [...this.#own].map(([key, summary]) => {
      const earlier = this.#restored.get(key);
      return earlier ? this.#join(key, earlier, summary) : summary;
    });
    const others = [...this.#restored].filter(([key]) => !this.#own.has(key));
    return [...own, ...others.map(([, summary]) => summary)];
  }

  #join(
    key: string,
    earlier: StatementSummary,
    own: StatementSummary,
  ): StatementSummary {
    const known = this.#joined.get(key);
    if (known?.own === own) return known.joined;
    const both = joined(earlier, own);
    this.#joined.set(key, { own, joined: both });
    return both;
  }
}

function keyOf(
  { database, mirror, fingerprint }: Pick<
    StatementSummary,
    "database" | "mirror" | "fingerprint"
  >,
): string {
  return JSON.stringify([database, mirror, fingerprint]);
}

/** Examples of one result that are shown. */
const EXAMPLES = 3;

/**
 * Two parts of one fingerprint's story: all that is counted adds up.
 */
function joined(
  earlier: StatementSummary,
  later: StatementSummary,
): StatementSummary {
  const examples = [...later.examples, ...earlier.examples];
  const sketch = addSketches(earlier.sketch, later.sketch);
  const masked = { ...earlier.masked };
  for (const [name, count] of Object.entries(later.masked)) {
    masked[name] = (masked[name] ?? 0) + count;
  }
  return {
    ...later,
    calls: earlier.calls + later.calls,
    results: later.results.map((n, i) => n + (earlier.results[i] ?? 0)),
    outcomes: joinedOutcomes([...earlier.outcomes, ...later.outcomes]),
    rows: earlier.rows + later.rows,
    primary: sum(earlier.primary, later.primary),
    mirrorLatency: sum(earlier.mirrorLatency, later.mirrorLatency),
    sketch,
    latency: latencyComparison(sketch),
    firstSeen: Math.min(earlier.firstSeen, later.firstSeen),
    lastSeen: Math.max(earlier.lastSeen, later.lastSeen),
    masked,
    drifted: joinedDrift([...earlier.drifted, ...later.drifted]),
    examples: examples.filter((example, i) =>
      examples.slice(0, i)
        .filter(({ result }) => result === example.result).length < EXAMPLES
    ),
  };
}

/** One of each kind. */
export function joinedOutcomes(
  outcomes: readonly MismatchCount[],
): MismatchCount[] {
  const kinds = new Map<string, MismatchCount>();
  for (const outcome of outcomes) {
    const { result, mirrorSqlstate, primarySqlstate, mayBeDrift } = outcome;
    const key = JSON.stringify([
      result,
      mirrorSqlstate,
      primarySqlstate,
      mayBeDrift ?? false,
    ]);
    const known = kinds.get(key);
    kinds.set(
      key,
      known === undefined ? outcome : {
        ...known,
        count: known.count + outcome.count,
        requests: known.requests + outcome.requests,
      },
    );
  }
  return [...kinds.values()];
}

/** One of each column and kind. */
function joinedDrift(counts: readonly DriftCount[]): DriftCount[] {
  const kinds = new Map<string, DriftCount>();
  for (const one of counts) {
    const { count, ...kind } = one;
    const key = JSON.stringify(Object.entries(kind).sort());
    kinds.set(key, { ...one, count: count + (kinds.get(key)?.count ?? 0) });
  }
  return [...kinds.values()];
}

function sum(a: HistogramSnapshot, b: HistogramSnapshot): HistogramSnapshot {
  return {
    counts: b.counts.map((n, i) => n + (a.counts[i] ?? 0)),
    sum: a.sum + b.sum,
    count: a.count + b.count,
  };
}
