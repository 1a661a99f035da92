import type { Mask } from "../sql/trait.ts";
import type { Column } from "./columns.ts";
import type { DrawnColumn } from "./drawn_columns.ts";
import { type Cell, isEqualCell } from "./difference.ts";
import { areFloatTextsAlike, floatTextKey } from "./float_texts.ts";
import { areListsAlike, listText } from "./list_values.ts";
import {
  areFloatsAlike,
  numberOf,
  plainNumber,
  plainNumeric,
} from "./number_values.ts";
import {
  areIntervalsAlike,
  intervalOf,
  intervalUs,
  laterUs,
  type TimesIn,
  timesIn,
  timeUs,
} from "./time_values.ts";
import { typeOfText } from "./told_type.ts";
import {
  BOOL,
  DATE,
  FLOAT4,
  FLOAT8,
  INTERVAL,
  JSON_TYPE,
  JSONB,
  NUMBERS,
  NUMERIC,
  TEXT,
  TEXTS,
  TIMES,
  TIMESTAMPTZ,
} from "./type_oids.ts";

/** How far the clocks of both servers may be apart. */
export const CLOCK_MARGIN_US = 60_000_000;
const DAY_US = 86_400_000_000;
const FLOATS: ReadonlySet<number> = new Set([FLOAT4, FLOAT8]);
/** numeric, float4[] and float8[]: they show floats in text only. */
const FLOAT_LISTS: ReadonlySet<number> = new Set([NUMERIC, 1_021, 1_022]);
const decoder = new TextDecoder();
const encoder = new TextEncoder();

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
  /** Sums of floats are in it, beside what its mask is of. */
  readonly hasSums?: boolean;
  /** Of equal values the statement has kept one. */
  readonly isFolded: boolean;
  /** It is a count of rows. */
  readonly isCount?: boolean;
  /** Of numbered rows the columns of the window's keys: numbers change places among rows that are equal in them. Undefined: not all are selected. */
  readonly within?: readonly number[] | undefined;
  /** Columns that the mirror has drawn, which its values are of … */
  readonly drawn?: readonly DrawnColumn[];
  /** … and of nothing else that may differ. */
  readonly isDrawnOnly?: boolean;
}

/** How much later the mirror's moment may be: the statement's own, or one that a column was given before. */
function lagOf(
  { drawn = [], isDrawnOnly = false }: CellRule,
  { lagUs }: Pick<CellsAround, "lagUs">,
): number {
  return Math.max(
    isDrawnOnly ? 0 : lagUs,
    ...drawn.map((column) => column.lagUs),
  );
}

/** What surrounds the cells of an answer. */
export interface CellsAround {
  /** How much later than the primary's the mirror's statement was over, in microseconds. */
  readonly lagUs: number;
  /** What the statement's lists have between their elements; empty: unknown. */
  readonly separators: readonly string[];
}

/** The mask that a column's type leaves of one. */
export function maskOfType(
  mask: Mask | undefined,
  { typeOid, isBinary }: Column,
): Mask | undefined {
  if (typeOid === 0) return mask;
  switch (mask) {
    case "float": {
      // Of a binary numeric, and of arrays, digits are not read.
      const isText = isFloatText(typeOid) &&
        !(isBinary && FLOAT_LISTS.has(typeOid));
      return FLOATS.has(typeOid) || isText ? mask : undefined;
    }
    case "time":
      if (typeOid === INTERVAL) return "age";
      if (typeOid === BOOL) return "boundary";
      return TIMES.has(typeOid) ? mask : "moment";
    case "age":
      return NUMBERS.has(typeOid) ? mask : "moment";
    case "moment":
      return typeOid === BOOL ? "boundary" : mask;
    default:
      return mask;
  }
}

/**
 * What a cell is paired by: equal for all that may stand in its place. Cells
 * with equal keys are then held against each other by {@linkcode excuseOf}.
 *
 * @returns undefined for a NULL that only another NULL stands for.
 */
export function pairingKey(
  cell: Cell,
  rule: CellRule,
  { separators }: Pick<CellsAround, "separators">,
): string | undefined {
  const { mask, isFolded, column: { typeOid } } = rule;
  if (cell === undefined) return isNullFree(rule) ? "" : undefined;
  switch (mask) {
    case undefined:
      return isFolded ? formless(cell, rule) : exact(cell);
    case "float":
      return isFloatText(typeOid) ? floatTextKey(decoder.decode(cell)) : "";
    case "permuted":
    case "ties": {
      const list = listOf(cell, rule);
      return listText(list, typeOid, separators) ?? exact(list);
    }
    default:
      return "";
  }
}

/** A list, with the digits of floats that their sums have in common. */
function listOf(
  cell: Uint8Array,
  { hasSums, column: { typeOid } }: CellRule,
): Uint8Array {
  return hasSums && isFloatText(typeOid)
    ? encoder.encode(floatTextKey(decoder.decode(cell)))
    : cell;
}

/** Equal for values that their type takes for equal. */
function formless(cell: Uint8Array, { form, column }: CellRule): string {
  if (form === "case") return decoder.decode(cell).toLowerCase();
  if (form !== "scale") return exact(cell);
  return column.isBinary
    ? exact(plainNumeric(cell))
    : plainNumber(decoder.decode(cell));
}

/** Whether NULL may stand for a value. What a moment decides may be NULL: a CASE without ELSE. */
function isNullFree({ mask, column, isCount = false }: CellRule): boolean {
  return mask === "choice" || mask === "chance" ||
    mask === "boundary" && column.typeOid !== BOOL && !isCount;
}

/** Equal for equal bytes only. */
export function exact(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 4_096) {
    text += String.fromCharCode(...bytes.subarray(at, at + 4_096));
  }
  return text;
}

/**
 * By what two cells with equal pairing keys may differ as they do.
 *
 * @returns the column's mask, or one that is no evidence where nothing tells
 *   whether they may; undefined: they may not.
 */
export function excuseOf(
  primary: Cell,
  mirror: Cell,
  rule: CellRule,
  around: CellsAround,
): Mask | undefined {
  const { mask, column, isCount } = rule;
  const { separators } = around;
  const { typeOid } = column;
  const lagUs = lagOf(rule, around);
  if (primary === undefined || mirror === undefined) return mask;
  if (typeOid === 0) {
    const told = typeOfText(primary) ?? typeOfText(mirror) ?? TEXT;
    const known = { ...column, typeOid: told };
    const typed = { ...rule, column: known, mask: maskOfType(mask, known) };
    return excuseOf(primary, mirror, typed, around);
  }
  switch (mask) {
    case "time":
      return excuse(mask, areTimesAlike(primary, mirror, column, lagUs));
    case "age":
      return excuse(mask, areAgesAlike(primary, mirror, column, lagUs));
    case "moment": {
      if (TIMES.has(typeOid)) {
        // A day of date_trunc() is over, perhaps.
        const found = areTimesAlike(primary, mirror, column, lagUs);
        return found === "far" ? "boundary" : excuse(mask, found);
      }
      if (typeOid !== INTERVAL && !NUMBERS.has(typeOid)) {
        // A list or a text may hold values beside the moment.
        return areTextsAlike(primary, mirror, lagUs) ? mask : "boundary";
      }
      // In other units than seconds they are further apart.
      return areAgesAlike(primary, mirror, column, lagUs) === "alike"
        ? mask
        : "boundary";
    }
    case "boundary":
      return !isCount || areCountsAlike(primary, mirror, column)
        ? mask
        : undefined;
    case "float": {
      if (isFloatText(typeOid)) {
        return areFloatTextsAlike(
            decoder.decode(primary),
            decoder.decode(mirror),
          )
          ? mask
          : undefined;
      }
      const [theirs, ours] = numbersOf(primary, mirror, column);
      return theirs !== undefined && ours !== undefined &&
          areFloatsAlike(theirs, ours, typeOid)
        ? mask
        : undefined;
    }
    case "permuted":
    case "ties": {
      const [theirs, ours] = [listOf(primary, rule), listOf(mirror, rule)];
      const areAlike = areListsAlike(theirs, ours, typeOid, separators);
      return areAlike === undefined ? "ties" : areAlike ? mask : undefined;
    }
    default:
      return mask;
  }
}

/** What is found of two values of a moment. */
type Found =
  | "alike"
  /** Further apart than both runs. */
  | "far"
  /** One is of a form that the other has not. */
  | "mixed"
  /** Neither is of a form that is read. */
  | "unread";

function excuse(mask: Mask, found: Found): Mask | undefined {
  if (found === "unread") return "boundary";
  return found === "alike" ? mask : undefined;
}

function areTimesAlike(
  primary: Uint8Array,
  mirror: Uint8Array,
  { typeOid, isBinary }: Column,
  lagUs: number,
): Found {
  const theirs = timeUs(primary, typeOid, isBinary);
  const ours = timeUs(mirror, typeOid, isBinary);
  if (theirs === undefined || ours === undefined) {
    return theirs === ours ? "unread" : "mixed";
  }
  if (!Number.isFinite(theirs) || !Number.isFinite(ours)) {
    return theirs === ours ? "alike" : "mixed";
  }
  return isSameMoment(theirs, ours, typeOid, { later: lagUs })
    ? "alike"
    : "far";
}

/**
 * Whether two clocks may have given these times; all in microseconds.
 *
 * @param slack how much later, or earlier, the second may have been asked.
 */
export function isSameMoment(
  theirs: number,
  ours: number,
  typeOid: number,
  { later = 0, earlier = 0 },
): boolean {
  const byUs = laterUs(theirs, ours, typeOid);
  // A date tells of a moment no more than its day.
  const margin = CLOCK_MARGIN_US + (typeOid === DATE ? DAY_US : 0);
  return byUs >= -earlier - margin && byUs <= later + margin;
}

/** Texts that are equal but for times, each of which is alike. */
function areTextsAlike(
  primary: Uint8Array,
  mirror: Uint8Array,
  lagUs: number,
): boolean {
  const [theirs, ours] = [primary, mirror].map((cell) =>
    timesIn(decoder.decode(cell))
  ) as [TimesIn, TimesIn];
  return theirs.rest === ours.rest && theirs.times.every((us, i) => {
    const later = laterUs(us, ours.times[i] ?? NaN, TIMESTAMPTZ);
    return later >= -CLOCK_MARGIN_US && later <= lagUs + CLOCK_MARGIN_US;
  });
}

/** Intervals, or seconds, up to a moment: it was later on the mirror, and they are larger or smaller. */
function areAgesAlike(
  primary: Uint8Array,
  mirror: Uint8Array,
  column: Column,
  lagUs: number,
): Found {
  const withinUs = lagUs + CLOCK_MARGIN_US;
  if (column.typeOid === INTERVAL) {
    const theirs = intervalOf(primary, column.isBinary);
    const ours = intervalOf(mirror, column.isBinary);
    if (theirs === undefined || ours === undefined) {
      return theirs === ours ? "unread" : "mixed";
    }
    return areIntervalsAlike(theirs, ours, withinUs) ? "alike" : "far";
  }
  const [theirs, ours] = numbersOf(primary, mirror, column);
  if (theirs === undefined || ours === undefined) {
    return theirs === ours ? "unread" : "mixed";
  }
  // Whole seconds are rounded.
  return Object.is(theirs, ours) ||
      Math.abs(theirs - ours) * 1e6 <= withinUs + 1e6
    ? "alike"
    : "far";
}

function areCountsAlike(
  primary: Uint8Array,
  mirror: Uint8Array,
  column: Column,
): boolean {
  const [theirs = NaN, ours = NaN] = numbersOf(primary, mirror, column);
  return Math.abs(theirs - ours) <= fewOf(Math.max(theirs, ours));
}

/** Rows that a boundary in time may move, of so many. */
export function fewOf(rows: number): number {
  return 1 + rows / 10;
}

function numbersOf(
  primary: Uint8Array,
  mirror: Uint8Array,
  { typeOid, isBinary }: Column,
): [theirs: number | undefined, ours: number | undefined] {
  return [
    numberOf(primary, typeOid, isBinary),
    numberOf(mirror, typeOid, isBinary),
  ];
}

/** The order in which rows with equal keys are paired: numbers and times with the nearest. */
export function pairingOrder(cell: Cell, { mask, column }: CellRule): number {
  if (cell === undefined || mask === undefined) return 0;
  const { isBinary } = column;
  const typeOid = column.typeOid || typeOfText(cell) || TEXT;
  if (NUMBERS.has(typeOid)) {
    const value = numberOf(cell, typeOid, isBinary) || 0;
    if (mask !== "float") return value;
    // By the digits that must be equal: the others would hide the next column.
    return Number(value.toPrecision(typeOid === FLOAT4 ? 4 : 10));
  }
  if (TIMES.has(typeOid)) return timeUs(cell, typeOid, isBinary) ?? 0;
  if (typeOid !== INTERVAL) return 0;
  const interval = intervalOf(cell, isBinary);
  return interval === undefined ? 0 : intervalUs(interval);
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
