import { isReadable } from "./texts.ts";

/** Types of which an array reads back what a cell says, by name: their OIDs (pg_type.dat). */
const TYPES: ReadonlyMap<string, number> = new Map(Object.entries({
  bytea: 17,
  int8: 20,
  int2: 21,
  int4: 23,
  text: 25,
  bpchar: 1042,
  varchar: 1043,
  date: 1082,
  timestamp: 1114,
  timestamptz: 1184,
  numeric: 1700,
  uuid: 2950,
}));

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const OPEN = 0x7b;
const CLOSE = 0x7d;

/** The OID of a type, by its name in SQL, whose values go into arrays here; undefined: they don't. */
export function arrayTypeOf(type: string): number | undefined {
  const [, name = ""] = /^"pg_catalog"\."(\w+)"$/.exec(type) ?? [];
  return TYPES.get(name);
}

/** Writes an array as text; undefined: a value can't be read back, or its encoding might be broken. */
export function textArray(
  values: readonly Uint8Array[],
  type: string,
): Uint8Array | undefined {
  const bytes = [OPEN];
  for (const value of values) {
    const isEscaped = value.includes(QUOTE) || value.includes(BACKSLASH);
    // In some encodings these are halves of letters.
    const isBroken = isEscaped && value.some((byte) => byte >= 0x80);
    if (isBroken || !isReadable(value, type)) return undefined;
    if (bytes.length > 1) bytes.push(COMMA);
    bytes.push(QUOTE);
    for (const byte of value) {
      if (byte === QUOTE || byte === BACKSLASH) bytes.push(BACKSLASH);
      bytes.push(byte);
    }
    bytes.push(QUOTE);
  }
  bytes.push(CLOSE);
  return Uint8Array.from(bytes);
}

/** Writes an array in binary (array_recv): dimensions, whether there are NULLs, the elements' type, size and first index. */
export function binaryArray(
  values: readonly Uint8Array[],
  typeOid: number,
): Uint8Array {
  const dimensions = values.length === 0 ? 0 : 1;
  const size = values.reduce((sum, { length }) => sum + 4 + length, 0);
  const bytes = new Uint8Array(12 + 8 * dimensions + size);
  const view = new DataView(bytes.buffer);
  view.setInt32(0, dimensions);
  view.setInt32(8, typeOid);
  if (dimensions > 0) {
    view.setInt32(12, values.length);
    view.setInt32(16, 1);
  }
  let at = 12 + 8 * dimensions;
  for (const value of values) {
    view.setInt32(at, value.length);
    bytes.set(value, at + 4);
    at += 4 + value.length;
  }
  return bytes;
}
