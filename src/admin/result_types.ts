import type { Writer } from "../wire/mod.ts";
import type { AdminColumn, Cell } from "../plugin/api.ts";

/** Types of the console's results: those of commands, and `int4` for `SELECT 1`. */
export type ResultType = AdminColumn["type"] | "int4";

export interface ResultColumn {
  readonly name: string;
  readonly type: ResultType;
}

/** Format codes of the protocol. */
export const TEXT_FORMAT = 0;
export const BINARY_FORMAT = 1;

/** pg_type.oid and pg_type.typlen (src/include/catalog/pg_type.dat). */
export const PG_TYPE: Readonly<
  Record<ResultType, { readonly oid: number; readonly size: number }>
> = {
  bool: { oid: 16, size: 1 },
  int8: { oid: 20, size: 8 },
  int4: { oid: 23, size: 4 },
  text: { oid: 25, size: -1 },
  float8: { oid: 701, size: 8 },
  timestamptz: { oid: 1184, size: 8 },
};

const encoder = new TextEncoder();
const INT8_MIN = -(2n ** 63n);
const INT8_MAX = 2n ** 63n - 1n;
/** PostgreSQL counts time from 2000-01-01 00:00 UTC. */
const POSTGRES_EPOCH_MS = 946_684_800_000;

/**
 * Writes one column of a DataRow.
 *
 * @throws {TypeError} if the value does not fit the column's type
 */
export function writeCell(
  writer: Writer,
  value: Cell,
  column: ResultColumn,
  format: number,
): void {
  if (value === null) {
    writer.int32(-1);
  } else if (format === TEXT_FORMAT) {
    writer.textValue(textOf(value, column));
  } else {
    writeBinary(writer, value, column);
  }
}

function textOf(value: Exclude<Cell, null>, column: ResultColumn): string {
  switch (column.type) {
    case "text":
      return value instanceof Date ? value.toISOString() : textCell(value);
    case "int4":
    case "int8":
      return integer(value, column).toString();
    case "float8":
      return String(float(value, column));
    case "bool":
      return bool(value, column) ? "t" : "f";
    case "timestamptz":
      // DateStyle ISO, TimeZone UTC.
      return `${
        new Date(time(value, column)).toISOString().slice(0, -1).replace(
          "T",
          " ",
        )
      }+00`;
  }
}

function writeBinary(
  writer: Writer,
  value: Exclude<Cell, null>,
  column: ResultColumn,
): void {
  const { size } = PG_TYPE[column.type];
  switch (column.type) {
    case "text": {
      const bytes = encoder.encode(textOf(value, column));
      writer.int32(bytes.length);
      writer.bytes(bytes);
      return;
    }
    case "int4":
      writer.int32(size);
      writer.int32(Number(integer(value, column)));
      return;
    case "int8":
      writer.int32(size);
      writer.int64(integer(value, column));
      return;
    case "float8":
      writer.int32(size);
      writer.float64(float(value, column));
      return;
    case "bool":
      writer.int32(size);
      writer.byte(bool(value, column) ? 1 : 0);
      return;
    case "timestamptz":
      writer.int32(size);
      writer.int64(BigInt(time(value, column) - POSTGRES_EPOCH_MS) * 1000n);
      return;
  }
}

/** PostgreSQL's text cannot hold a zero byte. */
function textCell(value: string | number | bigint | boolean): string {
  return String(value).replaceAll("\0", "\ufffd");
}

function integer(value: Cell, column: ResultColumn): bigint {
  const big = typeof value === "bigint"
    ? value
    : typeof value === "number" && Number.isInteger(value)
    ? BigInt(value)
    : undefined;
  if (big === undefined || big < INT8_MIN || big > INT8_MAX) {
    throw misfit(value, column);
  }
  return big;
}

function float(value: Cell, column: ResultColumn): number {
  if (typeof value !== "number" && typeof value !== "bigint") {
    throw misfit(value, column);
  }
  return Number(value);
}

function bool(value: Cell, column: ResultColumn): boolean {
  if (typeof value !== "boolean") throw misfit(value, column);
  return value;
}

function time(value: Cell, column: ResultColumn): number {
  const ms = value instanceof Date ? value.getTime() : NaN;
  if (!Number.isFinite(ms)) throw misfit(value, column);
  return ms;
}

function misfit(value: Cell, column: ResultColumn): TypeError {
  return new TypeError(
    `Column "${column.name}" of type ${column.type} got a ${
      value instanceof Date ? "Date" : typeof value
    } that does not fit`,
  );
}
