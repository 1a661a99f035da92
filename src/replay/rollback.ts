import {
  CYCLE_STATEMENTS,
  CYCLE_WORDS,
  cycleCount,
  KIND_ERROR,
  KIND_MASK,
  STATEMENT_KIND,
  STATEMENT_ROWS,
  STATEMENT_SQLSTATE,
  STATEMENT_WORDS,
  type Transaction,
} from "../record/mod.ts";
import { ANYWHERE, type Footprint } from "./footprint.ts";
import type { Shape } from "../sql/shape.ts";
import { sqlstate, unpackSqlstate } from "../wire/mod.ts";

/**
 * Errors that say nothing of the statement: a transaction rollback, a lack of
 * resources, a lock or an object in use, an operator's intervention (manual,
 * "PostgreSQL Error Codes").
 */
const CHANCE_CLASSES: ReadonlySet<string> = new Set(["40", "53", "57"]);
const LOCK_NOT_AVAILABLE = sqlstate("55P03");
/** What a cancel or a timeout has ended was left out before it came here: this is the answer to a CopyFail, the mirror's too. */
const QUERY_CANCELED = sqlstate("57014");
/** A statement that runs in a transaction block only, and was outside of one. */
const NO_ACTIVE_TRANSACTION = sqlstate("25P01");

/**
 * How the mirror rolls back what the primary has rolled back, whether or not
 * the statement fails on the mirror, too.
 */
export interface Rollback {
  /** Cycles that the primary answered in a failed block, or whose COMMIT failed by chance: the mirror's block is made to fail before them. */
  readonly failed: ReadonlySet<number>;
  /**
   * ```
   * client   the client's own messages, with `failed`
   * block    a block that is put around the only cycle
   * none     none is known, and the primary failed by chance: it is not replayed
   * ```
   */
  readonly by: "client" | "block" | "none";
}

export const NO_ROLLBACK: Rollback = { failed: new Set(), by: "client" };

/**
 * An INSERT by itself with ON CONFLICT DO NOTHING that has inserted nothing is
 * rolled back, too: on the mirror it may come in front of the one that was first.
 *
 * @param shapes for each cycle the shapes of its results.
 */
export function rollbackOf(
  transaction: Transaction,
  shapes: readonly (readonly Shape[])[],
  footprintOf: (shape: Shape) => Pick<Footprint, "isBare"> = () => ANYWHERE,
): Rollback {
  const { statements, cycles } = transaction;
  const last = cycleCount(transaction) - 1;
  const failed = new Set<number>();
  let by: Rollback["by"] = "client";
  let end = 0;
  for (let i = 0; i <= last; i++) {
    const count = cycles[i * CYCLE_WORDS + CYCLE_STATEMENTS] as number;
    end += count;
    // An error is the last answer of its cycle.
    const at = (end - 1) * STATEMENT_WORDS;
    if (count === 0) continue;
    const asked = shapes[i] ?? [];
    if (!isError(statements, at)) {
      const isUndone = last === 0 && statements[at + STATEMENT_ROWS] === 0 &&
        isPlain(asked) && asked.every((shape) =>
          shape.insertion?.onConflict === "nothing" &&
          footprintOf(shape).isBare
        );
      if (isUndone) {
        by = "block";
      }
      continue;
    }
    const code = statements[at + STATEMENT_SQLSTATE] as number;
    if (i < last) {
      failed.add(i + 1);
      // The mirror would go on to them.
      const goesOn = asked.slice(count).some(isOfTransaction);
      if (goesOn && isChance(code)) by = "none";
    } else if (last === 0 && code !== NO_ACTIVE_TRANSACTION && isPlain(asked)) {
      by = "block";
    } else if (isChance(code)) {
      // Before a lone COMMIT the block can fail.
      if (last > 0 && asked.length === 1 && asked.every(isOfTransaction)) {
        failed.add(i);
      } else by = "none";
    }
  }
  return failed.size === 0 && by === "client" ? NO_ROLLBACK : { failed, by };
}

function isError(statements: Uint32Array, at: number): boolean {
  const kind = statements[at + STATEMENT_KIND] as number;
  return (kind & KIND_MASK) === KIND_ERROR;
}

function isChance(code: number): boolean {
  return code === LOCK_NOT_AVAILABLE ||
    code !== QUERY_CANCELED &&
      CHANCE_CLASSES.has(unpackSqlstate(code).slice(0, 2));
}

function isOfTransaction({ kind }: Shape): boolean {
  return kind === "transaction";
}

/** One statement that does in a block what it does by itself. */
function isPlain(shapes: readonly Shape[]): boolean {
  return shapes.length === 1 &&
    shapes.every(({ kind }) => kind === "dml" || kind === "read");
}
