import type { Mask } from "../sql/trait.ts";
import { type Answer, readCells } from "./answer.ts";
import {
  type CellRule,
  type CellsAround,
  exact,
  excuseOf,
  pairingKey,
  pairingOrder,
} from "./cell_rules.ts";
import { type Cell, isEqualCell } from "./difference.ts";

/** What holds of the cells. */
export interface RowRules extends CellsAround {
  /** By column; empty: rows are equal or they differ. */
  readonly columns: readonly CellRule[];
}

/** Two answers, and what holds of their cells. */
export interface Sides {
  readonly primary: Answer;
  readonly mirror: Answer;
  readonly rules: RowRules;
  /** Cells need more than their bytes. */
  readonly isLoose: boolean;
}

/** Rows of one side without a twin on the other: their places. */
export interface Unmatched {
  readonly theirs: readonly number[];
  readonly ours: readonly number[];
}

type Cells = readonly Cell[];

/** A row, and its cells. */
interface Row {
  readonly place: number;
  readonly cells: Cells;
}

/** Rows of the mirror that a row is held against when it has no twin, and among rows with equal keys. */
export const MAX_CANDIDATES = 100;
const MAX_TWINS = 20;

/** Whether cells that are not equal may be as good. */
export function isLoose({ mask, form, isFolded }: CellRule): boolean {
  return mask !== undefined || isFolded && form !== undefined;
}

/** Equal for rows that may be twins. */
export function rowKey(row: Uint8Array, { isLoose, rules }: Sides): string {
  if (!isLoose) return exact(row);
  return readCells(row).map((cell, i) => {
    const rule = rules.columns[i];
    const text = rule === undefined
      ? cell && exact(cell)
      : pairingKey(cell, rule, rules);
    return text === undefined ? "n" : `${text.length}:${text}`;
  }).join("");
}

/**
 * Pairs the rows `[from, to)` of both sides by their keys, and among rows with
 * equal keys those of which all cells may differ as they do.
 *
 * @param onPair called for each pair whose cells may differ.
 */
export function findTwins(
  sides: Sides,
  from: number,
  to: number,
  onPair: (primary: Cells, mirror: Cells, place: number) => void,
): Unmatched {
  const groups = new Map<string, { theirs: number[]; ours: number[] }>();
  for (const side of ["primary", "mirror"] as const) {
    const { rows } = sides[side];
    const list = side === "primary" ? "theirs" : "ours";
    for (let i = from; i < Math.min(to, rows.length); i++) {
      const key = rowKey(rows[i] as Uint8Array, sides); // i < length
      const group = groups.get(key);
      if (group !== undefined) group[list].push(i);
      else groups.set(key, { theirs: [], ours: [], [list]: [i] });
    }
  }
  const theirs: number[] = [];
  const ours: number[] = [];
  for (const group of groups.values()) {
    const left = sides.isLoose ? pairAlike(sides, group, onPair) : group;
    const pairs = Math.min(left.theirs.length, left.ours.length);
    // There may be more than a call takes arguments.
    for (const place of left.theirs.slice(pairs)) theirs.push(place);
    for (const place of left.ours.slice(pairs)) ours.push(place);
    if (!sides.isLoose) continue;
    for (let i = 0; i < pairs; i++) {
      const place = left.theirs[i] as number; // i < length
      const cells = cellsOf(sides.primary, place);
      onPair(cells, cellsOf(sides.mirror, left.ours[i] as number), place);
    }
  }
  const byPlace = (a: number, b: number) => a - b;
  return { theirs: theirs.sort(byPlace), ours: ours.sort(byPlace) };
}

/** Pairs rows with equal keys whose cells may differ as they do. @returns the others, the nearest beside each other. */
function pairAlike(
  { primary, mirror, rules }: Sides,
  group: Unmatched,
  onPair: (primary: Cells, mirror: Cells, place: number) => void,
): Unmatched {
  if (group.theirs.length === 1 && group.ours.length === 1) return group;
  const rest = sorted(mirror, group.ours, rules);
  const isTaken: boolean[] = [];
  let head = 0;
  const left: number[] = [];
  for (const { place, cells } of sorted(primary, group.theirs, rules)) {
    let twin: Row | undefined;
    for (let i = head, seen = 0; i < rest.length && seen < MAX_TWINS; i++) {
      if (isTaken[i]) continue;
      const other = rest[i] as Row; // i < length
      seen++;
      if (!mayBeTwins(cells, other.cells, rules)) continue;
      twin = other;
      isTaken[i] = true;
      break;
    }
    while (isTaken[head]) head++;
    if (twin === undefined) left.push(place);
    else onPair(cells, twin.cells, place);
  }
  return {
    theirs: left,
    ours: rest.filter((_, i) => !isTaken[i]).map(({ place }) => place),
  };
}

function mayBeTwins(
  primary: Cells,
  mirror: Cells,
  rules: RowRules,
): boolean {
  return rules.columns.every((rule, i) =>
    rule.mask === undefined || isEqualCell(primary[i], mirror[i]) ||
    excuseOf(primary[i], mirror[i], rule, rules) !== undefined
  );
}

/** Masks by how well the values tell rows apart; all others come last. */
const TELLING: readonly Mask[] = ["float", "time", "age", "moment"];

/** Rows by the numbers and times that may differ: the nearest are at the same place on both sides. */
function sorted(
  side: Answer,
  places: readonly number[],
  { columns }: RowRules,
): readonly Row[] {
  const rank = ({ mask }: CellRule) => {
    const at = mask === undefined ? -1 : TELLING.indexOf(mask);
    return at < 0 ? TELLING.length : at;
  };
  const byRank = columns.map((rule, i) => ({ rule, i }))
    .sort((a, b) => rank(a.rule) - rank(b.rule));
  const rows = places.map((place) => {
    const cells = cellsOf(side, place);
    const order = byRank.map(({ rule, i }) => pairingOrder(cells[i], rule));
    return { place, cells, order };
  });
  return rows.sort((a, b) => {
    const at = a.order.findIndex((value, i) => value !== b.order[i]);
    if (at < 0) return a.place - b.place;
    return (a.order[at] as number) < (b.order[at] as number) ? -1 : 1;
  });
}

function cellsOf({ rows }: Answer, place: number): Cells {
  return readCells(rows[place] as Uint8Array); // the place is one of its rows
}
