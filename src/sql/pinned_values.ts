import { literals } from "./literals.ts";
import { byteText } from "../wire/mod.ts";
import type { Pin } from "./pins.ts";

/** Values beyond this are not looked at, in bytes. */
export const MAX_VALUE = 64;

/** A value as it was sent. */
export interface PinnedValue {
  readonly isBinary: boolean;
  /** A character for each byte. */
  readonly text: string;
}

/** The value of a column, or of a key of `writtenValue`. */
export interface ColumnValue extends PinnedValue {
  readonly column: string;
}

/** The rows that one execution of a statement touches: those with these values. */
export interface TouchedRows {
  readonly relation: string;
  /** There are few: they are looked through. */
  readonly values: readonly ColumnValue[];
}

/** The value of a column. */
export function valueOf(
  values: readonly ColumnValue[],
  column: string,
): ColumnValue | undefined {
  return values.find((value) => value.column === column);
}

/** The values of `pins` that stand in the text itself, `bytes[from, to)`. */
export function literalValues(
  pins: readonly Pin[],
  bytes: Uint8Array,
  from: number,
  to: number,
): ColumnValue[] {
  const values: ColumnValue[] = [];
  let last = 0;
  for (const { from } of pins) {
    if ("literal" in from && from.literal > last) last = from.literal;
  }
  if (last === 0) return values;
  let number = 0;
  for (const [start, end, before] of literals(bytes, from, to)) {
    number++;
    for (const { column, from } of pins) {
      if (!("literal" in from) || from.literal !== number) continue;
      const text = literalText(bytes, start, end, before);
      if (text !== undefined) values.push({ column, isBinary: false, text });
    }
    if (number === last) break;
  }
  return values;
}

/** What a literal in `bytes[start, end)` says; undefined: it is long, or would have to be read as the server does. */
function literalText(
  bytes: Uint8Array,
  start: number,
  end: number,
  before: number,
): string | undefined {
  if (end - start > MAX_VALUE) return undefined;
  if (bytes[start] !== QUOTE) {
    return before !== MINUS && !isWord(bytes[end])
      ? digits(bytes, start, end)
      : undefined;
  }
  const text = textOf(bytes, start, end);
  return QUOTED.test(text) && !isPrefix(bytes, start)
    ? text.slice(1, -1)
    : undefined;
}

/** Without a decoder, which costs more than a short number. */
function digits(
  bytes: Uint8Array,
  start: number,
  end: number,
): string | undefined {
  let text = "";
  for (let at = start; at < end; at++) {
    const byte = bytes[at] as number;
    if (byte < 0x30 || byte > 0x39) return undefined;
    text += DIGITS[byte - 0x30];
  }
  return text;
}

/** A character for each byte. */
function textOf(bytes: Uint8Array, start: number, end: number): string {
  return byteText(bytes.subarray(start, end));
}

/**
 * Adds the values of `pins` that a Bind message gives: behind its two names the
 * formats, then the values, each with its length (manual, "Message Formats").
 *
 * @param at of the formats' number in `bytes`.
 */
export function addParameters(
  values: ColumnValue[],
  pins: readonly Pin[],
  bytes: Uint8Array,
  at: number,
  to: number,
): void {
  let last = 0;
  for (const { from } of pins) {
    if ("param" in from && from.param > last) last = from.param;
  }
  if (last === 0 || at + 2 > to) return;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const formats = view.getUint16(at);
  let value = at + 2 + 2 * formats;
  if (value + 2 > to) return;
  const count = Math.min(view.getUint16(value), last);
  value += 2;
  for (let i = 0; i < count && value + 4 <= to; i++) {
    const length = view.getInt32(value);
    value += 4;
    if (length < 0) continue;
    if (value + length > to) return;
    if (length <= MAX_VALUE) {
      const format = formats === 1 ? 0 : i;
      const isBinary = format < formats &&
        view.getUint16(at + 2 + 2 * format) === 1;
      let text: string | undefined;
      for (const { column, from, cast } of pins) {
        if (!("param" in from) || from.param !== i + 1) continue;
        if (isBinary && cast !== undefined) {
          const text = castText(cast, view, value, length);
          if (text !== undefined) {
            values.push({ column, isBinary: false, text });
          }
          continue;
        }
        text ??= digits(bytes, value, value + length) ??
          textOf(bytes, value, value + length);
        values.push({ column, isBinary, text });
      }
    }
    value += length;
  }
}

/** What a binary value says that is cast; undefined: its type is not known. An integer has a length of its own, whichever it is cast to. */
function castText(
  cast: string,
  view: DataView,
  at: number,
  length: number,
): string | undefined {
  if (cast === "uuid" && length === 16) {
    const digits = Array.from(
      { length },
      (_, i) => view.getUint8(at + i).toString(16).padStart(2, "0"),
    ).join("");
    return digits.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
  }
  if (!cast.startsWith("int")) return undefined;
  if (length === 2) return String(view.getInt16(at));
  if (length === 4) return String(view.getInt32(at));
  return length === 8 ? String(view.getBigInt64(at)) : undefined;
}

const DIGITS = [..."0123456789"];
const QUOTE = 0x27;
const MINUS = 0x2d;
/** Without quotes and escapes, which would have to be read as the server does. */
const QUOTED = /^'[^'\\]*'$/;

/** Whether a letter or & stands before a quote: U&'…', b'…'. E'…' without a backslash is what it says. */
function isPrefix(bytes: Uint8Array, quote: number): boolean {
  const byte = quote === 0 ? 0 : bytes[quote - 1] as number;
  return byte === AMPERSAND || isWord(byte) && (byte | 0x20) !== LETTER_E;
}

/** A literal goes on in it: 0x10, 1_000. */
function isWord(byte = 0): boolean {
  return byte === UNDERSCORE || byte >= 0x30 && byte <= 0x39 ||
    (byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x7a || byte >= 0x80;
}

const AMPERSAND = 0x26;
const LETTER_E = 0x65;
const UNDERSCORE = 0x5f;
