import type { ReturnedColumn } from "./insertion.ts";

/**
 * A statement that locks rows of one table which other sessions may make it
 * choose otherwise: by FOR … SKIP LOCKED, in a SELECT, or in an UPDATE or DELETE
 * of the rows that an inner SELECT locks; or by an UPDATE's or DELETE's own
 * condition.
 */
export interface RowLocking {
  /** The table's key … */
  readonly relation: string;
  /** … its name … */
  readonly name: string;
  /** … and the name that it has where the rows are chosen. */
  readonly alias: string;
  readonly returned: readonly ReturnedColumn[];
  /** The column by which UPDATE and DELETE find the rows that an inner SELECT locks; undefined: none does. */
  readonly by: string | undefined;
  /** Columns by which the locking SELECT is sorted, or that it holds to a value; undefined: it has no LIMIT. */
  readonly sorted: readonly string[] | undefined;
  /** No other part of the statement reads the table. */
  readonly isAlone: boolean;
  /** Columns whose order, among its rows or beside another value, chooses them by a LIMIT; "any": that is not told. */
  readonly compared: readonly string[] | "any";
  /** No other part of it leaves a choice among rows. */
  readonly isOnlyChoice: boolean;
  /** Of an UPDATE or DELETE by its own condition; undefined: SKIP LOCKED. */
  readonly own?: {
    /** Columns that it sets … */
    readonly sets: readonly string[];
    /** … and those that its condition holds to values. */
    readonly held: readonly string[];
  } | undefined;
}
