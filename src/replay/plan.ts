import {
  CYCLE_BYTES,
  CYCLE_LATENCY,
  CYCLE_STATEMENTS,
  CYCLE_WORDS,
  cycleCount,
  cycleStart,
  FLAG_COPY_IN,
  isWritingTag,
  KIND_ERROR,
  KIND_MASK,
  STATEMENT_ANSWER,
  STATEMENT_COMPLETE,
  STATEMENT_KIND,
  STATEMENT_SENT,
  STATEMENT_TAG,
  STATEMENT_WORDS,
  type Transaction,
} from "../record/mod.ts";
import type { IsolationLevel } from "../sql/mod.ts";
import { OTHER_SHAPE, type Shape } from "../sql/shape.ts";
import type { CommitOrder, Turn } from "./commit_order.ts";
import { NO_ROLLBACK, type Rollback, rollbackOf } from "./rollback.ts";
import type { Asked, SessionStatements } from "./session_statements.ts";
import { Writes } from "../judge/mod.ts";
import { isBinaryOutput, type LockingReads } from "../given/mod.ts";

/** Of statements that nobody has followed. */
export const UNPLANNED: PlannedStatements = {
  shapes: [],
  rows: [],
  described: [],
  snapshotUs: undefined,
  rollback: NO_ROLLBACK,
};

/** Records hold whole microseconds, cut off: a sum of two may be so much too early. */
const ROUNDING_US = 2;

/** What is known of a transaction's statements before it is replayed. */
export interface Plan {
  /** For each cycle the shapes of its results, in order. */
  readonly shapes: readonly (readonly Shape[])[];
  /** For each cycle the rows that its statements touch; see {@linkcode Asked}. */
  readonly rows: readonly Asked["rows"][];
  /** For each cycle the statements that it describes beside those that it runs. */
  readonly described: readonly Asked["described"][];
  /** For each cycle what it has to wait for. */
  readonly turns: readonly Turn[];
  /** When it took the one snapshot that it sees; undefined: each statement has its own. */
  readonly snapshotUs: number | undefined;
  /** How the mirror rolls back what the primary did. */
  readonly rollback: Rollback;
  /** Its place among the writers; undefined if it wrote nothing. */
  readonly writer: Parameters<CommitOrder["begin"]>[0] | undefined;
  /** No statement changes data, definitions or session state. */
  readonly readOnly: boolean;
}

/** What a replay knows of the statements of a transaction. */
export type PlannedStatements = Pick<
  Plan,
  "shapes" | "rows" | "described" | "snapshotUs" | "rollback"
>;

/**
 * Follows the session's statements through `transaction`, and says where it
 * stands among the writers.
 *
 * @param reads tells the rows that a statement has locked, and no others written.
 * @param leastKey the key of the session's writer before it. A lane replays one
 * after the other: with a smaller key this one could be waited for by that one.
 */
export function planTransaction(
  transaction: Transaction,
  session: SessionStatements,
  leastKey = 0,
  reads?: Pick<LockingReads, "taken">,
): Plan {
  const { bytes, cycles, statements, answers, startUs, endUs } = transaction;
  const count = cycleCount(transaction);
  const shapes: (readonly Shape[])[] = [];
  const described: Asked["described"][] = [];
  const turns: Turn[] = [];
  const moments: { committed: number; completed: number }[] = [];
  const rows: Asked["rows"][] = [];
  let writes: Writes | undefined;
  let offset = 0;
  let statement = 0;
  let answer = 0;
  /** Not before this was the cycle that commits sent. */
  let earliestUs = startUs;
  /** By this all before it was complete. */
  let completeUs = startUs;
  let answeredUs = startUs;
  let isolation: IsolationLevel | undefined = session.isolation;
  let firstUs: number | undefined;
  for (let i = 0; i < count; i++) {
    const word = (at: number) => cycles[i * CYCLE_WORDS + at] as number;
    const asked = session.cycle(
      bytes,
      offset,
      offset + word(CYCLE_BYTES),
    );
    offset += word(CYCLE_BYTES);
    const { shapes: cycleShapes } = asked;
    shapes.push(cycleShapes);
    rows.push(asked.rows);
    described.push(asked.described);
    const sentUs = startUs + cycleStart(cycles, i * CYCLE_WORDS);
    for (const shape of cycleShapes) {
      if (shape.isolation?.of === "transaction") {
        isolation = shape.isolation.level;
      }
      session.noteIsolation(shape);
      // BEGIN and SET take no snapshot.
      if (!shape.isControl) firstUs ??= sentUs;
    }
    const inCycle = word(CYCLE_STATEMENTS);
    // The one that commits is its last; behind a Flush it was sent later.
    earliestUs = inCycle === 0
      ? sentUs
      : sentUs + sentLater(statements, statement + inCycle - 1);
    completeUs = Math.max(earliestUs, answeredUs);
    answeredUs = sentUs + word(CYCLE_LATENCY);
    let committed = 0;
    for (let j = 0; j < inCycle; j++, statement++) {
      const shape = cycleShapes[j] ?? OTHER_SHAPE;
      const at = statement * STATEMENT_WORDS;
      const answerAt = answer;
      answer += statements[at + STATEMENT_ANSWER] as number;
      if (!wrote(statements, at, shape)) continue;
      writes ??= new Writes();
      const formats = asked.formats.get(j) ?? [];
      const taken = shape.lockingRead && reads?.taken(
        shape,
        { words: statements, at, answer: answers.subarray(answerAt, answer) },
        (column) => isBinaryOutput({ resultFormats: formats }, column),
      );
      for (const rows of taken ?? [asked.rows[j]]) writes.add(shape, rows);
      committed = sentUs + ROUNDING_US +
        (statements[at + STATEMENT_COMPLETE] as number);
    }
    // BEGIN and COMMIT see nothing: they need not wait.
    const control = cycleShapes.every(({ kind }) => kind === "transaction");
    moments.push({ committed, completed: control ? 0 : sentUs });
  }
  const key = writes === undefined
    ? Infinity
    : Math.max(leastKey, count > 1 ? completeUs : endUs);
  for (const { committed, completed } of moments) {
    turns.push({
      committedBeforeUs: committed,
      completedBeforeUs: completed,
      key,
    });
  }
  const readOnly = writes === undefined &&
    shapes.every((cycle) =>
      cycle.every(({ kind }) => kind === "read" || kind === "transaction")
    );
  const writer = writes && { startUs, earliestUs, endUs, key, writes };
  const snapshotUs = isolation === "snapshot" ? firstUs : undefined;
  const rollback = rollbackOf(transaction, shapes);
  return {
    shapes,
    rows,
    described,
    turns,
    snapshotUs,
    rollback,
    writer,
    readOnly,
  };
}

/** How long after its cycle's start a statement was sent, in microseconds. */
function sentLater(statements: Uint32Array, statement: number): number {
  return statements[statement * STATEMENT_WORDS + STATEMENT_SENT] ?? 0;
}

/** By its command tag, by its text (a SELECT may write through WITH), or because it takes locks. */
function wrote(statements: Uint32Array, at: number, shape: Shape): boolean {
  const kind = statements[at + STATEMENT_KIND] as number;
  if ((kind & KIND_MASK) === KIND_ERROR) return false;
  return shape.kind === "dml" || shape.kind === "ddl" || shape.locks ||
    (kind & FLAG_COPY_IN) !== 0 ||
    isWritingTag(statements[at + STATEMENT_TAG] as number);
}

/** Whether `level` wants the transaction: PgDog's three, and "read" for a mirror that is itself a replica. */
export function isWithin(
  level: "all" | "dml" | "ddl" | "read",
  { readOnly, shapes }: Plan,
): boolean {
  if (level === "all") return true;
  if (level === "read") return readOnly;
  const ddl = shapes.some((cycle) => cycle.some(({ kind }) => kind === "ddl"));
  return level === "ddl" ? ddl : !ddl;
}
