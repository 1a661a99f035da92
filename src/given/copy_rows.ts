import type { CopyLayout } from "./copy_layout.ts";
import type { Span } from "./insert_places.ts";

const LF = 0x0a;
const CR = 0x0d;
const DOT = 0x2e;
const BACKSLASH = 0x5c;

/**
 * Where the rows of copy data end: in front of the line's end. Messages may cut
 * rows anywhere. It is done as CopyReadLineText() does it
 * (commands/copyfromparse.c); what that refuses has failed on the primary.
 *
 * @param data the bodies of the CopyData messages in `bytes`.
 * @param count how many rows there should be; undefined: any number.
 * @returns undefined if there are more or fewer.
 */
export function rowEnds(
  bytes: Uint8Array,
  data: readonly Span[],
  layout: Exclude<CopyLayout, { readonly format: "binary" }>,
  count: number | undefined,
): readonly number[] | undefined {
  const isCsv = layout.format === "csv";
  const { quote, escape } = layout;
  const ends: number[] = [];
  let isHeader = layout.hasHeader;
  /** Bytes of the row so far, up to 3. */
  let length = 0;
  /** They are those of `\.`, the old end of the data. */
  let isMarker = false;
  let isEscaped = false;
  let isQuoted = false;
  let isBehindCr = false;
  let last = 0;
  for (const { from, to } of data) {
    for (let at = from; at < to; at++) {
      const byte = bytes[at] as number; // at < to
      last = at + 1;
      if (isBehindCr) {
        isBehindCr = false;
        if (byte === LF) continue;
      }
      if (isCsv) {
        if (isQuoted && escape !== 0 && byte === escape) isEscaped = !isEscaped;
        if (byte === quote && !isEscaped) isQuoted = !isQuoted;
        if (byte !== escape) isEscaped = false;
      } else if (isEscaped) {
        isEscaped = false;
        if (byte === DOT) {
          return length === 1 ? exactly(ends, count) : undefined;
        }
        length = 3;
        continue;
      } else if (byte === BACKSLASH) {
        isEscaped = true;
        length = Math.min(3, length + 1);
        continue;
      }
      if (isQuoted || byte !== LF && byte !== CR) {
        isMarker = length === 0 ? byte === BACKSLASH : isMarker && byte === DOT;
        length = Math.min(3, length + 1);
        continue;
      }
      // To PostgreSQL 18 it is a row like others.
      const isEnd = isMarker && length === 2 && ends.length === count;
      if (isEnd) return ends;
      if (!isHeader) ends.push(at);
      if (count !== undefined && ends.length > count) return undefined;
      isHeader = isMarker = false;
      length = 0;
      isBehindCr = byte === CR;
    }
  }
  if (isQuoted || isEscaped && !isCsv) return undefined;
  const isRow = length > 0 && !isHeader &&
    !(isMarker && length === 2 && ends.length === count);
  if (isRow) ends.push(last);
  return exactly(ends, count);
}

function exactly(
  ends: readonly number[],
  count: number | undefined,
): readonly number[] | undefined {
  return count === undefined || ends.length === count ? ends : undefined;
}
