import type { GivenColumn } from "./given_columns.ts";

/** What stands for a value in a text, or for an array of those of all rows: a parameter or a literal, without its type. Undefined: the primary told none. */
export type WriteValue = (row: number, column: number) => string | undefined;

/** The client's query, within the one that is written. */
export const ROWS = "pgdog_mirror";

/**
 * A sequence draws in either case, once a row: so it stays where the primary's is.
 *
 * @param typed the given value, with its type.
 * @param text what the client has in the value's place.
 */
export function expressionOf(
  { type, expression: byDefault, nature }: GivenColumn,
  typed: string | undefined,
  text = "",
): string {
  const expression = byDefault ?? `(${text})`;
  if (typed === undefined) return expression;
  // Into a column it would be cast without a word.
  const own = `(${expression})::${type}`;
  return nature === "sequence"
    ? `CASE WHEN ${typed} IS NULL THEN ${own} WHEN ${expression} IS NOT NULL THEN ${typed} END`
    : `COALESCE(${typed}, ${own})`;
}

/** A value as a literal, whatever standard_conforming_strings says. */
export function literalOf(value: string): string {
  return `E'${value.replaceAll("\\", "\\\\").replaceAll("'", "''")}'`;
}
