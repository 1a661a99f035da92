import { readCells } from "./answer.ts";
import { areEqualKeys, excuseOf } from "./cell_rules.ts";
import { isEqualCell } from "./difference.ts";
import type { RowRules } from "./row_twins.ts";

/** The place behind the rows from `from` on whose keys are equal. */
export function groupEnd(
  rows: readonly Uint8Array[],
  from: number,
  keys: readonly number[],
  rules: RowRules,
): number {
  const first = rows[from] as Uint8Array; // from < length
  let to = from + 1;
  for (; to < rows.length; to++) {
    const row = rows[to] as Uint8Array; // to < length
    if (!haveEqualKeys(first, row, keys, rules)) break;
  }
  return to;
}

/** Whether two rows are equal to an ORDER BY. */
export function haveEqualKeys(
  a: Uint8Array,
  b: Uint8Array,
  keys: readonly number[],
  { columns }: RowRules,
): boolean {
  const [left, right] = [readCells(a), readCells(b)];
  return keys.every((key) => {
    const rule = columns[key];
    return rule === undefined
      ? isEqualCell(left[key], right[key])
      : areEqualKeys(left[key], right[key], rule);
  });
}

/** Whether a row of the mirror may have the place of a row of the primary in an ORDER BY. */
export function haveAlikeKeys(
  primary: Uint8Array,
  mirror: Uint8Array,
  keys: readonly number[],
  rules: RowRules,
): boolean {
  const [left, right] = [readCells(primary), readCells(mirror)];
  return keys.every((key) => {
    const rule = rules.columns[key];
    if (rule === undefined) return isEqualCell(left[key], right[key]);
    return areEqualKeys(left[key], right[key], rule) ||
      rule.mask !== undefined && rule.mask !== "numbered" &&
        excuseOf(left[key], right[key], rule, rules) !== undefined;
  });
}
