import { createHash } from "node:crypto";
import type { AddedParameter } from "./bind.ts";
import type { LoggedRow, LoggedRows } from "./logged_rows.ts";
import { type PairColumn, TEXT } from "./row_pairs.ts";

/** What the log has in one of the columns, as an array of texts; NULL: its rows are not known, or none of the log. */
export function pairArray(
  column: PairColumn,
  rows: LoggedRows | undefined,
): AddedParameter {
  const isKnown = rows !== undefined && rows.areMade === undefined;
  const items = isKnown ? rows.map((row) => itemOf(column, row)) : undefined;
  return {
    value: items && encoder.encode(`{${items.join(",")}}`),
    isBinary: false,
  };
}

function itemOf({ name, type }: PairColumn, row: LoggedRow | undefined) {
  const value = row?.get(name);
  if (typeof value !== "string") return "NULL";
  // None of these needs a quote.
  return TEXT.test(type)
    ? createHash("md5").update(value).digest("hex")
    : value;
}

const encoder = new TextEncoder();
