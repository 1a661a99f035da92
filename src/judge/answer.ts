import type { TypePair } from "../catalog/mod.ts";
import { haveEqualColumns, readColumns } from "./columns.ts";
import { uint32 } from "./uint32.ts";
import {
  COPY_DATA,
  DATA_ROW,
  ERROR_RESPONSE,
  Framer,
  FUNCTION_CALL_RESPONSE,
  HEADER_BYTES,
  ROW_DESCRIPTION,
} from "../wire/mod.ts";

/** Signature, flags and extension's length of COPY's binary format (manual, COPY, "Binary Format"). */
const COPY_HEADER_BYTES = 19;
const COPY_SIGNATURE = [
  0x50,
  0x47,
  0x43,
  0x4f,
  0x50,
  0x59,
  10,
  0xff,
  13,
  10,
  0,
];

/** The messages of one statement, as views of the record's bytes. */
export interface Answer {
  /** Bodies, in order. */
  readonly rows: readonly Uint8Array[];
  /** Rows consist of cells; a line of a COPY does not. */
  readonly hasCells: boolean;
  /** An ErrorResponse's body. */
  readonly error: Uint8Array | undefined;
}

/** Reads a statement's messages; one that is not whole is left out. */
export function readAnswer(bytes: Uint8Array): Answer {
  const framer = new Framer();
  const rows: Uint8Array[] = [];
  let error: Uint8Array | undefined;
  let hasCells = false;
  for (let at = 0; at < bytes.length;) {
    at = framer.step(bytes, at, bytes.length);
    if (!framer.finished) break;
    const body = bytes.subarray(framer.bodyStart, at);
    switch (framer.type) {
      case DATA_ROW:
        hasCells = true;
        rows.push(body);
        break;
      case FUNCTION_CALL_RESPONSE:
        rows.push(body);
        break;
      case COPY_DATA: {
        const row = rows.length === 0 ? withoutHeader(body) : body;
        // The header may come alone.
        if (row.length > 0 || body.length === 0) rows.push(row);
        break;
      }
      case ERROR_RESPONSE:
        error = body;
    }
  }
  return { rows, hasCells, error };
}

function withoutHeader(body: Uint8Array): Uint8Array {
  return COPY_SIGNATURE.every((byte, i) => body[i] === byte)
    ? body.subarray(COPY_HEADER_BYTES)
    : body;
}

/** Whether all but the descriptions is equal, byte for byte. */
export function haveEqualRows(a: Uint8Array, b: Uint8Array): boolean {
  let i = behindDescriptions(a);
  let j = behindDescriptions(b);
  if (a.length - i !== b.length - j) return false;
  while (i < a.length) if (a[i++] !== b[j++]) return false;
  return true;
}

/** Whether the descriptions of the primary, `a`, and of the mirror say the same on servers that are alike. */
export function haveEqualDescriptions(
  a: Uint8Array,
  b: Uint8Array,
  types?: TypePair,
): boolean {
  const end = behindDescriptions(a);
  if (end !== behindDescriptions(b)) return false;
  for (let at = 0; at < end;) {
    const next = at + 1 + uint32(a, at + 1);
    if (!haveEqualColumns(a, b, at + HEADER_BYTES, next, types)) return false;
    at = next;
  }
  return true;
}

/** The bodies of the descriptions in front of the rows. */
export function leadingDescriptions(bytes: Uint8Array): readonly Uint8Array[] {
  const end = behindDescriptions(bytes);
  const bodies: Uint8Array[] = [];
  for (let at = 0; at < end;) {
    const next = at + 1 + uint32(bytes, at + 1);
    bodies.push(bytes.subarray(at + HEADER_BYTES, next));
    at = next;
  }
  return bodies;
}

/** The last of them. */
export function leadingDescription(bytes: Uint8Array): Uint8Array | undefined {
  return leadingDescriptions(bytes).at(-1);
}

/** The names of the columns that it describes; undefined: it describes none. */
export function describedNames(
  bytes: Uint8Array,
): readonly string[] | undefined {
  const description = leadingDescription(bytes);
  return description && readColumns(description).map(({ name }) => name);
}

function behindDescriptions(bytes: Uint8Array): number {
  let at = 0;
  while (at + HEADER_BYTES <= bytes.length && bytes[at] === ROW_DESCRIPTION) {
    at += 1 + uint32(bytes, at + 1);
  }
  return Math.min(at, bytes.length);
}

/** The cells of a DataRow body; undefined: NULL. */
export function readCells(body: Uint8Array): (Uint8Array | undefined)[] {
  const view = new DataView(body.buffer, body.byteOffset, body.length);
  const cells: (Uint8Array | undefined)[] = [];
  for (let at = 2; at + 4 <= body.length;) {
    const length = view.getInt32(at);
    at += 4;
    cells.push(length < 0 ? undefined : body.subarray(at, at + length));
    at += Math.max(0, length);
  }
  return cells;
}
