import type { TypePair } from "../catalog/mod.ts";
import {
  type CompareMode,
  FLAG_CUT,
  FLAG_FATAL,
  FLAG_ROWS,
  KIND_ERROR,
  KIND_MASK,
  KIND_SUSPENDED,
  STATEMENT_COLUMNS,
  STATEMENT_HASHED_ROWS,
  STATEMENT_KEPT_ROWS,
  STATEMENT_KIND,
  STATEMENT_ORDERED,
  STATEMENT_ROW_BYTES,
  STATEMENT_ROWS,
  STATEMENT_SQLSTATE,
  STATEMENT_TAG,
  tagHash,
} from "../record/mod.ts";
import type { CountRule, Note, Shape } from "../sql/shape.ts";
import type { Mask } from "../sql/trait.ts";
import { Result } from "../stats/ledger.ts";
import { sqlstate } from "../wire/mod.ts";
import {
  haveEqualDescriptions,
  haveEqualRows,
  readAnswer,
  readCells,
} from "./answer.ts";
import { readRows } from "./copy_rows.ts";
import { fewOf } from "./cell_rules.ts";
import type { Column } from "./columns.ts";
import type { Cell } from "./difference.ts";
import { numberOf } from "./number_values.ts";
import { normalAnswer } from "./own_types.ts";
import {
  compareRows,
  type RowOrder,
  type RowRules,
  type RowsFound,
} from "./rows.ts";
import { isLoose } from "./row_twins.ts";
import { NOT_PREPARED } from "./unprepared.ts";
import { INTEGERS } from "./type_oids.ts";

/** What surrounds a pair of replies. */
export interface ComparisonContext {
  readonly mode: CompareMode;
  readonly shape: Shape;
  /** Earlier in this transaction a statement failed on one side only. */
  readonly failedBefore: boolean;
  /** In an earlier one the statement did, perhaps when it was prepared: on these sides. */
  readonly unprepared: { readonly primary: boolean; readonly mirror: boolean };
  /** The types of both servers. */
  readonly types: TypePair;
  /** Asked only when replies differ. */
  readonly about: () => Surroundings;
  /** Cells have differed, and may: by column. */
  readonly onMasked: (columns: ReadonlyMap<number, Mask>) => void;
}

/** What is known of a statement beside its own text. */
export interface Surroundings {
  /** The output columns, as the primary described them last. */
  columns(): readonly Column[] | undefined;
  /** What ORDER BY promises. */
  keys(): RowOrder["keys"];
  /** In what cells may differ. */
  rules(): RowRules;
  /** How the number of rows may differ. */
  counts(): CountRule | undefined;
  /** A unique key leaves no choice among rows or their order. */
  unique(): boolean;
  /** Another transaction may have written what this statement read, on one side before and on the other behind it. */
  concurrentWrite(): boolean;
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

/** undefined_table, undefined_object, internal_error: no object has the OID. */
const OBJECT_GONE: ReadonlySet<number> = new Set([
  sqlstate("42P01"),
  sqlstate("42704"),
  sqlstate("XX000"),
]);

/** What follows from an error before: everything is refused, a statement that could not be prepared is not there. */
const CASCADE: ReadonlySet<number> = new Set([
  sqlstate("25P02"),
  NOT_PREPARED,
]);

/** The end of a transaction that has failed is a ROLLBACK, whatever was asked for. */
const ENDS: ReadonlySet<number> = new Set([
  tagHash("COMMIT"),
  tagHash("PREPARE TRANSACTION"),
  tagHash("ROLLBACK"),
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
    const codes = [p(STATEMENT_SQLSTATE), m(STATEMENT_SQLSTATE)];
    const isObjectGone = around.shape.note === "object" &&
      codes.includes(0) && codes.some((code) => OBJECT_GONE.has(code));
    if (isObjectGone) return Result.noteCatalog;
    const severities = (p(STATEMENT_KIND) ^ m(STATEMENT_KIND)) & FLAG_FATAL;
    return compareErrors(
      p(STATEMENT_SQLSTATE),
      m(STATEMENT_SQLSTATE),
      severities === 0,
      around,
    );
  }
  if (around.mode === "off") return Result.skippedCompareOff;
  // A part of the rows has no tag: that the other side has fewer is told by their number.
  const isPart = primaryKind === KIND_SUSPENDED ||
    mirrorKind === KIND_SUSPENDED;
  if (!isPart && p(STATEMENT_TAG) !== m(STATEMENT_TAG)) {
    const isCascade = around.failedBefore && ENDS.has(p(STATEMENT_TAG)) &&
      ENDS.has(m(STATEMENT_TAG));
    return isCascade ? Result.skippedCascade : Result.mismatchCommandTag;
  }
  if (
    p(STATEMENT_COLUMNS) !== m(STATEMENT_COLUMNS) ||
    !haveEqualDescriptions(primary.answer, mirror.answer, around.types)
  ) {
    return around.shape.note === undefined
      ? Result.mismatchColumns
      : NOTES[around.shape.note];
  }
  const { shape } = around;
  const differ = (result: number, chance?: number) =>
    shape.note !== undefined
      ? NOTES[shape.note]
      : !shape.isParsed
      ? Result.skippedUnparsed
      : chance ??
        (around.about().concurrentWrite()
          ? Result.noiseConcurrentWrite
          : result);
  if (p(STATEMENT_ROWS) !== m(STATEMENT_ROWS) || primaryKind !== mirrorKind) {
    const hasRows = ((p(STATEMENT_KIND) | m(STATEMENT_KIND)) & FLAG_ROWS) !== 0;
    const rule = around.about().counts();
    const isChance = rule !== undefined &&
      mayCountsDiffer(rule, p(STATEMENT_ROWS), m(STATEMENT_ROWS));
    return differ(
      hasRows ? Result.mismatchRowCount : Result.mismatchCommandTag,
      isChance ? CHANCES[rule] : undefined,
    );
  }
  if (around.mode === "shape") return Result.match;
  if (shape.note === "plan") {
    if (haveEqualRows(primary.answer, mirror.answer)) return Result.match;
    return arePlansAlike(primary, mirror)
      ? Result.matchMasked
      : Result.notePlan;
  }
  const found = rowsOf(primary, mirror, around);
  switch (found.kind) {
    case "equal":
      return Result.match;
    case "unseen":
      return Result.skippedTooLarge;
    case "unread":
      return Result.noiseVolatile;
    case "permuted":
      return Result.matchUnordered;
    case "order_unknown":
      return around.about().unique()
        ? differ(Result.mismatchRows)
        : Result.noiseTies;
    // Which rows a LIMIT keeps, of all or of those with equal keys, is chance.
    case "chosen":
      return around.about().keys() === undefined
        ? Result.noiseLimit
        : Result.noiseTies;
    case "masked": {
      around.onMasked(found.columns);
      const masks = new Set(found.columns.values());
      if (masks.has("choice")) return Result.noiseLimit;
      if (masks.has("boundary")) return Result.noiseTimeBoundary;
      return masks.has("ties") ? Result.noiseTies : Result.matchMasked;
    }
    case "different": {
      const rule = around.about().counts();
      const isChance = rule !== undefined &&
        mayContentsDiffer(rule, around, found, p(STATEMENT_ROWS));
      return differ(Result.mismatchRows, isChance ? CHANCES[rule] : undefined);
    }
    case "sizes":
      return differ(Result.mismatchRows);
  }
}

/** What a rule about the number of rows calls its chance. */
const CHANCES: Readonly<Record<CountRule, number>> = {
  boundary: Result.noiseTimeBoundary,
  choice: Result.noiseLimit,
  any: Result.noiseVolatile,
  draw: Result.noiseVolatile,
};
const NOTES: Readonly<Record<Note, number>> = {
  catalog: Result.noteCatalog,
  object: Result.noteCatalog,
  plan: Result.notePlan,
};

/** What two replies' rows have in common, those behind the bound included. */
type AllRowsFound =
  | RowsFound
  /** Equal as far as they were seen, which is not equal. */
  | { readonly kind: "unseen" }
  /** Their values can't be told apart, and some of them may differ. */
  | { readonly kind: "unread" }
  /** Behind the bound, the bytes of all rows together tell that some differ. */
  | { readonly kind: "sizes" };

/** Compares the rows of two replies, of which there are equally many, or both are whole. */
export function rowsOf(
  primary: Reply,
  mirror: Reply,
  { about: ask, types, shape }: Pick<
    ComparisonContext,
    "about" | "shape" | "types"
  >,
): AllRowsFound {
  const { limited: hasLimit, limit } = shape;
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
  const about = ask();
  const columns = about.columns();
  const theirs = normalAnswer(
    readRows(primary.answer, shape),
    columns,
    (oid) => types.primaryMark(oid),
  );
  const ours = normalAnswer(
    readRows(mirror.answer, shape),
    columns,
    (oid) => types.mirrorMark(oid),
  );
  // With fewer rows than it allows a LIMIT kept all.
  const partial = hasLimit &&
    (limit === undefined || p(STATEMENT_ROWS) >= limit);
  const limited = partial && !about.unique();
  const order = { keys: about.keys(), limited, partial, cut };
  const rules = about.rules();
  if (!cut) {
    const found = compareRows(theirs, ours, order, rules);
    // In lines of a form of their own nothing tells one value from another.
    const areLines = !theirs.hasCells && rules.columns.some(isLoose);
    return areLines && found.kind === "different" ? { kind: "unread" } : found;
  }
  // Which rows a LIMIT keeps among equals is chance, and so is their size; cells that may differ have other sizes.
  const isFree = rules.columns.some(isLoose) || about.counts() !== undefined;
  const areSizesEqual = same(STATEMENT_ROW_BYTES) &&
    same(STATEMENT_ROW_BYTES + 1);
  const { keys } = order;
  const isSorted = Array.isArray(keys) &&
    keys.every((key) => rules.columns[key]?.mask === undefined);
  // Without an order the bound has cut two different parts out of the same rows, perhaps.
  if (isSorted) {
    const count = Math.min(theirs.rows.length, ours.rows.length);
    const found = compareRows(
      { ...theirs, rows: theirs.rows.slice(0, count) },
      { ...ours, rows: ours.rows.slice(0, count) },
      order,
      rules,
    );
    if (found.kind === "different") return found;
  }
  return areSizesEqual || limited || isFree
    ? { kind: "unseen" }
    : { kind: "sizes" };
}

/**
 * Whether counts may differ by a statement's nature. All or nothing is no
 * chance, unless lots are drawn: a boundary in time moves a few rows, a choice
 * leaves some.
 */
function mayCountsDiffer(
  rule: CountRule,
  primary: number,
  mirror: number,
): boolean {
  if (rule === "draw") return true;
  if (primary === 0 || mirror === 0) return false;
  return rule !== "boundary" ||
    Math.abs(primary - mirror) <= fewOf(Math.max(primary, mirror));
}

/** Whether contents may, for the same rule, where the number of rows is the same, in columns without a mask. */
function mayContentsDiffer(
  rule: CountRule,
  { about, shape: { folds, limited } }: ComparisonContext,
  { difference, differences, unmatched }: Extract<
    RowsFound,
    { kind: "different" }
  >,
  rows: number,
): boolean {
  switch (rule) {
    case "choice":
      // A choice masks the columns that it reaches; what is made of several chosen rows has no mask.
      return folds;
    case "any":
    case "draw":
      // Chance decides which rows there are, but of one row not what is in it.
      return folds || !about().unique();
  }
  // A row that came stands in the place of one that went.
  if (!folds) return limited && unmatched <= fewOf(rows);
  if (difference.kind !== "value") return unmatched <= fewOf(rows);
  const columns = about().columns();
  let others = 0;
  for (const cells of differences()) {
    let hasOthers = false;
    for (const { column, primary, mirror } of cells) {
      const [theirs, ours] = [primary, mirror].map((cell) =>
        countOf(cell, columns?.[column])
      );
      if (theirs !== undefined && ours !== undefined) {
        if (!mayCountsDiffer(rule, theirs, ours)) return false;
      } else if (primary === undefined || mirror === undefined) return false;
      else hasOthers = true;
    }
    if (hasOthers) others++;
  }
  return others <= fewOf(rows);
}

/** A count; undefined: another value. */
function countOf(cell: Cell, column: Column | undefined): number | undefined {
  if (cell === undefined) return undefined;
  if (column !== undefined) {
    const { typeOid, isBinary } = column;
    return INTEGERS.has(typeOid)
      ? numberOf(cell, typeOid, isBinary)
      : undefined;
  }
  const text = decoder.decode(cell.subarray(0, 16));
  return /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

const decoder = new TextDecoder();

/** Whether plans are the same but for numbers; lines in another order are another plan. */
function arePlansAlike(primary: Reply, mirror: Reply): boolean {
  const [theirs, ours] = [primary, mirror].map(({ answer }) =>
    readAnswer(answer).rows.map((row) =>
      decoder.decode(readCells(row)[0]).replace(/\d+(\.\d+)?/g, "#")
    ).join("\n")
  );
  return theirs === ours;
}

/**
 * @param primary packed SQLSTATE, 0 without an error; `mirror` likewise.
 * @param alike both ended the session, or neither.
 */
function compareErrors(
  primary: number,
  mirror: number,
  alike: boolean,
  { failedBefore, unprepared }: ComparisonContext,
): number {
  if (primary === mirror) {
    return alike ? Result.match : Result.mismatchSqlstate;
  }
  if (
    mirror === NOT_PREPARED && unprepared.mirror ||
    primary === NOT_PREPARED && unprepared.primary
  ) return Result.skippedCascade;
  if (failedBefore && (CASCADE.has(primary) || CASCADE.has(mirror))) {
    return Result.skippedCascade;
  }
  if (CONCURRENCY.has(primary) || CONCURRENCY.has(mirror)) {
    return Result.noiseConcurrency;
  }
  if (primary === 0) return Result.mismatchErrorOnMirror;
  return mirror === 0 ? Result.mismatchErrorOnPrimary : Result.mismatchSqlstate;
}
