import { FIRST_OWN_OID } from "../catalog/mod.ts";
import type { Answer } from "./answer.ts";
import type { Column } from "./columns.ts";

/** A number that an own type has on both servers, no built-in type's: TypePair gives it. */
export type TypeMark = (oid: number) => number;

const RECORD = 2249;
/** Types whose binary values are OIDs (catalog/pg_type.dat), regdatabase of PostgreSQL 19 included. */
const REFERENCES: ReadonlySet<number> = new Set([
  24, // regproc
  2202, // regprocedure
  2203, // regoper
  2204, // regoperator
  2205, // regclass
  2206, // regtype
  3734, // regconfig
  3769, // regdictionary
  4089, // regnamespace
  4096, // regrole
  4191, // regcollation
]);
const REGTYPE = 2206;
/** Arrays of these, and of records. */
const ARRAYS: ReadonlySet<number> = new Set([
  1008,
  2207,
  2208,
  2209,
  2210,
  2211,
  2287,
  3735,
  3770,
  4090,
  4097,
  4192,
]);
/** No type has a lower number: so no record is taken for an array, nor the other way round. */
const FIRST_OID = 16;
/** MAXDIM in utils/array.h. */
const DIMENSIONS = 6;
/** In front of an array's dimensions: their number, whether there are NULLs, the element's type. */
const ARRAY_HEADER_BYTES = 12;
const DIMENSION_BYTES = 8;
/** Values within values that are looked into: each costs a call. */
const MAX_DEPTH = 32;

/**
 * Whether values of a type may hold OIDs that differ between servers that are
 * alike. The format does not matter: the description of a statement does not
 * know it, and a text has no NUL, with which arrays and records begin.
 */
export function mayHoldOids({ typeOid }: Pick<Column, "typeOid">): boolean {
  return typeOid >= FIRST_OWN_OID || typeOid === RECORD ||
    REFERENCES.has(typeOid) || ARRAYS.has(typeOid);
}

/**
 * Where the OIDs of own types are in a binary value `bytes[from, to)` of any
 * type: in what its bytes tell to be an array or a composite, and nothing else.
 */
export function typeOidPlaces(
  bytes: DataView,
  from: number,
  to: number,
): readonly number[] {
  const places: Place[] = [];
  look(bytes, from, to, FIRST_OWN_OID, 0, places);
  return places.flatMap(({ at, isType }) => isType ? [at] : []);
}

/**
 * A DataRow's body in which the own OIDs of binary values are replaced by their
 * types' marks: the element's type of an array, the fields' types of a composite
 * (array_send, record_send), and the OIDs that regclass and its kin are. What a
 * value is, its bytes tell: of own types only the name is known. Bytes that make
 * no array and no record are left as they are, so equal values stay equal.
 *
 * @returns `row` itself if no value holds an own OID.
 */
export function normalRow(
  row: Uint8Array,
  columns: readonly Column[],
  mark: TypeMark,
): Uint8Array {
  const bytes = view(row);
  const places: Place[] = [];
  let at = 2;
  for (const column of columns) {
    if (at + 4 > row.length) break;
    const length = Math.max(0, bytes.getInt32(at));
    at += 4;
    if (length > 0 && at + length <= row.length && mayHoldOids(column)) {
      look(bytes, at, at + length, column.typeOid, 0, places);
    }
    at += length;
  }
  if (places.length === 0) return row;
  const normal = row.slice();
  put(view(normal), places, mark);
  return normal;
}

/**
 * An answer with its rows made normal.
 *
 * @param columns as the primary described them: for both sides, which have the same.
 * @returns `answer` itself if no value holds an own OID.
 */
export function normalAnswer(
  answer: Answer,
  columns: readonly Column[] | undefined,
  mark: TypeMark,
): Answer {
  if (!answer.hasCells || columns === undefined) return answer;
  if (!columns.some(mayHoldOids)) return answer;
  const rows = answer.rows.map((row) => normalRow(row, columns, mark));
  return { ...answer, rows };
}

/** Where an OID is, and whether it is a type's. */
interface Place {
  readonly at: number;
  readonly isType: boolean;
}

/** Finds the OIDs of the value `[from, to)`. Of a value that is none of ours nothing is found. */
function look(
  bytes: DataView,
  from: number,
  to: number,
  typeOid: number,
  depth: number,
  found: Place[],
): void {
  if (depth > MAX_DEPTH) return;
  if (REFERENCES.has(typeOid)) {
    if (to - from !== 4 || bytes.getUint32(from) < FIRST_OWN_OID) return;
    // Four letters are a name.
    if (depth === 0 && !hasNul(bytes, from, to)) return;
    found.push({ at: from, isType: typeOid === REGTYPE });
    return;
  }
  if (!mayHoldOids({ typeOid })) return;
  const before = found.length;
  const isWhole = lookIntoArray(bytes, from, to, depth, found) ||
    lookIntoRecord(bytes, from, to, depth, found);
  if (!isWhole) found.length = before;
}

function lookIntoArray(
  bytes: DataView,
  from: number,
  to: number,
  depth: number,
  found: Place[],
): boolean {
  if (to - from < ARRAY_HEADER_BYTES) return false;
  const dimensions = bytes.getInt32(from);
  const hasNulls = bytes.getInt32(from + 4);
  const element = bytes.getUint32(from + 8);
  let at = from + ARRAY_HEADER_BYTES + dimensions * DIMENSION_BYTES;
  if (
    dimensions < 0 || dimensions > DIMENSIONS || at > to ||
    hasNulls < 0 || hasNulls > 1
  ) return false;
  let count = dimensions === 0 ? 0 : 1;
  for (let i = 0; i < dimensions; i++) {
    const length = bytes.getInt32(
      from + ARRAY_HEADER_BYTES + i * DIMENSION_BYTES,
    );
    if (length <= 0) return false;
    count *= length;
  }
  if (element >= FIRST_OWN_OID) found.push({ at: from + 8, isType: true });
  for (; count > 0; count--) {
    if (at + 4 > to) return false;
    const length = Math.max(0, bytes.getInt32(at));
    at += 4;
    if (length > to - at) return false;
    look(bytes, at, at + length, element, depth + 1, found);
    at += length;
  }
  return at === to;
}

function lookIntoRecord(
  bytes: DataView,
  from: number,
  to: number,
  depth: number,
  found: Place[],
): boolean {
  if (to - from < 4) return false;
  let fields = bytes.getInt32(from);
  let at = from + 4;
  if (fields < 0 || fields > (to - at) / 8) return false;
  for (; fields > 0; fields--) {
    if (at + 8 > to) return false;
    const oid = bytes.getUint32(at);
    const length = Math.max(0, bytes.getInt32(at + 4));
    if (oid < FIRST_OID || length > to - at - 8) return false;
    if (oid >= FIRST_OWN_OID) found.push({ at, isType: true });
    at += 8;
    look(bytes, at, at + length, oid, depth + 1, found);
    at += length;
  }
  return at === to;
}

function hasNul(bytes: DataView, from: number, to: number): boolean {
  for (let at = from; at < to; at++) if (bytes.getUint8(at) === 0) return true;
  return false;
}

function put(bytes: DataView, places: readonly Place[], mark: TypeMark): void {
  for (const { at, isType } of places) {
    bytes.setUint32(at, isType ? mark(bytes.getUint32(at)) : FIRST_OWN_OID);
  }
}

function view({ buffer, byteOffset, length }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, length);
}
