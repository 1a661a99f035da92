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
import { OTHER_SHAPE, type Shape } from "../sql/shape.ts";
import {
  EVICTED,
  isMismatch,
  isNoise,
  isNote,
  MAX_STATEMENTS,
  type Outcome,
  Result,
  RESULTS,
  type StatementChanges,
  type StatementSummary,
} from "../stats/mod.ts";
import { unpackSqlstate } from "../wire/mod.ts";
import { mayBeDrift } from "./drift.ts";
import type { MismatchKind } from "./mismatch_counts.ts";
import type { Causes, Reply } from "./surroundings.ts";
import { StatementEntry } from "./statement_entry.ts";
import type { DifferenceText } from "./difference.ts";

/** Bound of what they hold, in bytes. */
const MAX_BYTES = 64 * 1024 * 1024;

/** One compared pair. */
export interface ComparedPair {
  readonly shape: Shape;
  /** Position in RESULTS. */
  readonly result: number;
  readonly primary: Reply | undefined;
  readonly mirror: Reply | undefined;
  /** What both have failed with, asked for only of a mismatch. */
  readonly causes: () => Causes;
  /** Microseconds, each less its connection's floor. */
  readonly primaryUs: number;
  readonly mirrorUs: number;
  readonly session: number;
  /** Columns of which cells differed, and may. */
  readonly masked: readonly string[];
  /** The drawn columns that may stand behind the difference, asked for only of a mismatch or noise. */
  readonly drifted: () => readonly string[];
  /** What differs, asked for only if an example is kept. */
  readonly difference: () => DifferenceText;
  /** The values, asked for only if an example is kept. */
  readonly values: () => string | null;
}

/**
 * All fingerprints of one mirror, within a bound. Beyond it the one used least
 * is given up, one without a mismatch before one with; its counts go to one
 * entry that stands for all of them, so that sums stay exact.
 */
export class StatementTable {
  readonly #database: string;
  readonly #mirror: string;
  readonly #maxEntries: number;
  readonly #onFull: () => void;
  /**
   * By fingerprint, those used least first: without a mismatch, and with one.
   * Several shapes may have one fingerprint, a cursor's and its query's.
   */
  readonly #alike = new Map<string, StatementEntry>();
  readonly #different = new Map<string, StatementEntry>();
  /** Of both, as of when each was last used. */
  #bytes = 0;
  readonly #changed = new Set<StatementEntry>();
  #evicted: StatementEntry | undefined;
  /** Told of once, and given up since. */
  #gone = new Set<string>();
  readonly #told = new Set<string>();

  constructor(
    options: {
      readonly database: string;
      readonly mirror: string;
      readonly maxEntries?: number;
      /** The first statement is given up. */
      readonly onFull?: () => void;
    },
  ) {
    this.#database = options.database;
    this.#mirror = options.mirror;
    this.#maxEntries = options.maxEntries ?? MAX_STATEMENTS;
    this.#onFull = options.onFull ?? (() => {});
  }

  /** Counts a pair. */
  add(pair: ComparedPair): void {
    const { shape, result, primary, mirror } = pair;
    const entry = this.#take(shape);
    entry.calls++;
    entry.lastSeen = Date.now();
    (entry.results[result] as number)++;
    if (primary !== undefined) {
      entry.primary.add(pair.primaryUs / 1e6);
      entry.rows += primary.words[primary.at + STATEMENT_ROWS] as number;
    }
    if (mirror !== undefined) entry.mirror.add(pair.mirrorUs / 1e6);
    if (result < Result.mismatchErrorOnMirror && !isError(primary)) {
      entry.latency.add(pair.primaryUs, pair.mirrorUs, entry.lastSeen);
    }
    for (const column of pair.masked) entry.countMasked(column, 1);
    if (isMismatch(result) || isNoise(result)) {
      const isOpen = isMismatch(result);
      const columns = pair.drifted();
      const causes = isOpen ? pair.causes() : NO_ERRORS;
      const kind = mismatchKind(result, causes, columns);
      if (isOpen) entry.outcomes.add(kind, 1, 0);
      entry.drifted.add(columns, kind);
    }
    if (isMismatch(result) || isNote(result) || isNoise(result)) {
      this.#keepExample(entry, pair);
    }
    this.#putBack(entry);
  }

  /** A request is replayed whose first error on the mirror was this statement's. */
  countRequest(shape: Shape, kind: MismatchKind): void {
    const { fingerprint } = shape;
    const known = this.#alike.has(fingerprint) ||
      this.#different.has(fingerprint);
    if (!known && this.#evicted !== undefined) {
      this.#evicted.outcomes.add(kind, 0, 1);
      this.#changed.add(this.#evicted);
      return;
    }
    // Another window may have begun since the error.
    const entry = this.#take(shape);
    entry.outcomes.add(kind, 0, 1);
    this.#putBack(entry);
  }

  /** Begins anew: nothing is known. */
  clear(): void {
    for (const entries of [this.#alike, this.#different]) entries.clear();
    this.#bytes = 0;
    this.#changed.clear();
    this.#evicted = undefined;
    this.#gone = new Set();
    this.#told.clear();
  }

  /**
   * What has changed since it was last asked for: of statements at most `limit`,
   * and all that were given up together with where their counts went.
   */
  takeChanged(limit: number): StatementChanges {
    const summaries: StatementSummary[] = [];
    const gone = [...this.#gone];
    this.#gone = new Set();
    const take = (entry: StatementEntry) => {
      this.#changed.delete(entry);
      this.#told.add(entry.shape.fingerprint);
      summaries.push(entry.summary({
        database: this.#database,
        mirror: this.#mirror,
      }));
    };
    if (this.#evicted !== undefined && this.#changed.has(this.#evicted)) {
      take(this.#evicted);
    }
    // Rules accept what is known here: mismatches are told first.
    for (const differ of [true, false]) {
      for (const entry of this.#changed) {
        if (summaries.length >= limit) break;
        if (entry.hasMismatches === differ) take(entry);
      }
    }
    return { database: this.#database, mirror: this.#mirror, gone, summaries };
  }

  /** Takes a statement's entry out of its place, or makes one. */
  #take(shape: Shape): StatementEntry {
    const { fingerprint } = shape;
    for (const entries of [this.#alike, this.#different]) {
      const entry = entries.get(fingerprint);
      if (entry === undefined) continue;
      entries.delete(fingerprint);
      this.#bytes -= entry.bytes;
      return entry;
    }
    return new StatementEntry(shape);
  }

  /** Puts an entry last, and gives up others if there is no room. */
  #putBack(entry: StatementEntry): void {
    const { bytes } = entry;
    const room = () =>
      this.#alike.size + this.#different.size < this.#maxEntries &&
      this.#bytes + bytes <= MAX_BYTES;
    while (!room() && this.#evictOne());
    const entries = entry.hasMismatches ? this.#different : this.#alike;
    entries.set(entry.shape.fingerprint, entry);
    this.#bytes += bytes;
    this.#changed.add(entry);
  }

  /** @returns false if there is none. */
  #evictOne(): boolean {
    const entries = this.#alike.size > 0 ? this.#alike : this.#different;
    const [oldest] = entries.values();
    if (oldest === undefined) return false;
    const { fingerprint } = oldest.shape;
    entries.delete(fingerprint);
    this.#bytes -= oldest.bytes;
    this.#changed.delete(oldest);
    if (this.#told.delete(fingerprint)) this.#gone.add(fingerprint);
    if (this.#evicted === undefined) {
      this.#evicted = new StatementEntry(EVICTED_SHAPE);
      this.#onFull();
    }
    this.#evicted.fold(oldest);
    this.#changed.add(this.#evicted);
    return true;
  }

  #keepExample(entry: StatementEntry, pair: ComparedPair): void {
    const result = RESULTS[pair.result] as string; // a position in RESULTS
    if (!entry.wantsExample(result)) return;
    const difference = pair.difference();
    entry.keepExample({
      at: Date.now(),
      result,
      primary: outcome(pair.primary, difference.primary),
      mirror: outcome(pair.mirror, difference.mirror),
      session: pair.session,
      difference: difference.place,
      values: pair.values(),
    });
  }
}

/** Stands for all statements that were given up. */
const EVICTED_SHAPE: Shape = {
  ...OTHER_SHAPE,
  fingerprint: EVICTED,
  text: "(statements that were given up for others: too many, used least)",
};

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

/** Rules accept noise by its name alone. */
const NO_ERRORS: Causes = { primary: 0, mirror: 0 };

/**
 * What a rule may accept a mismatch by, and whether it says anything.
 *
 * @param drifted the drawn columns that may stand behind it.
 */
export function mismatchKind(
  result: number,
  { primary, mirror }: Causes,
  drifted: readonly string[],
): MismatchKind {
  const mirrorSqlstate = textOf(mirror);
  return {
    result: RESULTS[result] as string, // a position in RESULTS
    mirrorSqlstate,
    primarySqlstate: textOf(primary),
    mayBeDrift: mayBeDrift(drifted, mirrorSqlstate),
  };
}

function textOf(sqlstate: number): string {
  return sqlstate === 0 ? "00000" : unpackSqlstate(sqlstate);
}

function isError(reply: Reply | undefined): boolean {
  return reply === undefined ||
    ((reply.words[reply.at + STATEMENT_KIND] as number) & KIND_MASK) ===
      KIND_ERROR;
}
