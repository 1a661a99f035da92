import { type Answer, readCells } from "./answer.ts";
import { exact } from "./cell_rules.ts";
import { isEqualCell } from "./difference.ts";
import { type CellDifference, valueDifference } from "./row_nearest.ts";
import type { RowsFound } from "./rows.ts";

/**
 * A choice may have taken other rows, but a row that both servers give has the
 * same values.
 *
 * @param places columns that show a row as it stands in its relation, the first
 *   of them a unique key.
 * @returns undefined: no row of both differs.
 */
export function differenceInRow(
  primary: Answer,
  mirror: Answer,
  [key = 0, ...others]: readonly number[],
): RowsFound | undefined {
  const ours = new Map(
    mirror.rows.map((row) => {
      const cells = readCells(row);
      return [cells[key] && exact(cells[key]), cells] as const;
    }),
  );
  for (const [row, bytes] of primary.rows.entries()) {
    const theirs = readCells(bytes);
    const twin = theirs[key] && ours.get(exact(theirs[key]));
    if (twin === undefined) continue;
    const column = others.find((i) => !isEqualCell(theirs[i], twin[i]));
    if (column === undefined) continue;
    const [left, right] = [theirs[column], twin[column]];
    const cell: CellDifference = { column, primary: left, mirror: right };
    return {
      kind: "different",
      difference: valueDifference(row, column, left, right),
      differences: () => [[cell]],
      unmatched: 0,
    };
  }
  return undefined;
}
