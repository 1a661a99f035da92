import type { Insertion } from "../sql/mod.ts";
import type { AddedParameter } from "./bind.ts";
import type { GivenColumn } from "./given_columns.ts";

/** A row as the primary's log has it, its values as texts that do not depend on settings; null: NULL. */
export type LoggedRow = ReadonlyMap<string, string | null>;

/** Stands for a row of VALUES that the primary did not write: it had one in its place. */
export const LEFT_OUT: LoggedRow = new Map();

/** The rows that a statement wrote, in their order, or those of VALUES. */
export type LoggedRows = readonly (LoggedRow | undefined)[] & {
  /** They are not of the log, and hold other values than the primary's. */
  readonly areMade?: true;
  /** Those of the primary are there: it has not rolled them back. */
  readonly isKept?: boolean;
};

/**
 * The rows of a cycle's n-th result that the primary's log has, or that are made.
 *
 * @param copied how many rows the data of a COPY have.
 */
export type LoggedResults = (
  result: number,
  copied?: () => number,
) => LoggedRows | undefined;

/**
 * The rows of an INSERT, if the log has each that it has values for: else
 * nothing tells which is which. Of an UPDATE what all its rows have in common.
 */
export function rowsInLog(
  rows: LoggedRows | undefined,
  insertion: Insertion | undefined,
): LoggedRows | undefined {
  if (insertion === undefined) return rows && [commonRow(rows)];
  if (insertion.rows === undefined) {
    return insertion.onConflict === undefined ? rows : undefined;
  }
  return rows?.length === insertion.rows ? rows : undefined;
}

/** What all rows that were written have in common. */
export function commonRow(rows: LoggedRows): LoggedRow | undefined {
  const [first, ...others] = rows.filter((row) => row !== LEFT_OUT);
  if (first === undefined || others.length === 0) return first;
  return new Map(
    [...first].filter(([name, value]) =>
      others.every((row) => row?.get(name) === value)
    ),
  );
}

/** A value of the log as a parameter. */
export function loggedValue(
  { name, type }: Pick<GivenColumn, "name" | "type">,
  row: LoggedRow | undefined,
): AddedParameter {
  const text = row?.get(name);
  const isGiven = typeof text === "string" &&
    // In which encoding the client writes is not known here.
    // deno-lint-ignore no-control-regex
    /^[\x00-\x7f]*$/.test(text) &&
    // Its text depends on lc_monetary.
    type !== '"pg_catalog"."money"';
  return {
    value: isGiven ? encoder.encode(text) : undefined,
    isBinary: false,
  };
}

const encoder = new TextEncoder();
