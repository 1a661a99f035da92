import { timeUs } from "../judge/mod.ts";
import type { Span } from "./insert_places.ts";

/** `PGCOPY\n\377\r\n\0` (manual, COPY, "Binary Format"). */
const SIGNATURE = [0x50, 0x47, 0x43, 0x4f, 0x50, 0x59, 10, 0xff, 13, 10, 0];
/** Of the flags: rows have OIDs, as before PostgreSQL 12. */
const HAS_OIDS = 1 << 16;
/** Instead of a number of fields: the end. */
const TRAILER = 0xffff;
const NULL_SIZE = -1;
/** PostgreSQL's epoch, 2000-01-01, in microseconds of Unix. */
const EPOCH_US = 946_684_800_000_000;
const DAY_US = 86_400_000_000;

/** A row of binary copy data. */
export interface BinaryRow {
  /** Places of the two bytes of its number of fields, and that number. */
  readonly high: number;
  readonly low: number;
  readonly fields: number;
  /** Behind its last field. */
  readonly end: number;
}

/**
 * The rows of binary copy data. Messages may cut them anywhere.
 *
 * @param data the bodies of the CopyData messages in `bytes`.
 * @param max rows that are looked for.
 * @returns the first ones, and whether there is another one.
 */
export function binaryRows(
  bytes: Uint8Array,
  data: readonly Span[],
  max: number,
): { readonly rows: readonly BinaryRow[]; readonly areMore: boolean } {
  const reader = new DataReader(bytes, data);
  const rows: BinaryRow[] = [];
  const isHead = SIGNATURE.every((byte) => reader.byte() === byte);
  const flags = reader.int32() ?? HAS_OIDS;
  const hasRows = isHead && (flags & HAS_OIDS) === 0 &&
    reader.skip(reader.int32() ?? -1);
  while (hasRows) {
    const first = reader.byte();
    // Without a trailer it is an end, too.
    if (first === undefined) break;
    const high = reader.at - 1;
    const second = reader.byte();
    if (second === undefined) break;
    const low = reader.at - 1;
    const fields = first << 8 | second;
    if (fields === TRAILER) break;
    for (let i = 0; i < fields; i++) {
      const size = reader.int32() ?? -2;
      const isThere = size === NULL_SIZE || reader.skip(size);
      if (!isThere) return { rows, areMore: false };
    }
    if (rows.length === max) return { rows, areMore: true };
    rows.push({ high, low, fields, end: reader.at });
  }
  return { rows, areMore: false };
}

/** Reads on from message to message. */
class DataReader {
  readonly #bytes: Uint8Array;
  readonly #data: readonly Span[];
  #next = 0;
  #to = 0;
  /** Behind what was read last. */
  at = 0;

  constructor(bytes: Uint8Array, data: readonly Span[]) {
    this.#bytes = bytes;
    this.#data = data;
  }

  /** Undefined: there is none. */
  byte(): number | undefined {
    return this.#hasMore() ? this.#bytes[this.at++] : undefined;
  }

  int32(): number | undefined {
    let value = 0;
    for (let i = 0; i < 4; i++) {
      const byte = this.byte();
      if (byte === undefined) return undefined;
      value = value << 8 | byte;
    }
    return value;
  }

  /** @returns whether there are so many bytes. */
  skip(count: number): boolean {
    for (let left = count; left > 0;) {
      if (!this.#hasMore()) return false;
      const step = Math.min(left, this.#to - this.at);
      this.at += step;
      left -= step;
    }
    return count >= 0;
  }

  #hasMore(): boolean {
    while (this.at === this.#to) {
      const span = this.#data[this.#next++];
      if (span === undefined) return false;
      this.at = span.from;
      this.#to = span.to;
    }
    return true;
  }
}

/**
 * A value in binary format, from the text that the primary's log has.
 *
 * @returns undefined if it is of a type that is not known here.
 */
export function binaryValue(
  text: string,
  typeOid: number,
): Uint8Array | undefined {
  switch (typeOid) {
    case 21: // int2
      return written(2, (view) => view.setInt16(0, Number(text)));
    case 23: // int4
    case 26: // oid
      return written(4, (view) => view.setInt32(0, Number(text)));
    case 20: // int8
      return written(8, (view) => view.setBigInt64(0, BigInt(text)));
    case 701: // float8
      return written(8, (view) => view.setFloat64(0, numberOf(text)));
    case 16: // bool
      return new Uint8Array([text === "t" || text === "true" ? 1 : 0]);
    case 25: // text
    case 1043: // varchar
      return encoder.encode(text);
    case 2950: // uuid
      return bytesOf(text.replaceAll("-", ""), 16);
    case 17: // bytea
      return text.startsWith("\\x") ? bytesOf(text.slice(2)) : undefined;
    case 1082: // date
      return timeOf(
        text,
        typeOid,
        4,
        (view, us) => view.setInt32(0, (us - EPOCH_US) / DAY_US),
      );
    case 1114: // timestamp
    case 1184: // timestamptz
      return timeOf(
        text,
        typeOid,
        8,
        (view, us) => view.setBigInt64(0, BigInt(us - EPOCH_US)),
      );
    default:
      return undefined;
  }
}

const encoder = new TextEncoder();

function written(
  size: number,
  write: (view: DataView) => void,
): Uint8Array {
  const value = new Uint8Array(size);
  write(new DataView(value.buffer));
  return value;
}

function timeOf(
  text: string,
  typeOid: number,
  size: number,
  write: (view: DataView, us: number) => void,
): Uint8Array | undefined {
  const us = timeUs(encoder.encode(text), typeOid, false);
  // Beyond, a number does not tell each microsecond.
  return us !== undefined && Number.isSafeInteger(us)
    ? written(size, (view) => write(view, us))
    : undefined;
}

function numberOf(text: string): number {
  return text === "-Infinity" ? -Infinity : Number(text);
}

function bytesOf(hex: string, size = hex.length / 2): Uint8Array | undefined {
  if (hex.length !== 2 * size || !/^[0-9a-f]*$/i.test(hex)) return undefined;
  return Uint8Array.from(
    { length: size },
    (_, i) => Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16),
  );
}
