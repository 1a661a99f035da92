import {
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
  STATEMENT_SQLSTATE,
  STATEMENT_TAG,
  STATEMENT_WORDS,
  type Transaction,
} from "../record/mod.ts";
import { isBinaryOutput, type RowLockings } from "../given/mod.ts";
import { Writes } from "../judge/mod.ts";
import { ANYTHING } from "../sql/mod.ts";
import { OTHER_SHAPE, type Shape } from "../sql/shape.ts";
import { sqlstate } from "../wire/mod.ts";
import { type Footprint, NONE, type Relations, together } from "./footprint.ts";
import type { Observation, Place, Turn } from "./place.ts";
import { meetingOf } from "./meeting.ts";
import type { Asked } from "./session_statements.ts";
import type { TemporaryTables } from "./temporary_tables.ts";

/** Records hold whole microseconds, cut off: a sum of two may be so much too early. */
const ROUNDING_US = 2;
/** The block has failed before: the statement was not looked at. */
const IN_FAILED_TRANSACTION = sqlstate("25P02");

/** Statements of a transaction whose rows are told apart: each may be a line of its own. */
const MAX_ROWS = 64;

/** What is asked for a transaction's place. */
export interface PlacingOptions {
  readonly footprintOf: (shape: Shape) => Footprint;
  /**
   * The key of the session's transaction before it. A lane replays one after the
   * other: with a smaller key this one could be waited for by that one.
   */
  readonly leastKey: number;
  /** All of the transaction's statements see the snapshot of its first one. */
  readonly isSnapshot: boolean;
  /** The session's own tables, which no other session waits to read. */
  readonly temporary: TemporaryTables;
  /** Tells the rows that a statement has locked, and no others written. */
  readonly reads: Pick<RowLockings, "taken"> | undefined;
}

/** Where a transaction stands in the order. */
export interface Placed {
  /** For each cycle what it has to wait for. */
  readonly turns: readonly Turn[];
  /** Undefined: nobody waits for it. */
  readonly place: Place | undefined;
}

/** A turn whose transaction is not known to its end. */
type OpenTurn = { -readonly [K in keyof Turn]: Turn[K] };

/**
 * Says where a transaction stands in the order.
 *
 * @param asked of each cycle its statements.
 */
export function placeTransaction(
  transaction: Transaction,
  asked: readonly Asked[],
  { footprintOf, leastKey, isSnapshot, temporary, reads }: PlacingOptions,
): Placed {
  const { cycles, statements, answers, startUs, endUs } = transaction;
  const count = cycleCount(transaction);
  const turns: OpenTurn[] = [];
  let writes: Writes | undefined;
  let written = NONE;
  let refused: Observation | undefined;
  let read: Observation | undefined;
  let statement = 0;
  let answer = 0;
  let rowsMet = 0;
  /** Not before this was the cycle that commits sent. */
  let earliestUs = startUs;
  /** By this all before it was complete. */
  let completeUs = startUs;
  let answeredUs = startUs;
  /** What takes the snapshot, and when it was complete. */
  let first:
    | { readonly turn: OpenTurn; readonly completeUs: number }
    | undefined;
  /** What the block failed at: nothing went on behind it. */
  let failed:
    | { readonly sentUs: number; readonly completeUs: number }
    | undefined;
  for (let i = 0; i < count; i++) {
    const word = (at: number) => cycles[i * CYCLE_WORDS + at] as number;
    const sentUs = startUs + cycleStart(cycles, i * CYCLE_WORDS);
    const inCycle = word(CYCLE_STATEMENTS);
    const { shapes = [], rows = [], formats } = asked[i] ?? {};
    // The one that commits is its last; behind a Flush it was sent later.
    earliestUs = inCycle === 0
      ? sentUs
      : sentUs + sentLater(statements, statement + inCycle - 1);
    completeUs = Math.max(earliestUs, answeredUs);
    answeredUs = sentUs + word(CYCLE_LATENCY);
    // BEGIN and COMMIT see nothing: they need not wait.
    const turn: OpenTurn = {
      committedBeforeUs: 0,
      completedBeforeUs: 0,
      refusedBeforeUs: 0,
      key: 0,
      touched: NONE,
      written: NONE,
      defines: false,
    };
    if (failed !== undefined && (i < count - 1 || inCycle > 1)) {
      // A savepoint has brought it back.
      if (!isAllErrors(statements, statement, inCycle)) failed = undefined;
    }
    const expected = Math.max(inCycle, shapes.length);
    for (let j = 0; j < expected; j++) {
      const shape = shapes[j] ?? OTHER_SHAPE;
      const at = statement * STATEMENT_WORDS;
      const answerAt = answer;
      let code = 0;
      if (j < inCycle) {
        statement++;
        answer += statements[at + STATEMENT_ANSWER] as number;
        code = statements[at + STATEMENT_SQLSTATE] as number;
      }
      const visible = temporary.visible(shape);
      const isOwn = temporary.areOwn(shape);
      if (code !== 0) temporary.undo();
      else if (j < inCycle) temporary.note(shape);
      if (shape.kind === "transaction" || code === IN_FAILED_TRANSACTION) {
        continue;
      }
      const footprint = footprintOf(shape);
      const isOfRows = rows[j] !== undefined && ++rowsMet <= MAX_ROWS;
      const met = meetingOf(footprint, isOfRows ? rows[j] : undefined);
      turn.completedBeforeUs = sentUs;
      turn.touched = together(turn.touched, met.touched);
      if (j >= inCycle) continue;
      const own = {
        sentUs: sentUs + (statements[at + STATEMENT_SENT] as number),
        completeUs: sentUs + ROUNDING_US +
          (statements[at + STATEMENT_COMPLETE] as number),
      };
      first ??= { turn, completeUs: own.completeUs };
      const isRefused = isError(statements, at);
      if (isRefused) failed = own;
      if (!isWriting(statements, at, shape, footprint)) {
        // Only definitions wait for readers, whatever the row.
        read = observed(read, own, footprint.touched);
        continue;
      }
      if (!footprint.releases) turn.committedBeforeUs = own.completeUs;
      if (isRefused) {
        refused = observed(refused, own, met.touched);
        continue;
      }
      writes ??= new Writes();
      const taken = shape.rowLocking && reads?.taken(
        shape,
        { words: statements, at, answer: answers.subarray(answerAt, answer) },
        (column) =>
          isBinaryOutput({ resultFormats: formats?.get(j) ?? [] }, column),
      );
      for (const one of taken ?? [rows[j]]) {
        writes.add({ writes: visible }, one);
      }
      writes.addBehind(footprint.behind);
      written = together(written, met.written);
      turn.written = together(turn.written, met.written);
      if (shape.danger?.definesWithin) turn.defines = true;
      if (shape.kind !== "ddl") continue;
      turn.defines = true;
      if (!isOwn) writes.addDefinition(shape.definition ?? ANYTHING);
    }
    turns.push(turn);
  }
  temporary.end();
  if (count > 1 && failed !== undefined) {
    // An error releases the locks, whenever the client says ROLLBACK.
    earliestUs = Math.min(earliestUs, failed.sentUs);
    completeUs = Math.min(completeUs, failed.completeUs);
  }
  const isWriter = writes !== undefined || refused !== undefined;
  if (isSnapshot && first !== undefined) {
    // What is not there on the mirror by then, none of them sees; and of rows that change later it is refused each.
    first.turn.touched = turns.reduce(
      (all: Relations, { touched }) => together(all, touched),
      NONE,
    );
    if (isWriter) {
      first.turn.committedBeforeUs = Math.max(
        first.turn.committedBeforeUs,
        first.completeUs,
      );
    }
  }
  const isRelease = count === 1 && refused === undefined &&
    turns[0]?.committedBeforeUs === 0;
  const key = Math.max(
    leastKey,
    !isWriter
      ? Math.min(endUs, read?.completeUs ?? endUs)
      : isRelease
      ? earliestUs
      : count > 1
      ? completeUs
      : endUs,
  );
  for (const turn of turns) {
    turn.key = key;
    if (turn.written.length === 0) continue;
    turn.refusedBeforeUs = Math.max(turn.committedBeforeUs, earliestUs);
  }
  if (isWriter) read = undefined;
  if (!isWriter && (read?.touched.length ?? 0) === 0) {
    return { turns, place: undefined };
  }
  return {
    turns,
    place: { startUs, earliestUs, endUs, key, writes, written, refused, read },
  };
}

/** The later one of two, with what both have looked at. */
function observed(
  before: Observation | undefined,
  own: Pick<Observation, "sentUs" | "completeUs">,
  touched: Relations,
): Observation {
  return { ...own, touched: together(before?.touched ?? NONE, touched) };
}

/** How long after its cycle's start a statement was sent, in microseconds. */
function sentLater(statements: Uint32Array, statement: number): number {
  return statements[statement * STATEMENT_WORDS + STATEMENT_SENT] ?? 0;
}

function isError(statements: Uint32Array, at: number): boolean {
  const kind = statements[at + STATEMENT_KIND] as number;
  return (kind & KIND_MASK) === KIND_ERROR;
}

function isAllErrors(
  statements: Uint32Array,
  first: number,
  count: number,
): boolean {
  for (let i = first; i < first + count; i++) {
    if (!isError(statements, i * STATEMENT_WORDS)) return false;
  }
  return true;
}

/** By its command tag, by its text (a SELECT may write through WITH or a function), or because it takes locks: whether it did or was refused. */
function isWriting(
  statements: Uint32Array,
  at: number,
  shape: Shape,
  { written }: Footprint,
): boolean {
  const kind = statements[at + STATEMENT_KIND] as number;
  return shape.kind === "dml" || shape.kind === "ddl" || shape.locks ||
    shape.kind === "read" && written.length > 0 ||
    (kind & FLAG_COPY_IN) !== 0 ||
    isWritingTag(statements[at + STATEMENT_TAG] as number);
}
