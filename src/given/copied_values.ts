import { rowValueKey } from "../sql/mod.ts";
import { type ColumnValue, MAX_VALUE } from "../sql/pinned_values.ts";
import { byteText, COPY_DATA, FLUSH, Framer } from "../wire/mod.ts";
import { binaryRows } from "./copy_binary.ts";
import type { CopyLayout } from "./copy_layout.ts";
import { copyLayoutOf } from "./copy_statement.ts";

/** Bytes at the front of copy data that are looked at … */
const MAX_BYTES = 4_096;
/** … and values of the rows in them. */
const MAX_VALUES = 64;

/**
 * What the first rows of a COPY have in the columns that it names, by the keys
 * of `writtenValue`: two that load as many rows are told apart by it.
 *
 * @param sql its text.
 * @param from where the messages behind it begin in `bytes`.
 */
export function copiedValues(
  sql: Uint8Array,
  bytes: Uint8Array,
  from: number,
  to: number,
): readonly ColumnValue[] {
  const layout = copyLayoutOf(sql);
  if (layout === undefined) return [];
  const data = firstData(bytes, from, to);
  const rows = layout.format === "binary"
    ? binaryFields(data)
    : textFields(byteText(data), layout);
  const isBinary = layout.format === "binary";
  const values = rows.flatMap((fields, row) =>
    fields.flatMap((text, place) => {
      if (text === undefined || text.length > MAX_VALUE) return [];
      return [{ column: rowValueKey(row, place), isBinary, text }];
    })
  );
  return values.slice(0, MAX_VALUES);
}

/** The bodies of the first messages, one behind the other. */
function firstData(
  bytes: Uint8Array,
  from: number,
  to: number,
): Uint8Array<ArrayBuffer> {
  const data = new Uint8Array(MAX_BYTES);
  const framer = new Framer();
  let size = 0;
  for (let at = from; at < to && size < MAX_BYTES;) {
    at = framer.step(bytes, at, to);
    if (!framer.finished || framer.type === FLUSH) continue;
    if (framer.type !== COPY_DATA) break;
    const body = bytes.subarray(framer.bodyStart, at);
    const part = body.subarray(0, MAX_BYTES - size);
    data.set(part, size);
    size += part.length;
  }
  return data.slice(0, size);
}

type Fields = readonly (string | undefined)[];

/** Of the rows that are here as a whole; undefined: NULL, or not told. */
function textFields(
  text: string,
  layout: Exclude<CopyLayout, { readonly format: "binary" }>,
): readonly Fields[] {
  const isCsv = layout.format === "csv";
  const quote = String.fromCharCode(layout.quote);
  const pattern = fieldPattern(layout);
  const rows: Fields[] = [];
  let fields: (string | undefined)[] = [];
  for (;;) {
    const [found, quoted, plain = "", end = ""] = pattern.exec(text) ?? [];
    // Behind a backslash a line goes on; `\.` is the old end.
    const isUnclear = !isCsv && (plain.endsWith("\\") || plain === "\\.");
    if (found === undefined || isUnclear) break;
    const value = quoted?.replaceAll(quote + quote, quote) ??
      (isCsv ? plain : unescaped(plain));
    const isNull = quoted === undefined && plain === layout.null;
    fields.push(isNull ? undefined : value);
    if (end.charCodeAt(0) === layout.delimiter) continue;
    rows.push(fields);
    fields = [];
  }
  return rows.slice(layout.hasHeader ? 1 : 0);
}

/** A field of text format; undefined: it has bytes by their numbers. */
function unescaped(field: string): string | undefined {
  if (/\\[0-7x]/.test(field)) return undefined;
  return field.replace(
    /\\(.)/g,
    (_, char: string) => ESCAPED[char] ?? char,
  );
}

/** Manual, COPY, "Text Format". */
const ESCAPED: Readonly<Record<string, string>> = {
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
};

/** A field, in quotes or not, and what stands behind it. */
function fieldPattern(
  { format, delimiter, quote, escape }: Exclude<
    CopyLayout,
    { readonly format: "binary" }
  >,
): RegExp {
  const classOf = (byte: number) => `\\x${byte.toString(16).padStart(2, "0")}`;
  const [d, q, e] = [delimiter, quote, escape].map(classOf);
  const end = `(${d}|\\r\\n|\\r|\\n)`;
  return format === "text"
    ? new RegExp(`(?:(?!)()|([^${d}\\r\\n]*))${end}`, "y")
    : new RegExp(
      `(?:${q}((?:[^${q}${e}]|${q}${q})*)${q}|([^${q}${d}\\r\\n]*))${end}`,
      "y",
    );
}

function binaryFields(data: Uint8Array): readonly Fields[] {
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  const spans = [{ from: 0, to: data.length }];
  return binaryRows(data, spans, MAX_VALUES).rows.map(({ low, fields }) => {
    let at = low + 1;
    return Array.from({ length: fields }, () => {
      const size = view.getInt32(at);
      at += 4 + Math.max(0, size);
      return size < 0 ? undefined : byteText(data.subarray(at - size, at));
    });
  });
}
