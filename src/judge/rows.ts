import type { Mask } from "../sql/trait.ts";
import { type Answer, readCells } from "./answer.ts";
import {
  areEqualKeys,
  type CellRule,
  exact,
  excuseOf,
  pairingKey,
  pairingOrder,
} from "./cell_rules.ts";
import { type Cell, type Difference, isEqualCell } from "./difference.ts";

/** What ORDER BY promises of the rows. */
export interface RowOrder {
  /** Positions of its keys; "unknown": one is no output column; undefined: there is no ORDER BY. */
  readonly keys: readonly number[] | "unknown" | undefined;
  /** A LIMIT may have cut the last group of equal keys: which of its rows came is chance. */
  readonly limited: boolean;
  /** The bound has cut the rows: what came behind them is not here. */
  readonly cut: boolean;
}

/** What holds of the cells. */
export interface RowRules {
  /** By column; empty: rows are equal or they differ. */
  readonly columns: readonly CellRule[];
  /** How much later than the primary's the mirror's statement was over, in microseconds. */
  readonly lagUs: number;
}

/** What two lists of rows have in common, as far as they are here. */
export type RowsFound =
  | { readonly kind: "equal" }
  /** The same rows in an order that is as good. */
  | { readonly kind: "permuted" }
  /** The same rows in another order, and nothing tells whether it is as good. */
  | { readonly kind: "order_unknown" }
  /** Rows with equal keys, of which a LIMIT has taken others. */
  | { readonly kind: "chosen" }
  /** Equal but for cells that may differ, in these columns. */
  | { readonly kind: "masked"; readonly columns: ReadonlyMap<number, Mask> }
  | {
    readonly kind: "different";
    readonly difference: Difference;
    /** The cells that differ of rows without a twin, each held against the row that is most like it: so many as are looked at. */
    readonly differences: () => readonly (readonly CellDifference[])[];
    /** Rows that have no twin, of the side that has more of them. */
    readonly unmatched: number;
  };

/** What both sides have in one column of two rows. */
export interface CellDifference {
  /** From 0. */
  readonly column: number;
  readonly primary: Cell;
  readonly mirror: Cell;
}

/** Rows without a twin that are looked at. */
const MAX_UNMATCHED = 100;
/** Candidates that a row without its twin is held against. */
const MAX_CANDIDATES = 100;

const EQUAL: RowsFound = { kind: "equal" };

/** Compares rows as they came, by cells where they differ. */
export function compareRows(
  primary: Answer,
  mirror: Answer,
  order: RowOrder,
  rules: RowRules,
): RowsFound {
  return new RowComparison(primary, mirror, order, rules).found();
}

/** Rows of one side without a twin on the other: their places. */
interface Unmatched {
  readonly theirs: readonly number[];
  readonly ours: readonly number[];
}

class RowComparison {
  readonly #primary: Answer;
  readonly #mirror: Answer;
  readonly #order: RowOrder;
  readonly #rules: RowRules;
  /** Cells need more than their bytes. */
  readonly #isLoose: boolean;
  /** Columns in which paired rows differ. */
  readonly #masked = new Map<number, Mask>();
  #badCell: Difference | undefined;

  constructor(
    primary: Answer,
    mirror: Answer,
    order: RowOrder,
    rules: RowRules,
  ) {
    this.#primary = primary;
    this.#mirror = mirror;
    this.#order = order;
    this.#rules = rules;
    this.#isLoose = primary.hasCells && mirror.hasCells &&
      rules.columns.some(isLoose);
  }

  found(): RowsFound {
    const { keys } = this.#order;
    const sameCount = this.#primary.rows.length === this.#mirror.rows.length;
    // A row more or less moves all that follow it.
    if (sameCount && Array.isArray(keys) && !this.#isKeyMasked(keys)) {
      return this.#ordered(keys);
    }
    const found = this.#unordered(
      sameCount && keys === "unknown" ? "order_unknown" : "permuted",
    );
    return found.kind === "different" && sameCount && this.#order.limited &&
        !Array.isArray(keys)
      ? { kind: "chosen" }
      : found;
  }

  #isKeyMasked(keys: readonly number[]): boolean {
    return keys.some((key) => this.#rules.columns[key]?.mask !== undefined);
  }

  #unordered(permuted: "permuted" | "order_unknown"): RowsFound {
    const { rows } = this.#primary;
    const left = this.#unmatched(rows, this.#mirror.rows, 0);
    if (left.theirs.length + left.ours.length > 0) return this.#nearest(left);
    const bad = this.#badCell ?? this.#badNumbers();
    if (bad !== undefined) return different(bad);
    if (this.#areInOrder(rows, this.#mirror.rows)) return this.#equalOrMasked();
    return permuted === "order_unknown" || this.#masked.size === 0
      ? { kind: permuted }
      : this.#equalOrMasked();
  }

  #equalOrMasked(): RowsFound {
    return this.#masked.size === 0
      ? EQUAL
      : { kind: "masked", columns: this.#masked };
  }

  /** Rows with equal keys are neighbours: each group is compared in any order. */
  #ordered(keys: readonly number[]): RowsFound {
    const { rows } = this.#primary;
    const { limited, cut } = this.#order;
    let permuted = false;
    for (let from = 0; from < rows.length;) {
      const to = this.#groupEnd(rows, from, keys);
      const isLast = to === rows.length;
      if (isLast && cut) break; // the rest of the group is not here
      const ours = this.#mirror.rows.slice(from, to);
      const group = rows.slice(from, to);
      const left = this.#unmatched(group, ours, from);
      if (left.theirs.length + left.ours.length > 0) {
        const first = rows[from] as Uint8Array; // from < length
        const isChoice = isLast && limited &&
          ours.every((row) => this.#haveEqualKeys(first, row, keys));
        return isChoice ? { kind: "chosen" } : this.#disordered(left);
      }
      permuted ||= !this.#areInOrder(group, ours);
      from = to;
    }
    const bad = this.#badCell ??
      (limited || cut ? undefined : this.#badNumbers());
    if (bad !== undefined) return different(bad);
    return this.#masked.size === 0 && permuted
      ? { kind: "permuted" }
      : this.#equalOrMasked();
  }

  /** A group has others: all rows are there in another order, or some differ. */
  #disordered(left: Unmatched): RowsFound {
    const { rows } = this.#primary;
    const all = this.#unmatched(rows, this.#mirror.rows, 0);
    if (!this.#order.cut && all.theirs.length + all.ours.length === 0) {
      const row = rows.findIndex((row, i) =>
        this.#key(row) !== this.#key(this.#mirror.rows[i] as Uint8Array)
      );
      return different({ kind: "order", row: row + 1 });
    }
    return this.#nearest(left);
  }

  #groupEnd(
    rows: readonly Uint8Array[],
    from: number,
    keys: readonly number[],
  ): number {
    const first = rows[from] as Uint8Array; // from < length
    let to = from + 1;
    for (; to < rows.length; to++) {
      if (!this.#haveEqualKeys(first, rows[to] as Uint8Array, keys)) break;
    }
    return to;
  }

  #haveEqualKeys(
    a: Uint8Array,
    b: Uint8Array,
    keys: readonly number[],
  ): boolean {
    const left = readCells(a);
    const right = readCells(b);
    return keys.every((key) => {
      const rule = this.#rules.columns[key];
      return rule === undefined
        ? isEqualCell(left[key], right[key])
        : areEqualKeys(left[key], right[key], rule);
    });
  }

  /** Pairs rows by their keys, and looks at the cells of pairs. @param offset of the places. */
  #unmatched(
    primary: readonly Uint8Array[],
    mirror: readonly Uint8Array[],
    offset: number,
  ): Unmatched {
    const places = new Map<string, number[]>();
    for (const i of this.#pairingOrder(mirror)) {
      const key = this.#key(mirror[i] as Uint8Array);
      const known = places.get(key);
      if (known === undefined) places.set(key, [i]);
      else known.push(i);
    }
    for (const known of places.values()) known.reverse();
    const theirs: number[] = [];
    for (const i of this.#pairingOrder(primary)) {
      const row = primary[i] as Uint8Array; // i < length
      const twin = places.get(this.#key(row))?.pop();
      if (twin === undefined) theirs.push(offset + i);
      else if (this.#isLoose) {
        this.#pair(row, mirror[twin] as Uint8Array, offset + i);
      }
    }
    theirs.sort((a, b) => a - b);
    const ours = [...places.values()].flat().map((i) => offset + i)
      .sort((a, b) => a - b);
    return { theirs, ours };
  }

  /** Looks at the cells of two rows that belong together. */
  #pair(primary: Uint8Array, mirror: Uint8Array, place: number): void {
    const theirs = readCells(primary);
    const ours = readCells(mirror);
    this.#rules.columns.forEach((rule, i) => {
      if (rule.mask === undefined || isEqualCell(theirs[i], ours[i])) return;
      const excuse = excuseOf(theirs[i], ours[i], rule, this.#rules.lagUs);
      if (excuse === undefined) {
        this.#badCell ??= valueDifference(place, i, theirs[i], ours[i]);
      } else if (excuse !== rule.mask || !this.#masked.has(i)) {
        this.#masked.set(i, excuse);
      }
    });
  }

  /** Numbers of rows may change places, and nothing more. */
  #badNumbers(): Difference | undefined {
    for (const [i, { mask }] of this.#rules.columns.entries()) {
      if (mask !== "numbered" || !this.#masked.has(i)) continue;
      const [theirs, ours] = [this.#primary, this.#mirror].map(({ rows }) =>
        rows.map((row) => readCells(row)[i])
      ) as [Cell[], Cell[]];
      const text = (cells: readonly Cell[]) =>
        cells.map((cell) => cell === undefined ? "" : exact(cell)).toSorted()
          .join("\0");
      if (text(theirs) === text(ours)) continue;
      const row = theirs.findIndex((cell, row) =>
        !isEqualCell(cell, ours[row])
      );
      return valueDifference(row, i, theirs[row], ours[row]);
    }
    return undefined;
  }

  #pairingOrder(rows: readonly Uint8Array[]): readonly number[] {
    const places = rows.map((_, i) => i);
    const by = this.#rules.columns.findIndex(({ mask }) =>
      mask === "float" || mask === "time"
    );
    const rule = this.#rules.columns[by];
    if (!this.#isLoose || rule === undefined) return places;
    const order = rows.map((row) => pairingOrder(readCells(row)[by], rule));
    return places.sort((a, b) =>
      (order[a] as number) - (order[b] as number) || a - b
    );
  }

  /** Equal for rows that may be twins. */
  #key(row: Uint8Array): string {
    if (!this.#isLoose) return exact(row);
    const cells = readCells(row);
    return cells.map((cell, i) => {
      const rule = this.#rules.columns[i];
      const text = rule === undefined
        ? cell && exact(cell)
        : pairingKey(cell, rule);
      return text === undefined ? "n" : `${text.length}:${text}`;
    }).join("");
  }

  #areInOrder(a: readonly Uint8Array[], b: readonly Uint8Array[]): boolean {
    return a.every((row, i) => {
      const other = b[i];
      return other !== undefined &&
        (isEqualCell(row, other) ||
          this.#isLoose && this.#key(row) === this.#key(other));
    });
  }

  /** Holds the first row without a twin against the row of the other side that is most like it. */
  #nearest({ theirs, ours }: Unmatched): RowsFound {
    const [first] = theirs;
    const different = (difference: Difference): RowsFound => ({
      kind: "different",
      difference,
      differences: () => this.#differences({ theirs, ours }),
      unmatched: Math.max(theirs.length, ours.length),
    });
    if (first === undefined) {
      return different({ kind: "extra", row: (ours[0] ?? 0) + 1 });
    }
    const missing: Difference = { kind: "missing", row: first + 1 };
    if (ours.length === 0 || !this.#primary.hasCells) return different(missing);
    const { equal, place, cells } = this.#mostLike(first, ours);
    const hasTwin = ours.length === theirs.length || equal > 0;
    const [cell] = cells;
    if (!hasTwin || place === undefined || cell === undefined) {
      return different(missing);
    }
    const { column, primary, mirror } = cell;
    return different(valueDifference(first, column, primary, mirror));
  }

  #differences({ theirs, ours }: Unmatched): CellDifference[][] {
    const left = [...ours];
    return theirs.slice(0, MAX_UNMATCHED).map((row) => {
      const { place, cells } = this.#mostLike(row, left);
      if (place !== undefined) left.splice(left.indexOf(place), 1);
      return [...cells];
    });
  }

  /** Of some rows of the mirror the one that has most in common with a row of the primary. */
  #mostLike(row: number, ours: readonly number[]): {
    readonly equal: number;
    readonly place: number | undefined;
    readonly cells: readonly CellDifference[];
  } {
    const theirs = readCells(this.#primary.rows[row] as Uint8Array);
    let found: number | undefined;
    let most = -1;
    for (const place of ours.slice(0, MAX_CANDIDATES)) {
      const others = readCells(this.#mirror.rows[place] as Uint8Array);
      const equal = theirs.filter((cell, i) =>
        this.#isAlike(cell, others[i], i)
      ).length;
      if (equal > most) [found, most] = [place, equal];
    }
    if (found === undefined) return { equal: 0, place: found, cells: [] };
    const others = readCells(this.#mirror.rows[found] as Uint8Array);
    const cells: CellDifference[] = [];
    for (let i = 0; i < Math.max(theirs.length, others.length); i++) {
      if (this.#isAlike(theirs[i], others[i], i)) continue;
      cells.push({ column: i, primary: theirs[i], mirror: others[i] });
    }
    return { equal: most, place: found, cells };
  }

  #isAlike(cell: Cell, other: Cell, column: number): boolean {
    const rule = this.#rules.columns[column];
    return isEqualCell(cell, other) ||
      rule !== undefined && isLoose(rule) &&
        pairingKey(cell, rule) === pairingKey(other, rule);
  }
}

/** Whether cells that are not equal may be as good. */
function isLoose({ mask, form, isFolded }: CellRule): boolean {
  return mask !== undefined || isFolded && form !== undefined;
}

function valueDifference(
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

/** All rows have their twins, and still something differs. */
function different(difference: Difference): RowsFound {
  const cells = difference.kind === "value"
    ? [[{ ...difference, column: difference.column - 1 }]]
    : [];
  return {
    kind: "different",
    difference,
    differences: () => cells,
    unmatched: 0,
  };
}
