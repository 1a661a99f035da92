import { isUnprintable } from "./cell_format.ts";
import { FLOAT4, FLOAT8, INT2, INT4, INT8, NUMERIC } from "./type_oids.ts";

const decoder = new TextDecoder();

/** A number; undefined: not read. */
export function numberOf(
  cell: Uint8Array,
  type: number,
  isBinary: boolean,
): number | undefined {
  if (isBinary || isUnprintable(cell)) return binaryNumber(cell, type);
  const text = decoder.decode(cell);
  const value = Number(text);
  return text === "" || Number.isNaN(value) && text !== "NaN"
    ? undefined
    : value;
}

function binaryNumber(cell: Uint8Array, type: number): number | undefined {
  const view = new DataView(cell.buffer, cell.byteOffset, cell.length);
  const isLong = cell.length === 8;
  switch (type) {
    case INT2:
      return cell.length === 2 ? view.getInt16(0) : undefined;
    case INT4:
      return cell.length === 4 ? view.getInt32(0) : undefined;
    case INT8:
      return isLong ? Number(view.getBigInt64(0)) : undefined;
    case FLOAT4:
      return cell.length === 4 ? view.getFloat32(0) : undefined;
    case FLOAT8:
      return isLong ? view.getFloat64(0) : undefined;
    case NUMERIC:
      return binaryNumeric(view);
    default:
      return undefined;
  }
}

/** Number of digits, weight of the first, sign, scale, then digits to the base of 10,000 (numeric_send in numeric.c). */
function binaryNumeric(view: DataView): number | undefined {
  if (view.byteLength < 8) return undefined;
  const digits = view.getInt16(0);
  const weight = view.getInt16(2);
  const sign = view.getUint16(4);
  if (digits < 0 || view.byteLength !== 8 + 2 * digits) return undefined;
  switch (sign) {
    case 0xc000:
      return NaN;
    case 0xd000:
      return Infinity;
    case 0xf000:
      return -Infinity;
  }
  let value = 0;
  for (let i = 0; i < digits; i++) {
    value += view.getInt16(8 + 2 * i) * 10_000 ** (weight - i);
  }
  return sign === 0 ? value : -value;
}

/**
 * How far float sums of another order may be apart, relative to the larger one.
 * A sum of n values of one sign is off by (n - 1) u at the most, u being 2^-53
 * for float8 and 2^-24 for float4 (Higham, "Accuracy and Stability of Numerical
 * Algorithms", section 4.2): 1e-9 allows for 4 million values or for a million
 * of which most cancel out; 1e-3 for 8,000 values.
 */
export function areFloatsAlike(a: number, b: number, type: number): boolean {
  if (Object.is(a, b) || a === b) return true;
  // No order of additions makes a number of what is none, or the other way round.
  if (!Number.isFinite(a) || !Number.isFinite(b)) return false;
  const tolerance = type === FLOAT4 ? 1e-3 : 1e-9;
  return Math.abs(a - b) <= tolerance * Math.max(Math.abs(a), Math.abs(b));
}

/** Equal for numbers that are equal: 1.0 and 1.00. */
export function plainNumber(text: string): string {
  if (!/^-?\d+\.\d*$/.test(text)) return text;
  // A pattern for the last zeros would begin anew at each run of them.
  let end = text.length;
  while (text[end - 1] === "0") end--;
  return text.slice(0, text[end - 1] === "." ? end - 1 : end);
}

/** Bytes of a binary numeric's header: numbers of digits, weight, sign and scale (numeric_send). */
const NUMERIC_HEADER = 8;
const DIGIT_BYTES = 2;

/** The same for a binary numeric: without its scale, and zeros behind the last digit that counts. */
export function plainNumeric(cell: Uint8Array): Uint8Array {
  if (cell.length < NUMERIC_HEADER) return cell;
  let end = cell.length;
  while (end > NUMERIC_HEADER && cell[end - 1] === 0 && cell[end - 2] === 0) {
    end -= DIGIT_BYTES;
  }
  const [weightAt, scaleAt] = [2, 6];
  return Uint8Array.of(
    ...cell.subarray(weightAt, scaleAt),
    ...cell.subarray(NUMERIC_HEADER, end),
  );
}
