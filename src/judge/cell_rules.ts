import type { Mask } from "../sql/trait.ts";
import {
  areFloatsAlike,
  areJoinedAlike,
  BOOL,
  BPCHAR,
  caseFree,
  DATE,
  FLOAT4,
  FLOAT8,
  floatOf,
  JSON_TYPE,
  JSONB,
  laterUs,
  listText,
  NUMERIC,
  plainNumber,
  TEXT,
  TIME,
  TIMESTAMP,
  TIMESTAMPTZ,
  TIMETZ,
  timeUs,
  VARCHAR,
  XML,
} from "./cell_values.ts";
import type { Column } from "./columns.ts";
import { type Cell, isEqualCell } from "./difference.ts";
import { areFloatTextsAlike, floatTextKey } from "./float_texts.ts";

/** How far the clocks of both servers may be apart. */
const CLOCK_MARGIN_US = 60_000_000;
const DAY_US = 86_400_000_000;
const TIMES: ReadonlySet<number> = new Set([
  DATE,
  TIME,
  TIMETZ,
  TIMESTAMP,
  TIMESTAMPTZ,
]);
const TEXTS: ReadonlySet<number> = new Set([TEXT, VARCHAR, BPCHAR, XML]);
const FLOATS: ReadonlySet<number> = new Set([FLOAT4, FLOAT8]);
/** numeric, float4[] and float8[]: they show floats in text only. */
const FLOAT_LISTS: ReadonlySet<number> = new Set([NUMERIC, 1_021, 1_022]);
const decoder = new TextDecoder();

/** Whether a type shows floats that it was made from as text. */
function isFloatText(typeOid: number): boolean {
  return TEXTS.has(typeOid) || typeOid === JSON_TYPE || typeOid === JSONB ||
    FLOAT_LISTS.has(typeOid);
}

/** What is known of one column when its cells are compared. */
export interface CellRule {
  readonly column: Column;
  /** Undefined: cells are equal or they differ. */
  readonly mask: Mask | undefined;
  /** Its type writes equal values in several ways: it ignores case, or numbers have a scale. */
  readonly form: "case" | "scale" | undefined;
  /** Of equal values the statement has kept one. */
  readonly isFolded: boolean;
}

/** The mask that a column's type leaves of one. */
export function maskOfType(
  mask: Mask | undefined,
  { typeOid, isBinary }: Column,
): Mask | undefined {
  switch (mask) {
    case "float": {
      // Of a binary numeric, and of arrays, digits are not read.
      const isText = isFloatText(typeOid) &&
        !(isBinary && FLOAT_LISTS.has(typeOid));
      return FLOATS.has(typeOid) || isText ? mask : undefined;
    }
    case "time":
    case "moment":
      if (typeOid === BOOL) return "boundary";
      return TIMES.has(typeOid) ? mask : "moment";
    default:
      return mask;
  }
}

/**
 * What a cell is paired by: equal for all that may stand in its place. Cells
 * with equal keys are then held against each other by {@linkcode mayDiffer}.
 *
 * @returns undefined for a NULL that only another NULL stands for.
 */
export function pairingKey(cell: Cell, rule: CellRule): string | undefined {
  const { mask, isFolded, column: { typeOid, isBinary } } = rule;
  if (cell === undefined) return isNullFree(mask) ? "" : undefined;
  switch (mask) {
    case undefined:
      return isFolded ? formless(cell, rule) : exact(cell);
    case "float":
      return isFloatText(typeOid) ? floatTextKey(decoder.decode(cell)) : "";
    case "permuted":
    case "ties":
      return listText(cell, typeOid, isBinary) ?? exact(cell);
    default:
      return "";
  }
}

/** Equal for values that their type takes for equal. */
function formless(cell: Uint8Array, { form, column }: CellRule): string {
  if (form === "case") return caseFree(cell);
  return form === "scale" && !column.isBinary
    ? plainNumber(decoder.decode(cell))
    : exact(cell);
}

/** Whether NULL may stand for a value. */
function isNullFree(mask: Mask | undefined): boolean {
  return mask === "choice" || mask === "moment" || mask === "chance" ||
    mask === "boundary" || mask === "numbered";
}

/** Equal for equal bytes only. */
export function exact(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 4_096) {
    text += String.fromCharCode(...bytes.subarray(at, at + 4_096));
  }
  return text;
}

/** Whether two cells with equal pairing keys may differ as they do. @param lagUs how much later than the primary's the mirror's statement was over. */
export function mayDiffer(
  primary: Cell,
  mirror: Cell,
  { mask, column: { typeOid, isBinary } }: CellRule,
  lagUs: number,
): boolean {
  if (primary === undefined || mirror === undefined) return true;
  switch (mask) {
    case "time": {
      const theirs = timeUs(primary, typeOid, isBinary);
      const ours = timeUs(mirror, typeOid, isBinary);
      if (theirs === undefined || ours === undefined) return true;
      const later = laterUs(theirs, ours, typeOid);
      // A date tells of a moment no more than its day.
      const margin = CLOCK_MARGIN_US + (typeOid === DATE ? DAY_US : 0);
      return later >= -margin && later <= lagUs + margin;
    }
    case "float": {
      if (isFloatText(typeOid)) {
        return areFloatTextsAlike(
          decoder.decode(primary),
          decoder.decode(mirror),
        );
      }
      const theirs = floatOf(primary, typeOid, isBinary);
      const ours = floatOf(mirror, typeOid, isBinary);
      return theirs !== undefined && ours !== undefined &&
        areFloatsAlike(theirs, ours, typeOid);
    }
    case "permuted":
    case "ties":
      return !TEXTS.has(typeOid) || areJoinedAlike(primary, mirror);
    default:
      return true;
  }
}

/** The order in which cells with equal keys are paired: numbers with the nearest. */
export function pairingOrder(cell: Cell, { mask, column }: CellRule): number {
  if (cell === undefined) return 0;
  const { typeOid, isBinary } = column;
  if (mask === "float") return floatOf(cell, typeOid, isBinary) ?? 0;
  if (mask === "time") return timeUs(cell, typeOid, isBinary) ?? 0;
  return 0;
}

/** Whether a column's type writes equal values in several ways. */
export function formOfType(
  { typeOid }: Column,
  isCaseFree: boolean,
): CellRule["form"] {
  if (isCaseFree) return "case";
  return typeOid === NUMERIC ? "scale" : undefined;
}

/** Whether a key's cells are equal to an ORDER BY. */
export function areEqualKeys(a: Cell, b: Cell, rule: CellRule): boolean {
  if (isEqualCell(a, b)) return true;
  if (a === undefined || b === undefined) return false;
  return rule.form !== undefined && formless(a, rule) === formless(b, rule);
}
