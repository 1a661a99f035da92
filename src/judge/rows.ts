import type { Mask } from "../sql/trait.ts";
import { type Answer, readCells } from "./answer.ts";
import { excuseOf } from "./cell_rules.ts";
import { type Cell, type Difference, isEqualCell } from "./difference.ts";
import { groupEnd, haveAlikeKeys, haveEqualKeys } from "./row_keys.ts";
import {
  allDifferences,
  type CellDifference,
  firstDifference,
  valueDifference,
} from "./row_nearest.ts";
import { haveSameNumbers } from "./row_numbers.ts";
import {
  findTwins,
  isLoose,
  rowKey,
  type RowRules,
  type Sides,
  type Unmatched,
} from "./row_twins.ts";

export type { RowRules } from "./row_twins.ts";

/** What ORDER BY promises of the rows. */
export interface RowOrder {
  /** Positions of its keys; "unknown": one is no output column; undefined: there is no ORDER BY. */
  readonly keys: readonly number[] | "unknown" | undefined;
  /** A LIMIT may have cut the last group of equal keys: which of its rows came is chance. */
  readonly limited: boolean;
  /** A LIMIT or OFFSET may have left rows out. */
  readonly partial: boolean;
  /** The bound has cut the rows: what came behind them is not here. */
  readonly cut: boolean;
}

/** What two lists of rows have in common, as far as they are here. */
export type RowsFound =
  | { readonly kind: "equal" }
  /** The same rows in an order that is as good. */
  | { readonly kind: "permuted" }
  /** The same rows in another order, and nothing tells whether it is as good. */
  | { readonly kind: "order_unknown"; readonly difference: Difference }
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

const EQUAL: RowsFound = { kind: "equal" };
/** Masks of ORDER BY's keys that leave the order as it is: each place's value is bound by them. */
const ORDERED_MASKS: ReadonlySet<Mask> = new Set([
  "numbered",
  "float",
  "time",
  "age",
]);

/** Compares rows as they came, by cells where they differ. */
export function compareRows(
  primary: Answer,
  mirror: Answer,
  order: RowOrder,
  rules: RowRules,
): RowsFound {
  return new RowComparison(primary, mirror, order, rules).found();
}

class RowComparison {
  readonly #sides: Sides;
  readonly #order: RowOrder;
  /** Columns in which paired rows differ. */
  readonly #masked = new Map<number, Mask>();
  #badCell: Difference | undefined;

  constructor(
    primary: Answer,
    mirror: Answer,
    order: RowOrder,
    rules: RowRules,
  ) {
    this.#order = order;
    this.#sides = {
      primary,
      mirror,
      rules,
      isLoose: primary.hasCells && mirror.hasCells &&
        rules.columns.some(isLoose),
    };
  }

  found(): RowsFound {
    const { keys, limited } = this.#order;
    const sameCount = this.#theirs.length === this.#ours.length;
    // A row more or less moves all that follow it.
    if (sameCount && Array.isArray(keys)) {
      const masked = keys.findIndex((key) => this.#maskOf(key) !== undefined);
      return masked < 0 ? this.#ordered(keys) : this.#sorted(keys, masked);
    }
    const left = this.#findTwins(0, Infinity);
    const found = this.#unordered(
      left,
      sameCount && keys === "unknown" ? "order_unknown" : "permuted",
    );
    return found.kind === "different" && sameCount && limited
      ? { kind: "chosen" }
      : found;
  }

  get #theirs(): readonly Uint8Array[] {
    return this.#sides.primary.rows;
  }

  get #ours(): readonly Uint8Array[] {
    return this.#sides.mirror.rows;
  }

  #maskOf(column: number): Mask | undefined {
    return this.#sides.rules.columns[column]?.mask;
  }

  #unordered(
    left: Unmatched,
    permuted: "permuted" | "order_unknown",
  ): RowsFound {
    if (left.theirs.length + left.ours.length > 0) return this.#nearest(left);
    const bad = this.#badCell ?? this.#badNumbers();
    if (bad !== undefined) return different(bad);
    if (this.#areInOrder(this.#theirs, this.#ours)) {
      return this.#equalOrMasked();
    }
    if (permuted === "order_unknown") {
      return { kind: permuted, difference: this.#firstElsewhere() };
    }
    return this.#masked.size === 0 ? { kind: permuted } : this.#equalOrMasked();
  }

  /** The same rows are in another order: from where on. */
  #firstElsewhere(): Difference {
    const row = this.#theirs.findIndex((row, i) =>
      this.#key(row) !== this.#key(this.#ours[i] as Uint8Array) // as many
    );
    return { kind: "order", row: row + 1 };
  }

  #equalOrMasked(): RowsFound {
    return this.#masked.size === 0
      ? EQUAL
      : { kind: "masked", columns: this.#masked };
  }

  /** Rows with equal keys are neighbours: each group is compared in any order. */
  #ordered(keys: readonly number[]): RowsFound {
    const rows = this.#theirs;
    const { rules } = this.#sides;
    const { limited, cut } = this.#order;
    let permuted = false;
    for (let from = 0; from < rows.length;) {
      const to = groupEnd(rows, from, keys, rules);
      const isLast = to === rows.length;
      if (isLast && cut) break; // the rest of the group is not here
      const left = this.#findTwins(from, to);
      const ours = this.#ours.slice(from, to);
      if (left.theirs.length + left.ours.length > 0) {
        const first = rows[from] as Uint8Array; // from < length
        const isChoice = isLast && limited &&
          ours.every((row) => haveEqualKeys(first, row, keys, rules));
        return isChoice ? { kind: "chosen" } : this.#disordered(left);
      }
      permuted ||= !this.#areInOrder(rows.slice(from, to), ours);
      from = to;
    }
    const bad = this.#badCell ?? this.#badNumbers();
    if (bad !== undefined) return different(bad);
    return this.#masked.size === 0 && permuted
      ? { kind: "permuted" }
      : this.#equalOrMasked();
  }

  /** The first keys come in the same order on both sides, up to one whose values may differ: it is `keys[masked]`. */
  #sorted(keys: readonly number[], masked: number): RowsFound {
    const mask = this.#maskOf(keys[masked] as number);
    const isBound = mask !== undefined && ORDERED_MASKS.has(mask);
    const told = keys.slice(0, masked + (isBound ? 1 : 0));
    const left = this.#findTwins(0, Infinity);
    const found = this.#unordered(left, "permuted");
    if (found.kind === "different") {
      const isChoice = this.#order.limited && (!isBound ||
        this.#areAtTheCut(left, keys[masked] as number, told));
      return isChoice ? { kind: "chosen" } : found;
    }
    const row = this.#theirs.findIndex((row, i) => {
      const other = this.#ours[i] as Uint8Array; // there are as many
      return !haveAlikeKeys(row, other, told, this.#sides.rules);
    });
    return row < 0 ? found : different({ kind: "order", row: row + 1 });
  }

  /** Rows without a twin have the last keys that a LIMIT let through, and so have rows that it did not. */
  #areAtTheCut(
    { theirs, ours }: Unmatched,
    column: number,
    told: readonly number[],
  ): boolean {
    const { rules, primary, mirror } = this.#sides;
    const last = primary.rows.at(-1);
    if (last === undefined) return false;
    const { mask, within } = rules.columns[column] ?? {};
    const all = [
      ...theirs.map((place) => primary.rows[place] as Uint8Array),
      ...ours.map((place) => mirror.rows[place] as Uint8Array),
    ];
    if (mask !== "numbered") {
      return all.every((row) =>
        haveAlikeKeys(row, last, told, rules) ||
        haveAlikeKeys(last, row, told, rules)
      );
    }
    return within === undefined ||
      all.every((row) => haveEqualKeys(row, last, within, rules));
  }

  /** A group has others: all rows are there in another order, or some differ. */
  #disordered(left: Unmatched): RowsFound {
    // Behind the bound there may be their twins.
    if (this.#order.cut) return this.#nearest(left);
    const all = this.#findTwins(0, Infinity);
    if (all.theirs.length + all.ours.length === 0) {
      return different(this.#firstElsewhere());
    }
    return this.#nearest(left, all);
  }

  #findTwins(from: number, to: number): Unmatched {
    return findTwins(
      this.#sides,
      from,
      to,
      (primary, mirror, place) => this.#pair(primary, mirror, place),
    );
  }

  /** Looks at the cells of two rows that belong together. */
  #pair(
    theirs: readonly Cell[],
    ours: readonly Cell[],
    place: number,
  ): void {
    const { rules } = this.#sides;
    rules.columns.forEach((rule, i) => {
      if (rule.mask === undefined || isEqualCell(theirs[i], ours[i])) return;
      const excuse = excuseOf(theirs[i], ours[i], rule, rules);
      if (excuse === undefined) {
        this.#badCell ??= valueDifference(place, i, theirs[i], ours[i]);
      } else if (excuse !== rule.mask || !this.#masked.has(i)) {
        this.#masked.set(i, excuse);
      }
    });
  }

  /** Numbers of rows with equal window keys may change places, and nothing more. */
  #badNumbers(): Difference | undefined {
    const { partial, cut } = this.#order;
    for (const [i, { mask, within }] of this.#sides.rules.columns.entries()) {
      if (mask !== "numbered" || !this.#masked.has(i)) continue;
      // Without the window's keys nothing tells which rows may change places.
      if (within === undefined) this.#masked.set(i, "ties");
      // Of rows that are not here some have the other numbers.
      if (partial || cut) {
        this.#masked.set(i, "ties");
        continue;
      }
      if (haveSameNumbers(this.#sides, i, within ?? [])) continue;
      const [theirs, ours] = [this.#theirs, this.#ours].map((rows) =>
        rows.map((row) => readCells(row)[i])
      ) as [Cell[], Cell[]];
      const row = theirs.findIndex((cell, row) =>
        !isEqualCell(cell, ours[row])
      );
      return valueDifference(row, i, theirs[row], ours[row]);
    }
    return undefined;
  }

  #key(row: Uint8Array): string {
    return rowKey(row, this.#sides);
  }

  #areInOrder(a: readonly Uint8Array[], b: readonly Uint8Array[]): boolean {
    return a.every((row, i) => {
      const other = b[i];
      return other !== undefined &&
        (isEqualCell(row, other) ||
          this.#sides.isLoose && this.#key(row) === this.#key(other));
    });
  }

  /** @param all rows without a twin among all: those without one in their group, and at their place, are the first to show. */
  #nearest(left: Unmatched, all = left): RowsFound {
    return {
      kind: "different",
      difference: firstDifference(this.#sides, left),
      differences: () => allDifferences(this.#sides, all),
      unmatched: Math.max(all.theirs.length, all.ours.length),
    };
  }
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
