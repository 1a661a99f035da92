import {
  KIND_COMPLETE,
  KIND_DESCRIBED,
  KIND_EMPTY,
  KIND_ERROR,
  KIND_FUNCTION,
  KIND_MASK,
  KIND_SUSPENDED,
  STATEMENT_KIND,
  STATEMENT_ROWS,
  STATEMENT_SQLSTATE,
  STATEMENT_TAG,
  tagText,
} from "../record/mod.ts";
import type { Shape } from "../sql/shape.ts";
import {
  DURATION_BUCKETS,
  type Example,
  isMismatch,
  medianInterval,
  type Outcome,
  Result,
  RESULTS,
  signTest,
  type StatementSummary,
} from "../stats/mod.ts";
import { unpackSqlstate } from "../wire/mod.ts";
import type { Reply } from "./compare.ts";
import type { DifferenceText } from "./difference.ts";

/** Pairs kept for the median: a uniform sample of all (Vitter's algorithm R). */
const SAMPLE = 500;
/** Examples kept of each result. */
const EXAMPLES = 3;
/** Relations counted apart in noise{sequence}. */
const MAX_SEQUENCES = 20;
/** Times below this are all the same: the clock and the loop are no better. */
const RESOLUTION_US = 50;

/** One compared pair. */
export interface ComparedPair {
  readonly shape: Shape;
  /** Position in RESULTS. */
  readonly result: number;
  readonly primary: Reply | undefined;
  readonly mirror: Reply | undefined;
  /** Microseconds, each less its connection's floor. */
  readonly primaryUs: number;
  readonly mirrorUs: number;
  readonly session: number;
  /** What differs, asked for only if an example is kept. */
  readonly difference: () => DifferenceText;
  /** The values, asked for only if an example is kept. */
  readonly values: () => string | null;
}

/** What is known of one fingerprint. */
class StatementEntry {
  calls = 0;
  rows = 0;
  readonly results = new Float64Array(RESULTS.length);
  readonly primary = new Histogram();
  readonly mirror = new Histogram();
  readonly firstSeen = Date.now();
  lastSeen = this.firstSeen;
  /** Pairs of which both sides succeeded: sampled in `ratios` and `differences`. */
  pairs = 0;
  readonly ratios: number[] = [];
  readonly differences: number[] = [];
  readonly sequences: Record<string, number> = {};
  readonly examples: Example[] = [];

  constructor(readonly shape: Shape) {}
}

/** All fingerprints of one mirror. The number of shapes is bounded by their cache. */
export class StatementTable {
  readonly #database: string;
  readonly #mirror: string;
  /** The ratio above which a statement counts as slower. */
  maxRatio: number;
  readonly #random: () => number;
  /** By fingerprint: several shapes may have one, a cursor's and its query's. */
  readonly #entries = new Map<string, StatementEntry>();
  readonly #changed = new Set<StatementEntry>();

  constructor(
    options: {
      readonly database: string;
      readonly mirror: string;
      readonly maxRatio: number;
      readonly random: () => number;
    },
  ) {
    this.#database = options.database;
    this.#mirror = options.mirror;
    this.maxRatio = options.maxRatio;
    this.#random = options.random;
  }

  /** Counts a pair. */
  add(pair: ComparedPair): void {
    const { shape, result, primary, mirror } = pair;
    let entry = this.#entries.get(shape.fingerprint);
    if (entry === undefined) {
      entry = new StatementEntry(shape);
      this.#entries.set(shape.fingerprint, entry);
    }
    this.#changed.add(entry);
    entry.calls++;
    entry.lastSeen = Date.now();
    (entry.results[result] as number)++;
    if (primary !== undefined) {
      entry.primary.add(pair.primaryUs / 1e6);
      entry.rows += primary.words[primary.at + STATEMENT_ROWS] as number;
    }
    if (mirror !== undefined) entry.mirror.add(pair.mirrorUs / 1e6);
    if (result < Result.mismatchErrorOnMirror && !isError(primary)) {
      this.#sample(entry, pair.primaryUs, pair.mirrorUs);
    }
    if (result === Result.noiseSequence && shape.sequenceOf !== undefined) {
      const { sequences } = entry;
      const known = sequences[shape.sequenceOf];
      if (
        known !== undefined || Object.keys(sequences).length < MAX_SEQUENCES
      ) sequences[shape.sequenceOf] = (known ?? 0) + 1;
    }
    if (isMismatch(result)) this.#keepExample(entry, pair);
  }

  /** Summaries of at most `limit` fingerprints that have changed since they were last taken. */
  takeChanged(limit: number): StatementSummary[] {
    const summaries: StatementSummary[] = [];
    for (const entry of this.#changed) {
      if (summaries.length === limit) break;
      this.#changed.delete(entry);
      summaries.push(this.#summary(entry));
    }
    return summaries;
  }

  #sample(entry: StatementEntry, primaryUs: number, mirrorUs: number): void {
    const primary = Math.max(primaryUs, RESOLUTION_US);
    const mirror = Math.max(mirrorUs, RESOLUTION_US);
    entry.pairs++;
    const place = entry.ratios.length < SAMPLE
      ? entry.ratios.length
      : Math.floor(this.#random() * entry.pairs);
    if (place >= SAMPLE) return;
    entry.ratios[place] = mirror / primary;
    entry.differences[place] = (mirror - primary) / 1e6;
  }

  #keepExample(entry: StatementEntry, pair: ComparedPair): void {
    const result = RESULTS[pair.result] as string; // a position in RESULTS
    const same = entry.examples.filter((example) => example.result === result);
    if (same.length === EXAMPLES) return;
    const difference = pair.difference();
    entry.examples.push({
      at: Date.now(),
      result,
      primary: outcome(pair.primary, difference.primary),
      mirror: outcome(pair.mirror, difference.mirror),
      session: pair.session,
      difference: difference.place,
      values: pair.values(),
    });
  }

  #summary(entry: StatementEntry): StatementSummary {
    const ratios = entry.ratios.toSorted((a, b) => a - b);
    const differences = entry.differences.toSorted((a, b) => a - b);
    const interval = ratios.length < 2 ? undefined : medianInterval(ratios);
    const unequal = ratios.filter((ratio) => ratio !== this.maxRatio);
    return {
      database: this.#database,
      mirror: this.#mirror,
      fingerprint: entry.shape.fingerprint,
      text: entry.shape.text,
      calls: entry.calls,
      results: [...entry.results],
      rows: entry.rows,
      primary: entry.primary.snapshot(),
      mirrorLatency: entry.mirror.snapshot(),
      latency: {
        pairs: entry.pairs,
        ratio: interval?.median ?? null,
        ratioLow: finite(interval?.low),
        ratioHigh: finite(interval?.high),
        difference: differences.length < 2
          ? null
          : medianInterval(differences).median,
        pValue: signTest(
          unequal.filter((ratio) => ratio > this.maxRatio).length,
          unequal.length,
        ),
      },
      firstSeen: entry.firstSeen,
      lastSeen: entry.lastSeen,
      sequences: { ...entry.sequences },
      examples: [...entry.examples],
    };
  }
}

/** A histogram on DURATION_BUCKETS. */
class Histogram {
  readonly #counts = new Float64Array(DURATION_BUCKETS.length + 1);
  #sum = 0;
  #count = 0;

  add(seconds: number): void {
    let bucket = 0;
    while (
      bucket < DURATION_BUCKETS.length &&
      seconds > (DURATION_BUCKETS[bucket] as number)
    ) bucket++;
    (this.#counts[bucket] as number)++;
    this.#sum += seconds;
    this.#count++;
  }

  snapshot() {
    return { counts: [...this.#counts], sum: this.#sum, count: this.#count };
  }
}

const KINDS: Readonly<Record<number, string>> = {
  [KIND_COMPLETE]: "complete",
  [KIND_EMPTY]: "empty query",
  [KIND_ERROR]: "error",
  [KIND_SUSPENDED]: "portal suspended",
  [KIND_FUNCTION]: "function call",
  [KIND_DESCRIBED]: "described",
};

function outcome(reply: Reply | undefined, detail: string | null): Outcome {
  if (reply === undefined) {
    return { kind: "none", sqlstate: null, tag: null, rows: 0, detail };
  }
  const word = (offset: number) => reply.words[reply.at + offset] as number;
  const sqlstate = word(STATEMENT_SQLSTATE);
  return {
    kind: KINDS[word(STATEMENT_KIND) & KIND_MASK] ?? "unknown",
    sqlstate: sqlstate === 0 ? null : unpackSqlstate(sqlstate),
    tag: tagText(word(STATEMENT_TAG)),
    rows: word(STATEMENT_ROWS),
    detail,
  };
}

function isError(reply: Reply | undefined): boolean {
  return reply === undefined ||
    ((reply.words[reply.at + STATEMENT_KIND] as number) & KIND_MASK) ===
      KIND_ERROR;
}

function finite(value: number | undefined): number | null {
  return value === undefined || !Number.isFinite(value) ? null : value;
}
