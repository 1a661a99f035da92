import { tokens } from "../sql/mod.ts";
import { concat } from "../wire/mod.ts";

const decoder = new TextDecoder();
const encoder = new TextEncoder();

/** What stands in the place of a part of a text: byte offsets. */
export interface Edit {
  readonly from: number;
  readonly to: number;
  readonly text: string;
}

/** The text in `bytes[from, to)` with edits, which are in its order. */
export function spliced(
  bytes: Uint8Array,
  from: number,
  to: number,
  edits: readonly Edit[],
): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = [];
  let at = from;
  for (const edit of edits) {
    parts.push(bytes.subarray(at, edit.from), encoder.encode(edit.text));
    at = edit.to;
  }
  parts.push(bytes.subarray(at, to));
  return concat(parts);
}

/** A name as SQL takes it, whatever is in it. */
export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** Times are read back as they were written in ISO style only; the other styles leave the zone to guesses. */
export function isReadable(value: Uint8Array, type: string): boolean {
  if (!/^"pg_catalog"\."(?:date|timestamp|timestamptz)"$/.test(type)) {
    return !/^"pg_catalog"\."(?:interval|money)"$/.test(type);
  }
  return /^\d{4,}-\d\d-\d\d/.test(decoder.decode(value.slice()));
}

/** The highest number of a parameter in SQL text. */
export function highestParameter(
  bytes: Uint8Array,
  from: number,
  to: number,
): number {
  let highest = 0;
  for (const { kind, start, end } of tokens(bytes, from, to)) {
    if (kind !== "parameter") continue;
    const number = Number(decoder.decode(bytes.slice(start + 1, end)));
    highest = Math.max(highest, number);
  }
  return highest;
}
