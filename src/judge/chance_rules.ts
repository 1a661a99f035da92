import type { CountRule } from "../sql/shape.ts";
import { Result } from "../stats/ledger.ts";
import { type CellRule, fewOf } from "./cell_rules.ts";
import type { Cell } from "./difference.ts";
import { numberOf } from "./number_values.ts";
import type { CellDifference } from "./row_nearest.ts";
import type { RowsFound } from "./rows.ts";
import type { ComparisonContext, Surroundings } from "./surroundings.ts";

const decoder = new TextDecoder();

/** What a rule about the number of rows calls its chance. */
export const CHANCES: Readonly<Record<CountRule, number>> = {
  boundary: Result.noiseTimeBoundary,
  choice: Result.noiseLimit,
  any: Result.noiseVolatile,
  draw: Result.noiseVolatile,
};

/**
 * Whether counts may differ by a statement's nature. All or nothing is no
 * chance, unless lots are drawn: a choice leaves some. A boundary in time moves
 * a few rows, and the only one where no key asks for it.
 */
export function mayCountsDiffer(
  rule: CountRule,
  primary: number,
  mirror: number,
  { certain }: Pick<Surroundings, "certain">,
): boolean {
  if (rule === "draw") return true;
  const isNone = primary === 0 || mirror === 0;
  if (rule !== "boundary") return !isNone;
  return Math.abs(primary - mirror) <= fewOf(Math.max(primary, mirror)) &&
    !(isNone && certain());
}

/** Whether contents may, for the same rule, where the number of rows is the same, in columns without a mask. */
export function mayContentsDiffer(
  rule: CountRule,
  { about, shape: { folds, limited, limit = 0 } }: ComparisonContext,
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
  if (!folds) {
    // A row that came stands in the place of one that went, where the LIMIT has cut it off.
    const mayReplace = limited && rows >= limit && !about().pinned();
    return mayReplace && unmatched <= fewOf(rows) &&
      !areSameRows(about().placesOfRow(), differences());
  }
  if (difference.kind !== "value") return unmatched <= fewOf(rows);
  const { columns } = about().rules();
  let others = 0;
  for (const cells of differences()) {
    let hasOthers = false;
    for (const { column, primary, mirror } of cells) {
      const [theirs, ours] = [primary, mirror].map((cell) =>
        countOf(cell, columns[column])
      );
      if (theirs !== undefined && ours !== undefined) {
        if (!mayCountsDiffer(rule, theirs, ours, about())) return false;
      } else if (primary === undefined || mirror === undefined) return false;
      else hasOthers = true;
    }
    if (hasOthers) others++;
  }
  return others <= fewOf(rows);
}

/**
 * Whether both servers gave a row of the same key, with other values.
 *
 * @param key its place; undefined: none is shown.
 */
function areSameRows(
  [key]: readonly number[] = [],
  differences: readonly (readonly CellDifference[])[],
): boolean {
  return key !== undefined &&
    differences.some((cells) => cells.every(({ column }) => column !== key));
}

/** A count of rows; undefined: another value. */
function countOf(cell: Cell, rule: CellRule | undefined): number | undefined {
  if (cell === undefined) return undefined;
  if (rule !== undefined) {
    const { column: { typeOid, isBinary }, isCount } = rule;
    return isCount ? numberOf(cell, typeOid, isBinary) : undefined;
  }
  const text = decoder.decode(cell.subarray(0, 16));
  return /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}
