import { literals } from "./literals.ts";
import type { PinnedRows } from "./pins.ts";

/** Values beyond this are not looked at, in bytes. */
export const MAX_VALUE = 64;
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

/** What one execution of a statement writes, by the keys of `writtenValue`. */
export type WrittenValues = ReadonlyMap<string, PinnedValue>;

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
  for (const [start, end, before] of literals(bytes, from, to)) {
    const column = wanted.get(++number);
    if (column === undefined || end - start > MAX_VALUE) continue;
    const text = decoder.decode(bytes.slice(start, end));
    const isPlain = QUOTED.test(text)
      ? !isPrefix(bytes, start)
      : /^\d+$/.test(text) && before !== MINUS && !isWord(bytes[end]);
    if (!isPlain) continue;
    values.set(column, {
      isBinary: false,
      text: text.startsWith("'") ? text.slice(1, -1) : text,
    });
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
  const wanted = Map.groupBy(
    pins.filter(({ from }) => "param" in from),
    ({ from }) => "param" in from ? from.param : 0,
  );
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
    const own = wanted.get(i + 1);
    if (own !== undefined && length <= MAX_VALUE) {
      const format = formats === 0 ? 0 : formats === 1 ? 0 : i;
      const isBinary = formats > 0 && format < formats &&
        view.getUint16(at + 2 + 2 * format) === 1;
      const text = decoder.decode(bytes.slice(value, value + length));
      for (const { column, isCast } of own) {
        if (!isBinary || !isCast) values.set(column, { isBinary, text });
      }
    }
    value += length;
  }
}

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
  return /[\w\x80-\xff]/.test(String.fromCharCode(byte));
}

const AMPERSAND = 0x26;
const LETTER_E = 0x65;
