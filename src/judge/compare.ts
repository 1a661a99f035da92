import {
  FLAG_FATAL,
  FLAG_ROWS,
  KIND_ERROR,
  KIND_MASK,
  KIND_SUSPENDED,
  STATEMENT_COLUMNS,
  STATEMENT_KIND,
  STATEMENT_ROWS,
  STATEMENT_SQLSTATE,
  STATEMENT_TAG,
  tagHash,
  tagText,
} from "../record/mod.ts";
import type { Note } from "../sql/shape.ts";
import { Result } from "../stats/ledger.ts";
import { decodeErrorFields, sqlstate } from "../wire/mod.ts";
import {
  haveEqualDescriptions,
  haveEqualRows,
  readAnswer,
  readCells,
} from "./answer.ts";
import { CHANCES, mayContentsDiffer, mayCountsDiffer } from "./chance_rules.ts";
import { areAtTheMoment } from "./moment_rows.ts";
import { rowsOf } from "./reply_rows.ts";
import type { ComparisonContext, Reply } from "./surroundings.ts";
import { NOT_PREPARED } from "./unprepared.ts";

/** serialization_failure, deadlock_detected, lock_not_available: chance of the moment. */
const CONCURRENCY: ReadonlySet<number> = new Set([
  sqlstate("40001"),
  sqlstate("40P01"),
  sqlstate("55P03"),
]);

const UNIQUE_VIOLATION = sqlstate("23505");

/** undefined_table, undefined_object, internal_error: no object has the OID. */
const OBJECT_GONE: ReadonlySet<number> = new Set([
  sqlstate("42P01"),
  sqlstate("42704"),
  sqlstate("XX000"),
]);

/** undefined_table, undefined_column, undefined_object; 0A000: a cached plan must not change its result's type. */
const NAMES_GONE: ReadonlySet<number> = new Set([
  sqlstate("42P01"),
  sqlstate("42703"),
  sqlstate("42704"),
  sqlstate("0A000"),
]);

/** What follows from an error before: everything is refused, a statement that could not be prepared is not there, nor a savepoint that could not be set. */
const CASCADE: ReadonlySet<number> = new Set([
  sqlstate("25P02"),
  sqlstate("3B001"),
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
    const found = compareErrors(
      p(STATEMENT_SQLSTATE),
      m(STATEMENT_SQLSTATE),
      severities === 0,
      around,
    );
    return found === Result.match &&
        !sayTheSame(primary.answer, mirror.answer)
      ? Result.noteError
      : found;
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
    if (around.shape.note !== undefined) return NOTES[around.shape.note];
    return around.about().concurrentDefinition()
      ? Result.noiseConcurrentWrite
      : Result.mismatchColumns;
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
    // How many rows VALUES has is no chance, whatever else the text says.
    if (!shape.isParsed && tagText(p(STATEMENT_TAG)) === "INSERT") {
      return Result.mismatchCommandTag;
    }
    const rule = around.about().counts();
    const isChance = rule !== undefined &&
      (areAtTheMoment(primary, mirror, around) ??
        mayCountsDiffer(
          rule,
          p(STATEMENT_ROWS),
          m(STATEMENT_ROWS),
          around.about(),
        ));
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
    case "order_unknown": {
      const about = around.about();
      if (about.unique() || about.sortedOtherwise()) {
        return differ(Result.mismatchRows);
      }
      return about.told() ? Result.matchUnordered : Result.noiseTies;
    }
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
        (areAtTheMoment(primary, mirror, around) ??
          mayContentsDiffer(rule, around, found, p(STATEMENT_ROWS)));
      return differ(Result.mismatchRows, isChance ? CHANCES[rule] : undefined);
    }
    case "hidden":
      return differ(Result.mismatchRows);
  }
}

const NOTES: Readonly<Record<Note, number>> = {
  catalog: Result.noteCatalog,
  object: Result.noteCatalog,
  plan: Result.notePlan,
};

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
 * What an error says and of what: message, hint, schema, table, column, type and
 * constraint (manual, "Error and Notice Message Fields"). Its detail has values,
 * the others tell where in the server or the statement it came up.
 */
const TOLD = ["M", "H", "s", "t", "c", "d", "n"];

/** Whether two errors, as far as they are here, say the same. */
function sayTheSame(primary: Uint8Array, mirror: Uint8Array): boolean {
  const theirs = readAnswer(primary).error;
  const ours = readAnswer(mirror).error;
  if (theirs === undefined || ours === undefined) return true;
  const [a, b] = [decodeErrorFields(theirs), decodeErrorFields(ours)];
  return TOLD.every((field) => a[field] === b[field]);
}

/**
 * @param primary packed SQLSTATE, 0 without an error; `mirror` likewise.
 * @param alike both ended the session, or neither.
 */
function compareErrors(
  primary: number,
  mirror: number,
  alike: boolean,
  { failedBefore, about }: ComparisonContext,
): number {
  if (primary === mirror) {
    return alike ? Result.match : Result.mismatchSqlstate;
  }
  if (failedBefore && (CASCADE.has(primary) || CASCADE.has(mirror))) {
    return Result.skippedCascade;
  }
  // In a later transaction it fails again, with what its Parse failed with.
  if (primary === NOT_PREPARED || mirror === NOT_PREPARED) {
    ({ primary, mirror } = about().causes());
    if (primary === mirror) {
      return alike ? Result.match : Result.mismatchSqlstate;
    }
  }
  if (CONCURRENCY.has(primary) || CONCURRENCY.has(mirror)) {
    return Result.noiseConcurrency;
  }
  const isOfKeys = [primary, mirror].every((code) =>
    code === 0 || code === UNIQUE_VIOLATION
  );
  if (isOfKeys && about().concurrentKey()) return Result.noiseConcurrentWrite;
  const isOfNames = [primary, mirror].every((code) =>
    code === 0 || NAMES_GONE.has(code)
  );
  if (isOfNames && about().concurrentDefinition()) {
    return Result.noiseConcurrentWrite;
  }
  if (primary === 0) return Result.mismatchErrorOnMirror;
  return mirror === 0 ? Result.mismatchErrorOnPrimary : Result.mismatchSqlstate;
}
