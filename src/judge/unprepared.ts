import type { Shape } from "../sql/shape.ts";
import { sqlstate, unpackSqlstate } from "../wire/mod.ts";

/** invalid_sql_statement_name: no prepared statement, or no portal, has the name. */
export const NOT_PREPARED = sqlstate("26000");
const IN_FAILED_TRANSACTION = sqlstate("25P02");
/** Classes of errors that a statement has when it runs, and not when it is prepared (manual, "PostgreSQL Error Codes"). */
const RUNNING: ReadonlySet<string> = new Set(["23", "40", "53", "55", "57"]);
/** Statements that are remembered, the last ones. */
const MAX_STATEMENTS = 1_000;

/**
 * The statements of a session that have failed on one side last, and how:
 * perhaps their Parse did. Then each Bind to the name fails in later
 * transactions, too, for the same cause.
 */
export class Unprepared {
  /** Packed SQLSTATEs. */
  readonly #failed = new Map<Shape, number>();

  /** Notes how a statement ended. @param code its packed SQLSTATE; 0: it succeeded. */
  note(shape: Shape, code: number): void {
    // What is not prepared, or refused behind an error, says nothing new.
    if (code === NOT_PREPARED || code === IN_FAILED_TRANSACTION) return;
    if (code === 0 && this.#failed.size === 0) return;
    this.#failed.delete(shape);
    if (code === 0 || RUNNING.has(unpackSqlstate(code).slice(0, 2))) return;
    this.#failed.set(shape, code);
    if (this.#failed.size <= MAX_STATEMENTS) return;
    const [oldest] = this.#failed.keys();
    if (oldest !== undefined) this.#failed.delete(oldest);
  }

  /** What a statement has failed with: of one that is not prepared, what its Parse failed with if that is known. */
  cause(shape: Shape, code: number): number {
    return code === NOT_PREPARED ? this.#failed.get(shape) ?? code : code;
  }
}
