import { readCells } from "./answer.ts";
import { pairingKey } from "./cell_rules.ts";
import { type Cell, type Difference, isEqualCell } from "./difference.ts";
import {
  isLoose,
  MAX_CANDIDATES,
  type RowRules,
  type Sides,
  type Unmatched,
} from "./row_twins.ts";

/** What both sides have in one column of two rows. */
export interface CellDifference {
  /** From 0. */
  readonly column: number;
  readonly primary: Cell;
  readonly mirror: Cell;
}

/** Rows without a twin that are looked at. */
const MAX_UNMATCHED = 100;

/** The first row without a twin, held against the row of the other side that is most like it. */
export function firstDifference(
  sides: Sides,
  { theirs, ours }: Unmatched,
): Difference {
  const [first] = theirs;
  if (first === undefined) return { kind: "extra", row: (ours[0] ?? 0) + 1 };
  const missing: Difference = { kind: "missing", row: first + 1 };
  if (ours.length === 0 || !sides.primary.hasCells) return missing;
  const { equal, cells: [cell] } = mostLike(sides, first, ours);
  const hasTwin = ours.length === theirs.length || equal > 0;
  if (!hasTwin || cell === undefined) return missing;
  return valueDifference(first, cell.column, cell.primary, cell.mirror);
}

/** The cells that differ of each row without a twin. */
export function allDifferences(
  sides: Sides,
  { theirs, ours }: Unmatched,
): readonly (readonly CellDifference[])[] {
  const left = [...ours];
  return theirs.slice(0, MAX_UNMATCHED).map((row) => {
    const { place, cells } = mostLike(sides, row, left);
    if (place !== undefined) left.splice(left.indexOf(place), 1);
    return cells;
  });
}

/** @param row, column from 0. */
export function valueDifference(
  row: number,
  column: number,
  primary: Cell,
  mirror: Cell,
): Difference {
  return {
    kind: "value",
    row: row + 1,
    column: column + 1,
    primary,
    mirror,
  };
}

/** Of some rows of the mirror the one that has most in common with a row of the primary. */
function mostLike(
  { primary, mirror, rules }: Sides,
  row: number,
  ours: readonly number[],
): {
  readonly equal: number;
  readonly place: number | undefined;
  readonly cells: readonly CellDifference[];
} {
  const theirs = readCells(primary.rows[row] as Uint8Array);
  let found: number | undefined;
  let most = -1;
  for (const place of ours.slice(0, MAX_CANDIDATES)) {
    const others = readCells(mirror.rows[place] as Uint8Array);
    const equal = theirs.filter((cell, i) =>
      isAlike(cell, others[i], i, rules)
    ).length;
    if (equal > most) [found, most] = [place, equal];
  }
  if (found === undefined) return { equal: 0, place: found, cells: [] };
  const others = readCells(mirror.rows[found] as Uint8Array);
  const cells: CellDifference[] = [];
  for (let i = 0; i < Math.max(theirs.length, others.length); i++) {
    if (isAlike(theirs[i], others[i], i, rules)) continue;
    cells.push({ column: i, primary: theirs[i], mirror: others[i] });
  }
  return { equal: most, place: found, cells };
}

function isAlike(
  cell: Cell,
  other: Cell,
  column: number,
  rules: RowRules,
): boolean {
  const rule = rules.columns[column];
  return isEqualCell(cell, other) ||
    rule !== undefined && isLoose(rule) &&
      pairingKey(cell, rule, rules) === pairingKey(other, rule, rules);
}
