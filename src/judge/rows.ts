import { type Answer, readCells } from "./answer.ts";
import { type Difference, differentCell, isEqualCell } from "./difference.ts";

/** What ORDER BY promises of the rows. */
export interface RowOrder {
  /** Positions of its keys; "unknown": one is no output column; undefined: there is no ORDER BY. */
  readonly keys: readonly number[] | "unknown" | undefined;
  /** A LIMIT may have cut the last group of equal keys: which of its rows came is chance. */
  readonly limited: boolean;
  /** The bound has cut the rows: what came behind them is not here. */
  readonly cut: boolean;
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
  | { readonly kind: "different"; readonly difference: Difference };

/** Candidates that a row without its twin is held against. */
const MAX_CANDIDATES = 100;

const EQUAL: RowsFound = { kind: "equal" };

/** Compares rows as they came, by cells where they differ. */
export function compareRows(
  primary: Answer,
  mirror: Answer,
  order: RowOrder,
): RowsFound {
  const { keys } = order;
  // A row more or less moves all that follow it.
  if (primary.rows.length !== mirror.rows.length) {
    return compareUnordered(primary, mirror, "permuted");
  }
  if (Array.isArray(keys)) return compareOrdered(primary, mirror, keys, order);
  const found = compareUnordered(
    primary,
    mirror,
    keys === undefined ? "permuted" : "order_unknown",
  );
  return found.kind === "different" && order.limited
    ? { kind: "chosen" }
    : found;
}

function compareUnordered(
  primary: Answer,
  mirror: Answer,
  permuted: "permuted" | "order_unknown",
): RowsFound {
  const { theirs, ours } = unmatched(primary.rows, mirror.rows, 0);
  if (theirs.length + ours.length > 0) {
    return different(nearest(primary, mirror, theirs, ours));
  }
  return firstUnequal(primary.rows, mirror.rows) < 0
    ? EQUAL
    : { kind: permuted };
}

/** Rows with equal keys are neighbours: each group is compared in any order. */
function compareOrdered(
  primary: Answer,
  mirror: Answer,
  keys: readonly number[],
  { limited, cut }: RowOrder,
): RowsFound {
  const { rows } = primary;
  let permuted = false;
  for (let from = 0; from < rows.length;) {
    const to = groupEnd(rows, from, keys);
    const isLast = to === rows.length;
    if (isLast && cut) break; // the rest of the group is not here
    const ours = mirror.rows.slice(from, to);
    const group = rows.slice(from, to);
    const left = unmatched(group, ours, from);
    if (left.theirs.length + left.ours.length > 0) {
      const first = rows[from] as Uint8Array; // from < length
      const isChoice = isLast && limited &&
        ours.every((row) => haveEqualKeys(first, row, keys));
      if (isChoice) return { kind: "chosen" };
      const all = unmatched(rows, mirror.rows, 0);
      if (!cut && all.theirs.length + all.ours.length === 0) {
        const row = firstUnequal(rows, mirror.rows) + 1;
        return different({ kind: "order", row });
      }
      return different(nearest(primary, mirror, left.theirs, left.ours));
    }
    permuted ||= firstUnequal(group, ours) >= 0;
    from = to;
  }
  return permuted ? { kind: "permuted" } : EQUAL;
}

function groupEnd(
  rows: readonly Uint8Array[],
  from: number,
  keys: readonly number[],
): number {
  const first = rows[from] as Uint8Array; // from < length
  let to = from + 1;
  for (; to < rows.length; to++) {
    if (!haveEqualKeys(first, rows[to] as Uint8Array, keys)) break;
  }
  return to;
}

function haveEqualKeys(
  a: Uint8Array,
  b: Uint8Array,
  keys: readonly number[],
): boolean {
  const left = readCells(a);
  const right = readCells(b);
  return keys.every((key) => isEqualCell(left[key], right[key]));
}

/** Positions of the rows that the other side does not have, counted from `offset`. */
function unmatched(
  primary: readonly Uint8Array[],
  mirror: readonly Uint8Array[],
  offset: number,
): { theirs: number[]; ours: number[] } {
  const places = new Map<string, number[]>();
  mirror.forEach((row, i) => {
    const text = rowText(row);
    const known = places.get(text);
    if (known === undefined) places.set(text, [offset + i]);
    else known.push(offset + i);
  });
  const theirs: number[] = [];
  primary.forEach((row, i) => {
    if (places.get(rowText(row))?.shift() === undefined) {
      theirs.push(offset + i);
    }
  });
  const ours = [...places.values()].flat().sort((a, b) => a - b);
  return { theirs, ours };
}

/** Equal for equal bytes only. */
function rowText(row: Uint8Array): string {
  let text = "";
  for (let at = 0; at < row.length; at += 4_096) {
    text += String.fromCharCode(...row.subarray(at, at + 4_096));
  }
  return text;
}

/** Holds the first row without a twin against the row of the other side that is most like it. */
function nearest(
  primary: Answer,
  mirror: Answer,
  theirs: readonly number[],
  ours: readonly number[],
): Difference {
  const [first] = theirs;
  if (first === undefined) return { kind: "extra", row: (ours[0] ?? 0) + 1 };
  if (ours.length === 0 || !primary.hasCells) {
    return { kind: "missing", row: first + 1 };
  }
  const row = primary.rows[first] as Uint8Array; // it is there
  let best: Uint8Array | undefined;
  let bestEqual = -1;
  const cells = readCells(row);
  for (const place of ours.slice(0, MAX_CANDIDATES)) {
    const candidate = mirror.rows[place] as Uint8Array; // it is there
    const others = readCells(candidate);
    const equal = cells.filter((cell, i) =>
      isEqualCell(cell, others[i])
    ).length;
    if (equal > bestEqual) [best, bestEqual] = [candidate, equal];
  }
  const hasTwin = ours.length === theirs.length || bestEqual > 0;
  const found = hasTwin && best !== undefined
    ? differentCell(row, best, first + 1)
    : undefined;
  return found ?? { kind: "missing", row: first + 1 };
}

function firstUnequal(
  a: readonly Uint8Array[],
  b: readonly Uint8Array[],
): number {
  return a.findIndex((row, i) => !isEqualCell(row, b[i]));
}

function different(difference: Difference): RowsFound {
  return { kind: "different", difference };
}
