import type { Shape } from "../sql/shape.ts";
import { sqlstate, unpackSqlstate } from "../wire/mod.ts";

/** invalid_sql_statement_name: no prepared statement, or no portal, has the name. */
export const NOT_PREPARED = sqlstate("26000");
/** Classes of errors that a statement has when it runs, and not when it is prepared (manual, "PostgreSQL Error Codes"). */
const RUNNING: ReadonlySet<string> = new Set(["23", "40", "53", "55", "57"]);
/** Statements that are remembered, the last ones. */
const MAX_STATEMENTS = 1_000;

/**
 * The statements of a session that have failed on one side last: perhaps their
 * Parse did. Then each Bind to the name fails in later transactions, too, for
 * the same cause.
 */
export class Unprepared {
  readonly #failed = new Set<Shape>();

  /** Notes how a statement ended. @param code its packed SQLSTATE; 0: it succeeded. */
  note(shape: Shape, code: number): void {
    // What is not prepared says nothing new.
    if (code === NOT_PREPARED) return;
    if (code === 0 && this.#failed.size === 0) return;
    this.#failed.delete(shape);
    if (code === 0 || RUNNING.has(unpackSqlstate(code).slice(0, 2))) return;
    this.#failed.add(shape);
    if (this.#failed.size <= MAX_STATEMENTS) return;
    const [oldest] = this.#failed;
    if (oldest !== undefined) this.#failed.delete(oldest);
  }

  has(shape: Shape): boolean {
    return this.#failed.has(shape);
  }
}
