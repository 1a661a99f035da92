import * as wire from "../../wire/mod.ts";
import type { Row } from "./snapshot.ts";

const decoder = new TextDecoder();

/** The server can't be asked, or refused; the connection may go on if there is an SQLSTATE. */
export class ServerError extends Error {
  override name = "ServerError";
  readonly sqlstate: string | undefined;
  /** The server wanted a password, or another one. */
  readonly credentials: boolean;

  constructor(
    message: string,
    options: { sqlstate?: string; credentials?: boolean; cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause });
    this.sqlstate = options.sqlstate;
    this.credentials = options.credentials ?? false;
  }
}

/** An ErrorResponse. */
export function refusal(body: Uint8Array): ServerError {
  const { C: sqlstate, M: message = "no reason given" } = wire
    .decodeErrorFields(body);
  return new ServerError(
    sqlstate === undefined ? message : `${message} (SQLSTATE ${sqlstate})`,
    {
      ...(sqlstate === undefined ? {} : { sqlstate }),
      credentials: sqlstate?.startsWith("28") ?? false, // invalid authorization
    },
  );
}

/** A message that does not belong there. */
export function unexpected(type: number, where: string): ServerError {
  return new ServerError(
    `Message "${String.fromCharCode(type)}" has no place in ${where}`,
  );
}

/** @throws {wire.ProtocolError} if a RowDescription is ill-formed. */
export function columnNames(body: Uint8Array): string[] {
  const reader = new wire.Reader(body, "RowDescription");
  return Array.from({ length: reader.count("column count") }, () => {
    const name = reader.cstring("column name", 256);
    reader.bytes(18, "column's type");
    return name;
  });
}

/** @throws {wire.ProtocolError} if a DataRow is ill-formed. */
export function decodeRow(body: Uint8Array, names: readonly string[]): Row {
  const reader = new wire.Reader(body, "DataRow");
  const row: Record<string, string | null> = {};
  const count = reader.count("column count");
  for (const name of names.slice(0, count)) {
    const length = reader.int32("value's length");
    row[name] = length < 0
      ? null
      : decoder.decode(reader.bytes(length, "value"));
  }
  return row;
}
