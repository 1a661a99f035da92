import {
  COMMAND_COMPLETE,
  DATA_ROW,
  encodeErrorResponse,
  NO_DATA,
  ProtocolError,
  ROW_DESCRIPTION,
  WriterFullError,
} from "../wire/mod.ts";
import { AdminError, SQLSTATE } from "./admin_error.ts";
import type { Cell } from "../plugin/api.ts";
import type { Peer } from "./peer.ts";
import {
  PG_TYPE,
  type ResultColumn,
  TEXT_FORMAT,
  writeCell,
} from "./result_types.ts";

/** RowDescription, or NoData for a statement without rows. `formats` as in Bind. */
export function writeDescription(
  peer: Peer,
  columns: readonly ResultColumn[],
  formats: readonly number[] = [],
): void {
  const { out } = peer;
  if (columns.length === 0) {
    out.begin(NO_DATA);
    out.end();
    return;
  }
  out.begin(ROW_DESCRIPTION);
  out.int16(columns.length);
  for (const [index, { name, type }] of columns.entries()) {
    const { oid, size } = PG_TYPE[type];
    out.cstring(name);
    out.int32(0); // of no table
    out.int16(0);
    out.int32(oid);
    out.int16(size);
    out.int32(-1); // no type modifier
    out.int16(formatOf(formats, index));
  }
  out.end();
}

/** Bind's rule: none means text, one is for all columns, else one each. */
function formatOf(formats: readonly number[], index: number): number {
  return (formats.length === 1 ? formats[0] : formats[index]) ?? TEXT_FORMAT;
}

/** DataRow for each row of `[from, to)`. Sends in between, so that only one row must fit in memory. */
export async function sendRows(
  peer: Peer,
  columns: readonly ResultColumn[],
  rows: readonly (readonly Cell[])[],
  range: {
    readonly from: number;
    readonly to: number;
    readonly formats?: readonly number[];
  },
): Promise<void> {
  const { out } = peer;
  const { from, to, formats = [] } = range;
  for (let index = from; index < to; index++) {
    const row = rows[index] ?? [];
    out.begin(DATA_ROW);
    out.int16(columns.length);
    for (const [column, definition] of columns.entries()) {
      const value = row[column];
      if (value === undefined) {
        throw new TypeError(`Row has no value for "${definition.name}"`);
      }
      writeCell(out, value, definition, formatOf(formats, column));
    }
    out.end();
    await peer.flushIfLong();
  }
}

/**
 * CommandComplete. PostgreSQL counts the rows of SELECT and not those of SHOW;
 * here both are counted, because postgres.js drops the last rows of a cursor
 * whose tag has no number.
 */
export function writeComplete(
  peer: Peer,
  tag: string,
  rows: number | undefined,
): void {
  peer.out.begin(COMMAND_COMPLETE);
  peer.out.cstring(rows === undefined ? tag : `${tag} ${rows}`);
  peer.out.end();
}

/** ErrorResponse of severity ERROR. What is not the client's fault is XX000. */
export function writeError(peer: Peer, error: unknown): void {
  const { sqlstate, message, hint, detail } = asAdminError(error);
  peer.out.message(
    encodeErrorResponse("ERROR", sqlstate, message, {
      ...(detail === undefined ? {} : { D: detail }),
      ...(hint === undefined ? {} : { H: hint }),
    }),
  );
}

function asAdminError(
  error: unknown,
): {
  sqlstate: string;
  message: string;
  hint?: string | undefined;
  detail?: string | undefined;
} {
  if (error instanceof AdminError || error instanceof ProtocolError) {
    return error;
  }
  if (error instanceof WriterFullError) {
    return { sqlstate: SQLSTATE.limitExceeded, message: "row is too long" };
  }
  const message = error instanceof Error ? error.message : String(error);
  return {
    sqlstate: SQLSTATE.internal,
    message: `the command failed: ${message.replaceAll("\0", " ")}`,
  };
}
