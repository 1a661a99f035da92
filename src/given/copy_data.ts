import {
  COPY_DATA,
  COPY_DONE,
  COPY_FAIL,
  DESCRIBE,
  EXECUTE,
  FLUSH,
  QUERY,
} from "../wire/mod.ts";
import { binaryRows, binaryValue } from "./copy_binary.ts";
import type { ClientMessage } from "./client_messages.ts";
import type { CopyLayout } from "./copy_layout.ts";
import { rowEnds } from "./copy_rows.ts";
import type { GivenColumn } from "./given_columns.ts";
import { type LoggedRows, loggedValue } from "./logged_rows.ts";

/** The data of a COPY: `bytes[from, to)`, up to CopyDone or CopyFail. */
export interface CopyData {
  readonly from: number;
  readonly to: number;
  /** CopyData messages. */
  readonly messages: readonly ClientMessage[];
}

/** Bytes that stand in the place of others, within one message's body. */
interface DataEdit {
  readonly at: number;
  readonly removed: number;
  readonly bytes: Uint8Array;
}

/**
 * What the client sent for a COPY.
 *
 * @param at the place of its Query, or of the Bind of its portal.
 * @returns undefined if nothing ends it.
 */
export function copyData(
  messages: readonly ClientMessage[],
  at: number,
): CopyData | undefined {
  const isSame = ({ type, result }: ClientMessage) =>
    type === EXECUTE && result === messages[at]?.result;
  let command = at;
  for (; messages[command]?.type !== QUERY; command++) {
    const message = messages[command];
    if (message === undefined || isSame(message)) break;
    const isPart = command === at || message.type === DESCRIBE ||
      message.type === FLUSH;
    if (!isPart) return undefined;
  }
  const found: ClientMessage[] = [];
  const from = messages[command]?.end ?? 0;
  for (const message of messages.slice(command + 1)) {
    if (message.type === COPY_DATA) found.push(message);
    else if (message.type === COPY_DONE || message.type === COPY_FAIL) {
      return { from, to: message.start, messages: found };
    } else if (message.type !== FLUSH) return undefined;
  }
  return undefined;
}

/**
 * Columns that have a value in each row, as the format writes them.
 *
 * @param rows of the primary's log.
 */
export function fieldsOf(
  columns: readonly GivenColumn[],
  layout: CopyLayout,
  rows: LoggedRows,
): ReadonlyMap<GivenColumn, readonly Uint8Array[]> {
  const found = new Map<GivenColumn, readonly Uint8Array[]>();
  for (const column of columns) {
    const fields: Uint8Array[] = [];
    for (const row of rows) {
      const { value } = loggedValue(column, row);
      const field = value &&
        fieldOf(decoder.decode(value.slice()), column.typeOid, layout);
      if (field === undefined) break;
      fields.push(field);
    }
    if (fields.length === rows.length) found.set(column, fields);
  }
  return found;
}

/** A value with what stands in front of it; undefined: it can't be written. */
function fieldOf(
  text: string,
  typeOid: number,
  layout: CopyLayout,
): Uint8Array | undefined {
  if (layout.format === "binary") {
    const value = binaryValue(text, typeOid);
    if (value === undefined) return undefined;
    const field = new Uint8Array(4 + value.length);
    new DataView(field.buffer).setInt32(0, value.length);
    field.set(value, 4);
    return field;
  }
  const delimiter = String.fromCharCode(layout.delimiter);
  if (layout.format === "text") {
    const written = [...text].map((char) =>
      char === "\n"
        ? "\\n"
        : char === "\r"
        ? "\\r"
        : char === "\\" || char === delimiter
        ? `\\${char}`
        : char
    ).join("");
    // It would be NULL.
    if (written === layout.null) return undefined;
    return encoder.encode(delimiter + written);
  }
  // In quotes nothing is NULL.
  const quote = String.fromCharCode(layout.quote);
  const escape = String.fromCharCode(layout.escape || layout.quote);
  const written = [...text].map((char) =>
    char === quote || char === escape ? escape + char : char
  ).join("");
  return encoder.encode(delimiter + quote + written + quote);
}

/** How many rows there are; undefined: that is not known. */
export function rowCount(
  bytes: Uint8Array,
  { messages }: CopyData,
  layout: CopyLayout,
): number | undefined {
  const spans = messages.map(({ body, end }) => ({ from: body, to: end }));
  return layout.format === "binary"
    ? binaryRows(bytes, spans, Infinity).rows.length
    : rowEnds(bytes, spans, layout, undefined)?.length;
}

/**
 * Writes copy data with more fields behind those of each row.
 *
 * @param fields of each added column one for each row.
 * @returns undefined if there are not so many rows.
 */
export function withFields(
  bytes: Uint8Array<ArrayBuffer>,
  data: CopyData,
  layout: CopyLayout,
  fields: readonly (readonly Uint8Array[])[],
  count: number,
): Uint8Array<ArrayBuffer> | undefined {
  const spans = data.messages.map(({ body, end }) => ({ from: body, to: end }));
  const edits: DataEdit[] = [];
  const add = (row: number, at: number) => {
    for (const column of fields) {
      edits.push({ at, removed: 0, bytes: column[row] as Uint8Array }); // it has one
    }
  };
  if (layout.format === "binary") {
    const { rows, areMore } = binaryRows(bytes, spans, count);
    if (areMore || rows.length !== count) return undefined;
    rows.forEach(({ high, low, fields: own, end }, row) => {
      const all = own + fields.length;
      edits.push(
        { at: high, removed: 1, bytes: Uint8Array.of(all >> 8) },
        { at: low, removed: 1, bytes: Uint8Array.of(all) },
      );
      add(row, end);
    });
  } else {
    const ends = rowEnds(bytes, spans, layout, count);
    if (ends === undefined) return undefined;
    ends.forEach((end, row) => add(row, end));
  }
  return edited(bytes, data, edits);
}

/** @param edits in the order of the bytes. */
function edited(
  bytes: Uint8Array<ArrayBuffer>,
  { from, to, messages }: CopyData,
  edits: readonly DataEdit[],
): Uint8Array<ArrayBuffer> {
  const more = edits.reduce(
    (sum, { removed, bytes }) => sum + bytes.length - removed,
    0,
  );
  const out = new Uint8Array(to - from + more);
  const view = new DataView(out.buffer);
  let at = from;
  let outAt = 0;
  const put = (part: Uint8Array) => {
    out.set(part, outAt);
    outAt += part.length;
  };
  const copyTo = (end: number) => {
    put(bytes.subarray(at, end));
    at = end;
  };
  let next = 0;
  for (const { start, end } of messages) {
    copyTo(start);
    const outStart = outAt;
    for (; next < edits.length; next++) {
      const edit = edits[next] as DataEdit; // next < length
      // A header stands between this message's end and the next one's body.
      if (edit.at > end) break;
      copyTo(edit.at);
      put(edit.bytes);
      at += edit.removed;
    }
    copyTo(end);
    view.setUint32(outStart + 1, outAt - outStart - 1);
  }
  copyTo(to);
  return out;
}

const decoder = new TextDecoder();
const encoder = new TextEncoder();
