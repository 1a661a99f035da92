import {
  type CompareMode,
  FLAG_CUT,
  FLAG_FATAL,
  FLAG_ROWS,
  KIND_ERROR,
  KIND_MASK,
  STATEMENT_COLUMNS,
  STATEMENT_HASHED_ROWS,
  STATEMENT_KEPT_ROWS,
  STATEMENT_KIND,
  STATEMENT_ORDERED,
  STATEMENT_ROW_BYTES,
  STATEMENT_ROWS,
  STATEMENT_SQLSTATE,
  STATEMENT_TAG,
} from "../record/mod.ts";
import type { CountRule, Shape } from "../sql/shape.ts";
import { Result } from "../stats/ledger.ts";
import { sqlstate } from "../wire/mod.ts";
import { haveEqualDescriptions, haveEqualRows, readAnswer } from "./answer.ts";
import { compareRows, type RowOrder, type RowsFound } from "./rows.ts";

/** What surrounds a pair of replies. */
export interface ComparisonContext {
  readonly mode: CompareMode;
  readonly shape: Shape;
  /** Earlier in this transaction a statement failed on one side only. */
  readonly failedBefore: boolean;
  /** What ORDER BY promises. Asked only when rows differ. */
  readonly keys: () => RowOrder["keys"];
  /** Another transaction may have written what this statement read, on one side before and on the other behind it. Asked only when rows differ. */
  readonly concurrentWrite: () => boolean;
  /** A view, function or trigger behind the statement is volatile. Asked only when rows differ. */
  readonly volatileBehind: () => boolean;
  /** A unique key leaves no choice among rows or their order. Asked only when rows differ. */
  readonly unique: () => boolean;
}

/** One side's statement: an entry of a digest, at word `at`, and the messages that were kept. */
export interface Reply {
  readonly words: Uint32Array;
  readonly at: number;
  readonly answer: Uint8Array;
}

/** serialization_failure, deadlock_detected, lock_not_available: chance of the moment. */
const CONCURRENCY: ReadonlySet<number> = new Set([
  sqlstate("40001"),
  sqlstate("40P01"),
  sqlstate("55P03"),
]);

/** What follows from an error before: everything is refused, a statement that could not be prepared is not there. */
const CASCADE: ReadonlySet<number> = new Set([
  sqlstate("25P02"),
  sqlstate("26000"),
]);

/**
 * Compares what primary and mirror answered to one statement.
 *
 * @returns a position in RESULTS.
 */
export function compare(
  primary: Reply,
  mirror: Reply,
  around: ComparisonContext,
): number {
  const p = (offset: number) => primary.words[primary.at + offset] as number;
  const m = (offset: number) => mirror.words[mirror.at + offset] as number;
  const primaryKind = p(STATEMENT_KIND) & KIND_MASK;
  const mirrorKind = m(STATEMENT_KIND) & KIND_MASK;
  if (primaryKind === KIND_ERROR || mirrorKind === KIND_ERROR) {
    const severities = (p(STATEMENT_KIND) ^ m(STATEMENT_KIND)) & FLAG_FATAL;
    return compareErrors(
      p(STATEMENT_SQLSTATE),
      m(STATEMENT_SQLSTATE),
      severities === 0,
      around.failedBefore,
    );
  }
  if (around.mode === "off") return Result.skippedCompareOff;
  if (p(STATEMENT_TAG) !== m(STATEMENT_TAG)) return Result.mismatchCommandTag;
  if (
    p(STATEMENT_COLUMNS) !== m(STATEMENT_COLUMNS) ||
    !haveEqualDescriptions(primary.answer, mirror.answer)
  ) {
    return Result.mismatchColumns;
  }
  const { noise, counts } = around.shape;
  const differ = (result: number) =>
    noise === "volatile" || around.volatileBehind()
      ? Result.noiseVolatile
      : differStrictly(result);
  // What a statement's nature does to contents is no excuse for their number.
  const differStrictly = (result: number) =>
    noise === "unknown"
      ? Result.skippedUnparsed
      : around.concurrentWrite()
      ? Result.noiseConcurrentWrite
      : result;
  if (p(STATEMENT_ROWS) !== m(STATEMENT_ROWS) || primaryKind !== mirrorKind) {
    const hasRows = ((p(STATEMENT_KIND) | m(STATEMENT_KIND)) & FLAG_ROWS) !== 0;
    if (mayCountsDiffer(counts, p(STATEMENT_ROWS), m(STATEMENT_ROWS))) {
      return Result.noiseVolatile;
    }
    return differStrictly(
      hasRows ? Result.mismatchRowCount : Result.mismatchCommandTag,
    );
  }
  if (around.mode === "shape") return Result.match;
  const found = rowsOf(primary, mirror, around);
  if (found.kind === "equal") return Result.match;
  if (noise === "sequence") return Result.noiseSequence;
  switch (found.kind) {
    case "unseen":
      return Result.skippedTooLarge;
    case "permuted":
      return Result.matchUnordered;
    case "order_unknown":
      return around.unique() ? differ(Result.mismatchRows) : Result.noiseTies;
    // Which rows a LIMIT keeps, of all or of those with equal keys, is chance.
    case "chosen":
      return around.keys() === undefined
        ? Result.noiseVolatile
        : Result.noiseTies;
    case "different":
    case "sizes":
      return differ(Result.mismatchRows);
  }
}

/** What two replies' rows have in common, those behind the bound included. */
type AllRowsFound =
  | RowsFound
  /** Equal as far as they were seen, which is not equal. */
  | { readonly kind: "unseen" }
  /** Behind the bound, the bytes of all rows together tell that some differ. */
  | { readonly kind: "sizes" };

/** Compares the rows of two replies, of which there are equally many, or both are whole. */
export function rowsOf(
  primary: Reply,
  mirror: Reply,
  { keys, unique, shape: { limited: hasLimit, limit } }: Pick<
    ComparisonContext,
    "keys" | "shape" | "unique"
  >,
): AllRowsFound {
  const p = (offset: number) => primary.words[primary.at + offset] as number;
  const m = (offset: number) => mirror.words[mirror.at + offset] as number;
  const same = (offset: number) => p(offset) === m(offset);
  const cut = ((p(STATEMENT_KIND) | m(STATEMENT_KIND)) & FLAG_CUT) !== 0;
  const isEqual = haveEqualRows(primary.answer, mirror.answer);
  if (isEqual && !cut) return { kind: "equal" };
  const isHashed = same(STATEMENT_KEPT_ROWS) && same(STATEMENT_HASHED_ROWS) &&
    p(STATEMENT_KEPT_ROWS) + p(STATEMENT_HASHED_ROWS) === p(STATEMENT_ROWS);
  if (
    isEqual && isHashed && same(STATEMENT_ORDERED) &&
    same(STATEMENT_ORDERED + 1)
  ) return { kind: "equal" };
  const theirs = readAnswer(primary.answer);
  const ours = readAnswer(mirror.answer);
  // With fewer rows than it allows a LIMIT kept all.
  const limited = hasLimit && !unique() &&
    (limit === undefined || p(STATEMENT_ROWS) >= limit);
  const order = { keys: keys(), limited, cut };
  if (!cut) return compareRows(theirs, ours, order);
  // Which rows a LIMIT keeps among equals is chance, and so is their size.
  const isChoice = limited && !Array.isArray(order.keys);
  const areSizesEqual = same(STATEMENT_ROW_BYTES) &&
    same(STATEMENT_ROW_BYTES + 1);
  // Without an order the bound has cut two different parts out of the same rows, perhaps.
  if (!Array.isArray(order.keys)) {
    return areSizesEqual || isChoice ? { kind: "unseen" } : { kind: "sizes" };
  }
  const count = Math.min(theirs.rows.length, ours.rows.length);
  const found = compareRows(
    { ...theirs, rows: theirs.rows.slice(0, count) },
    { ...ours, rows: ours.rows.slice(0, count) },
    order,
  );
  if (found.kind === "different") return found;
  return areSizesEqual || limited ? { kind: "unseen" } : { kind: "sizes" };
}

/**
 * Whether counts may differ by a statement's nature.
 *
 * By time: rows at the boundary are those whose time came between the two runs,
 * seconds at most, out of the much longer span from which a query's rows come.
 * A row more or less is such a row, and so are many of many: up to a tenth of
 * the larger count. That all rows of one side lay within those seconds is not
 * believed: an empty table would look the same.
 */
function mayCountsDiffer(
  rule: CountRule | undefined,
  primary: number,
  mirror: number,
): boolean {
  if (rule === undefined) return false;
  if (rule === "any") return true;
  if (primary === 0 || mirror === 0) return false;
  const most = 1 + Math.max(primary, mirror) / 10;
  return rule === "choice" || Math.abs(primary - mirror) <= most;
}

/**
 * @param primary packed SQLSTATE, 0 without an error; `mirror` likewise.
 * @param alike both ended the session, or neither.
 */
function compareErrors(
  primary: number,
  mirror: number,
  alike: boolean,
  failedBefore: boolean,
): number {
  if (primary === mirror) {
    return alike ? Result.match : Result.mismatchSqlstate;
  }
  if (failedBefore && (CASCADE.has(primary) || CASCADE.has(mirror))) {
    return Result.skippedCascade;
  }
  if (CONCURRENCY.has(primary) || CONCURRENCY.has(mirror)) {
    return Result.noiseConcurrency;
  }
  if (primary === 0) return Result.mismatchErrorOnMirror;
  return mirror === 0 ? Result.mismatchErrorOnPrimary : Result.mismatchSqlstate;
}
