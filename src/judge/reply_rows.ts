import {
  FLAG_CUT,
  RowHash,
  STATEMENT_HASHED_ROWS,
  STATEMENT_KEPT_ROWS,
  STATEMENT_KIND,
  STATEMENT_ORDERED,
  STATEMENT_ROW_BYTES,
  STATEMENT_ROWS,
  STATEMENT_UNORDERED,
} from "../record/mod.ts";
import { type Answer, haveEqualRows, readAnswer } from "./answer.ts";
import { differenceInRow } from "./chosen_rows.ts";
import { readRows } from "./copy_rows.ts";
import { mayHoldOids, normalAnswer } from "./own_types.ts";
import { isLoose, rowKey } from "./row_twins.ts";
import { compareRows, type RowRules, type RowsFound } from "./rows.ts";
import type { ComparisonContext, Reply, Surroundings } from "./surroundings.ts";

/** What two replies' rows have in common, those behind the bound included. */
type AllRowsFound =
  | RowsFound
  /** Equal as far as they were seen, which is not equal. */
  | { readonly kind: "unseen" }
  /** Their values can't be told apart, and some of them may differ. */
  | { readonly kind: "unread" }
  /** Some differ, of which not both are here: so the bytes or the hashes of all rows together say. */
  | { readonly kind: "hidden" };

/** The rows of both, as far as they were kept, with own types by their names. */
export function answersOf(
  primary: Reply,
  mirror: Reply,
  { about, types, shape }: Pick<ComparisonContext, "shape" | "types"> & {
    readonly about: Pick<Surroundings, "columns">;
  },
): { readonly theirs: Answer; readonly ours: Answer } {
  const columns = about.columns();
  return {
    theirs: normalAnswer(
      readRows(primary.answer, shape),
      columns,
      (oid) => types.primaryMark(oid),
    ),
    ours: normalAnswer(
      readRows(mirror.answer, shape),
      columns,
      (oid) => types.mirrorMark(oid),
    ),
  };
}

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
  const { theirs, ours } = answersOf(primary, mirror, { about, types, shape });
  // With fewer rows than it allows a LIMIT kept all.
  const partial = hasLimit &&
    (limit === undefined || p(STATEMENT_ROWS) >= limit);
  // In lines of a form of their own no key is seen.
  const areLines = !theirs.hasCells && !ours.hasCells;
  const keys = areLines ? about.keys() && "unknown" : about.keys();
  // Keys that are shown tell by themselves which rows are equal in them.
  const limited = partial && !about.unique() &&
    !(keys === "unknown" && about.sortedOtherwise());
  const rules = about.rules();
  const hasNumbers = rules.columns.some(({ mask }) => mask === "numbered");
  const order = {
    keys,
    limited,
    partial: partial || hasNumbers && about.skipsNumbers(),
    cut,
  };
  if (!cut) {
    const found = compareRows(theirs, ours, order, rules);
    const places = hasChosen(found) && theirs.hasCells && about.placesOfRow();
    const inRow = places && differenceInRow(theirs, ours, places);
    if (inRow) return inRow;
    const isSame = found.kind === "permuted" || found.kind === "masked";
    if (isSame && keys === undefined && about.sortedOtherwise()) {
      return firstElsewhere(theirs, ours, rules) ?? found;
    }
    // There nothing tells one value from another.
    const isUnread = areLines && rules.columns.some(isLoose);
    return isUnread && found.kind === "different" ? { kind: "unread" } : found;
  }
  // Which rows a LIMIT keeps among equals is chance, and so is their size; cells that may differ have other sizes.
  const isFree = rules.columns.some(isLoose) || about.counts() !== undefined;
  const areSizesEqual = same(STATEMENT_ROW_BYTES) &&
    same(STATEMENT_ROW_BYTES + 1);
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
  if (limited || isFree) return { kind: "unseen" };
  if (!areSizesEqual) return { kind: "hidden" };
  const columns = about.columns();
  // Numbers of own types are other ones on a server that is alike.
  if (columns === undefined || columns.some(mayHoldOids)) {
    return { kind: "unseen" };
  }
  const [a, b] = [hashOf(primary), hashOf(mirror)];
  if (a === undefined || b === undefined) return { kind: "unseen" };
  if (a !== b) return { kind: "hidden" };
  // In what order the rest of them came is not here.
  return keys === undefined && !about.sortedOtherwise()
    ? { kind: "permuted" }
    : { kind: "unseen" };
}

/** Whether the mirror may have taken other rows. */
function hasChosen(found: RowsFound): boolean {
  return found.kind === "chosen" ||
    found.kind === "masked" && [...found.columns.values()].includes("choice");
}

/** Where the mirror has the same rows in another order; undefined: in none. */
function firstElsewhere(
  primary: Answer,
  mirror: Answer,
  rules: RowRules,
): RowsFound | undefined {
  const sides = {
    primary,
    mirror,
    rules,
    isLoose: primary.hasCells && rules.columns.some(isLoose),
  };
  const row = primary.rows.findIndex((row, i) =>
    rowKey(row, sides) !== rowKey(mirror.rows[i] as Uint8Array, sides) // as many
  );
  return row < 0
    ? undefined
    : { kind: "order_unknown", difference: { kind: "order", row: row + 1 } };
}

/** A hash of all rows in any order; undefined: some are not in it. */
function hashOf({ words, at, answer }: Reply): string | undefined {
  const word = (offset: number) => words[at + offset] as number;
  const { rows } = readAnswer(answer);
  const hashed = word(STATEMENT_HASHED_ROWS);
  if (rows.length + hashed !== word(STATEMENT_ROWS)) return undefined;
  const kept = new RowHash(Infinity);
  for (const row of rows) {
    kept.add(row, 0, row.length);
    kept.end(row.length);
  }
  const a = kept.unorderedA + word(STATEMENT_UNORDERED) | 0;
  const b = kept.unorderedB + word(STATEMENT_UNORDERED + 1) | 0;
  return `${a} ${b}`;
}
