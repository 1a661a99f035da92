import { literals } from "./literals.ts";
import type { PinnedRows } from "./pins.ts";

/** Values beyond this are not looked at, in bytes. */
const MAX_VALUE = 64;
const decoder = new TextDecoder("latin1");

/** A value as it was sent. */
export interface PinnedValue {
  readonly isBinary: boolean;
  /** A character for each byte. */
  readonly text: string;
}

/** The rows that one execution of a statement touches: those with these values, by column. */
export interface TouchedRows {
  readonly relation: string;
  readonly values: ReadonlyMap<string, PinnedValue>;
}

/** The values that stand in the text itself, `bytes[from, to)`. */
export function literalValues(
  { pins }: PinnedRows,
  bytes: Uint8Array,
  from: number,
  to: number,
): Map<string, PinnedValue> {
  const values = new Map<string, PinnedValue>();
  const wanted = new Map<number, string>();
  for (const { column, from } of pins) {
    if ("literal" in from) wanted.set(from.literal, column);
  }
  if (wanted.size === 0) return values;
  let number = 0;
  for (const [start, end] of literals(bytes, from, to)) {
    const column = wanted.get(++number);
    if (column === undefined || end - start > MAX_VALUE) continue;
    const text = decoder.decode(bytes.slice(start, end));
    // With quotes, escapes or a sign within it would have to be read as the server does.
    const plain = /^'([^'\\]*)'$/.exec(text)?.[1] ??
      (/^\d+$/.test(text) ? text : undefined);
    const before = bytes[start - 1];
    if (plain === undefined || before === MINUS) continue;
    values.set(column, { isBinary: false, text: plain });
  }
  return values;
}

/**
 * Adds the values that a Bind message gives: behind its two names the formats,
 * then the values, each with its length (manual, "Message Formats").
 *
 * @param at of the formats' number in `bytes`.
 */
export function addParameters(
  values: Map<string, PinnedValue>,
  { pins }: PinnedRows,
  bytes: Uint8Array,
  at: number,
  to: number,
): void {
  const wanted = new Map<number, string>();
  for (const { column, from } of pins) {
    if ("param" in from) wanted.set(from.param, column);
  }
  if (wanted.size === 0 || at + 2 > to) return;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const formats = view.getUint16(at);
  let value = at + 2 + 2 * formats;
  if (value + 2 > to) return;
  const count = view.getUint16(value);
  value += 2;
  for (let i = 0; i < count && value + 4 <= to; i++) {
    const length = view.getInt32(value);
    value += 4;
    if (length < 0) continue;
    if (value + length > to) return;
    const column = wanted.get(i + 1);
    if (column !== undefined && length <= MAX_VALUE) {
      const format = formats === 0 ? 0 : formats === 1 ? 0 : i;
      const isBinary = formats > 0 && format < formats &&
        view.getUint16(at + 2 + 2 * format) === 1;
      values.set(column, {
        isBinary,
        text: decoder.decode(bytes.slice(value, value + length)),
      });
    }
    value += length;
  }
}

const MINUS = 0x2d;
