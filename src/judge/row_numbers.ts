import { readCells } from "./answer.ts";
import { exact, pairingKey } from "./cell_rules.ts";
import type { Cell } from "./difference.ts";
import type { RowRules, Sides } from "./row_twins.ts";

/**
 * Whether the numbers of rows in `column` are the same on both sides: among
 * rows with equal window keys they may change places.
 *
 * @param within the columns of the window's keys; empty: among all rows.
 */
export function haveSameNumbers(
  { primary, mirror, rules }: Sides,
  column: number,
  within: readonly number[],
): boolean {
  const [theirs, ours] = [primary, mirror].map(({ rows }) =>
    rows.map((row) => {
      const cells = readCells(row);
      const number = cells[column];
      return `${windowKey(cells, within, rules)}=${number && exact(number)}`;
    }).sort().join("\0")
  );
  return theirs === ours;
}

function windowKey(
  cells: readonly Cell[],
  within: readonly number[],
  rules: RowRules,
): string {
  return within.map((key) => {
    const rule = rules.columns[key];
    // Of equal values in several forms the window sees one.
    const text = rule &&
      pairingKey(cells[key], { ...rule, isFolded: true }, rules);
    return text === undefined ? "n" : `${text.length}:${text}`;
  }).join("");
}
