import type { ReturnedColumn } from "./insertion.ts";

/**
 * A statement whose answer tells which rows of one table FOR … SKIP LOCKED has
 * locked: a SELECT, or an UPDATE or DELETE of the rows that an inner SELECT locks.
 */
export interface LockingRead {
  /** The table's key … */
  readonly relation: string;
  /** … its name … */
  readonly name: string;
  /** … and the name that the locking SELECT gives it. */
  readonly alias: string;
  readonly returned: readonly ReturnedColumn[];
  /** The column by which UPDATE and DELETE find the locked rows; undefined: a SELECT. */
  readonly by: string | undefined;
  /** Columns by which the locking SELECT is sorted, or that it holds to a value; undefined: it has no LIMIT. */
  readonly sorted: readonly string[] | undefined;
  /** No other part of the statement reads the table. */
  readonly isAlone: boolean;
  /** Columns whose order, among its rows or beside another value, chooses them by a LIMIT; "any": that is not told. */
  readonly compared: readonly string[] | "any";
  /** No other part of it leaves a choice among rows. */
  readonly isOnlyChoice: boolean;
}
