import { FIRST_OWN_OID, TypePair } from "../catalog/mod.ts";
import { uint32 } from "./uint32.ts";

/** Nothing is known of either server: all own types are one. */
const NO_NAMES: TypePair = new TypePair();
/** In front of the columns: their number. */
const COUNT_BYTES = 2;
/** Behind a name: table OID, column, type OID, size, modifier, format (manual, RowDescription). */
const BEHIND_NAME_BYTES = 18;
const TYPE_OID = 6;
const FORMAT = 16;

const decoder = new TextDecoder();

/** Names of the types that most columns have, by OID (catalog/pg_type.dat). */
const TYPES: Readonly<Record<number, string>> = {
  16: "bool",
  17: "bytea",
  18: "char",
  19: "name",
  20: "int8",
  21: "int2",
  23: "int4",
  25: "text",
  26: "oid",
  114: "json",
  700: "float4",
  701: "float8",
  869: "inet",
  1007: "int4[]",
  1009: "text[]",
  1016: "int8[]",
  1042: "bpchar",
  1043: "varchar",
  1082: "date",
  1083: "time",
  1114: "timestamp",
  1184: "timestamptz",
  1186: "interval",
  1700: "numeric",
  2205: "regclass",
  2950: "uuid",
  3802: "jsonb",
};

/** One output column. */
export interface Column {
  readonly name: string;
  /** A domain's is that of its base (printtup.c). Own types have other numbers on other servers. 0: unknown. */
  readonly typeOid: number;
  readonly isBinary: boolean;
}

/** Reads a RowDescription body; what is cut off is left out. */
export function readColumns(body: Uint8Array): readonly Column[] {
  const view = new DataView(body.buffer, body.byteOffset, body.length);
  const columns: Column[] = [];
  for (let at = COUNT_BYTES; at < body.length;) {
    const end = body.indexOf(0, at);
    const behind = end + 1;
    if (end < 0 || behind + BEHIND_NAME_BYTES > body.length) break;
    columns.push({
      name: decoder.decode(body.subarray(at, end)),
      typeOid: view.getUint32(behind + TYPE_OID),
      isBinary: view.getInt16(behind + FORMAT) === 1,
    });
    at = behind + BEHIND_NAME_BYTES;
  }
  return columns;
}

/**
 * Whether the RowDescription bodies `[from, to)` of both say the same on servers
 * that are alike.
 *
 * @param types of `a` as the primary's, and of `b` as the mirror's.
 */
export function haveEqualColumns(
  a: Uint8Array,
  b: Uint8Array,
  from: number,
  to: number,
  types: TypePair = NO_NAMES,
): boolean {
  // Equal so far, a name ends at the same offset in both.
  for (let at = from; at < to;) {
    if (a[at] !== b[at]) return false;
    if (at - from < COUNT_BYTES || a[at] !== 0) {
      at++;
      continue;
    }
    const behind = at + 1;
    at = behind + BEHIND_NAME_BYTES;
    if (at > to) return false;
    const theirs = uint32(a, behind + TYPE_OID);
    if (!types.areSame(theirs, uint32(b, behind + TYPE_OID))) return false;
    const format = behind + FORMAT;
    if (a[format] !== b[format] || a[format + 1] !== b[format + 1]) {
      return false;
    }
  }
  return true;
}

/**
 * The name of a column's type, or its number.
 *
 * @param names of the server's types, as far as they are known.
 */
export function typeName(
  { typeOid }: Pick<Column, "typeOid">,
  names?: ReadonlyMap<number, string>,
): string {
  const name = TYPES[typeOid] ?? names?.get(typeOid);
  if (name !== undefined) return name;
  return typeOid < FIRST_OWN_OID ? `type ${typeOid}` : "own type";
}
