import { isUnprintable } from "./cell_format.ts";
import { numberOf } from "./number_values.ts";
import { intervalOf, timeUs } from "./time_values.ts";
import {
  BOOL,
  DATE,
  FLOAT8,
  INT8,
  INTERVAL,
  TIMESTAMPTZ,
} from "./type_oids.ts";

/**
 * The type that a value's text is of. COPY does not describe its columns, nor
 * does an Execute.
 *
 * @returns undefined: it is a text, or in binary.
 */
export function typeOfText(cell: Uint8Array): number | undefined {
  if (cell.length > MAX_LENGTH || isUnprintable(cell)) return undefined;
  const text = decoder.decode(cell);
  if (text === "t" || text === "f") return BOOL;
  if (/^[+-]?\d+$/.test(text)) return INT8;
  if (numberOf(cell, FLOAT8, false) !== undefined && /\d/.test(text)) {
    return FLOAT8;
  }
  if (/^\d{4,6}-\d\d-\d\d( BC)?$/.test(text)) return DATE;
  if (intervalOf(cell, false) !== undefined) return INTERVAL;
  const us = timeUs(cell, TIMESTAMPTZ, false);
  return us !== undefined && Number.isFinite(us) ? TIMESTAMPTZ : undefined;
}

/** No time is longer. */
const MAX_LENGTH = 100;
const decoder = new TextDecoder();
