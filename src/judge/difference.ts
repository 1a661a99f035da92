import { decodeErrorFields } from "../wire/mod.ts";
import { readAnswer } from "./answer.ts";
import { type Column, typeName } from "./columns.ts";

/** What differs between two answers, as far as one place shows it. */
export type Difference =
  | {
    readonly kind: "value";
    /** From 1, on the primary. */
    readonly row: number;
    /** From 1. */
    readonly column: number;
    readonly primary: Cell;
    readonly mirror: Cell;
  }
  /** A row of the primary that the mirror does not have, or the other way round. */
  | { readonly kind: "missing" | "extra"; readonly row: number }
  /** The rows are the same, and this is the first in another place. */
  | { readonly kind: "order"; readonly row: number };

/** A value's bytes; undefined: NULL. */
export type Cell = Uint8Array | undefined;

const decoder = new TextDecoder("utf-8", { fatal: true });
/** Bound in characters of a value that is shown. */
const MAX_LENGTH = 200;
const MAX_ERROR_LENGTH = 1_000;

/** What an example says of a difference. */
export interface DifferenceText {
  /** Where it is; holds no value. */
  readonly place: string | null;
  /** What each side has there. */
  readonly primary: string | null;
  readonly mirror: string | null;
}

export const NO_DIFFERENCE: DifferenceText = {
  place: null,
  primary: null,
  mirror: null,
};

/**
 * A difference in words, for people.
 *
 * @param clear values are shown, not only their lengths.
 */
export function differenceText(
  difference: Difference,
  columns: readonly Column[] | undefined,
  clear: boolean,
): DifferenceText {
  const { kind, row } = difference;
  switch (kind) {
    case "value":
      return {
        place: `row ${row}, ${columnText(difference.column, columns)}`,
        primary: cellText(difference.primary, clear),
        mirror: cellText(difference.mirror, clear),
      };
    case "missing":
      return placeText(`row ${row} of the primary is missing on the mirror`);
    case "extra":
      return placeText(`row ${row} of the mirror is not on the primary`);
    case "order":
      return placeText(`only the order differs, from row ${row} on`);
  }
}

function placeText(place: string): DifferenceText {
  return { ...NO_DIFFERENCE, place };
}

function columnText(
  number: number,
  columns: readonly Column[] | undefined,
): string {
  const column = columns?.[number - 1];
  if (column === undefined) return `column ${number}`;
  const { name, typeOid } = column;
  return `column ${name}${typeOid === 0 ? "" : ` (${typeName(column)})`}`;
}

function cellText(cell: Cell, clear: boolean): string {
  if (cell === undefined) return "NULL";
  if (!clear) return `${cell.length} bytes`;
  let text: string;
  try {
    text = `'${decoder.decode(cell)}'`;
  } catch {
    text = `\\x${cell.slice(0, MAX_LENGTH).toHex()}`;
  }
  return text.length > MAX_LENGTH ? `${text.slice(0, MAX_LENGTH)}…` : text;
}

/** An error's message with its detail and hint; null without an error. It holds values: for clear examples only. */
export function errorText(answer: Uint8Array): string | null {
  const { error } = readAnswer(answer);
  if (error === undefined) return null;
  const { M, D, H } = decodeErrorFields(error);
  const more = [D && `detail: ${D}`, H && `hint: ${H}`].filter(Boolean);
  return [M, ...more].join("; ").slice(0, MAX_ERROR_LENGTH);
}

export function isEqualCell(a: Cell, b: Cell): boolean {
  if (a === undefined || b === undefined) return a === b;
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
