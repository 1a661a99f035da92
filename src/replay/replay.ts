import {
  COPY_FAIL_MESSAGE,
  CYCLE_BYTES,
  CYCLE_LATENCY,
  CYCLE_QUEUED,
  CYCLE_STATEMENTS,
  CYCLE_WORDS,
  type CycleBytes,
  cycleCount,
  cycleStart,
  readCycle,
  type ReplyDigest,
  STATEMENT_ANSWER,
  STATEMENT_COMPLETE,
  STATEMENT_SENT,
  STATEMENT_WORDS,
  SYNC_MESSAGE,
  type Transaction,
} from "../record/mod.ts";
import type { TypePair } from "../catalog/mod.ts";
import {
  areTypesKnown,
  type CycleRewriter,
  type GivenColumns,
  type GivenResults,
  type TakenResults,
} from "../given/mod.ts";
import type { LogClaim } from "../decoding/mod.ts";
import type { PlannedStatements } from "./plan.ts";
import { takenForm } from "../sql/mod.ts";
import { OTHER_SHAPE, type Shape } from "../sql/shape.ts";
import {
  COMPLETES,
  COPY_BOTH_RESPONSE,
  COPY_IN_RESPONSE,
  ERROR_RESPONSE,
  FAILED_TRANSACTION,
  type Framer,
  IDLE,
  NOTICE_RESPONSE,
  NOTIFICATION_RESPONSE,
  PARAMETER_STATUS,
  READY_FOR_QUERY,
} from "../wire/mod.ts";
import { type Reply, replyAt, type StatementPair } from "../judge/mod.ts";

/**
 * Results that a mirror may give beyond those of the primary and those that the
 * statements let expect: each is a difference that is counted.
 */
const MAX_MORE_RESULTS = 1_000;

/**
 * Messages that a server may send at any time (manual, "Asynchronous
 * Operations"), and the error with which it ends a session.
 */
export function isUnasked(type: number): boolean {
  return type === NOTICE_RESPONSE || type === PARAMETER_STATUS ||
    type === NOTIFICATION_RESPONSE || type === ERROR_RESPONSE;
}

/** Hears of each statement, and of the columns that the mirror was given for it. */
export type OnPair = (pair: StatementPair, given?: GivenColumns) => void;

/** What became of the bytes that a reply brought. */
export type Progress =
  /** The cycle goes on. */
  | "waiting"
  /** The cycle is answered, another one follows. */
  | "next"
  /** All cycles are answered. */
  | "done"
  /** The mirror broke the protocol. */
  | "protocol"
  /** The mirror may wait for what the client's cycle does not hold, copy data or a Sync: it gets {@linkcode Replay.missing}. */
  | "stuck";

const NOTHING: CycleBytes = {
  bytes: new Uint8Array(0),
  before: 0,
  copyEnds: 0,
  openExecute: 0,
};

/** The replay of one transaction: which cycle is next, and what the mirror has answered so far. */
export class Replay {
  readonly transaction: Transaction;
  /** Sum over the cycles, in microseconds. */
  latencyUs = 0;
  /** Latency of the last cycle. */
  cycleLatencyUs = 0;
  /** The last ReadyForQuery said idle. */
  idle = true;
  /** It said that the block has failed. */
  failed = false;
  /** A cycle was taken to be sent, and is not answered yet. */
  asked = false;
  /** What the mirror needs to answer the cycle under way when it is "stuck". */
  missing: Uint8Array<ArrayBuffer> = NOTHING.bytes;
  readonly #plan: PlannedStatements;
  readonly #digest: ReplyDigest;
  readonly #framer: Framer;
  readonly #rewriter: CycleRewriter | undefined;
  readonly #logged: LogClaim | undefined;
  #cycle = 0;
  #offset = 0;
  #statement = 0;
  /** Where the answer of the next statement begins. */
  #answer = 0;
  #sentUs = 0;
  /** How much later than on the primary the transaction began, in microseconds. */
  #beginLagUs = 0;
  #sent = NOTHING;
  /** Results of the cycle under way whose INSERTs were given values. */
  #given: GivenResults | undefined;
  /** Those of which the mirror was told the rows that they lock. */
  #taken: TakenResults | undefined;
  /** Where #primaryReply has come to: results are asked for in their order. */
  #asked = { result: 0, at: 0, answer: 0 };
  /** Of the cycle under way: statements that are paired already, and when the last of them ended on each side, in microseconds. */
  #paired = 0;
  #primaryUs = 0;
  #mirrorUs = 0;
  /** Of the cycle under way: messages that the mirror has completed, and how often its Query asked for copy data. */
  #completed = 0;
  #copyIns = 0;
  /** The mirror may have swallowed the cycle's Sync, and gets a CopyFail behind it. */
  #refused = false;

  /**
   * @param plan what its statements are.
   * @param digest reused from replay to replay; cleared here.
   * @param framer the connection's: a message may begin in one replay and end in the next.
   * @param rewriter the connection's; undefined: cycles go as they are.
   * @param logged what the primary's log tells of the transaction.
   */
  constructor(
    transaction: Transaction,
    plan: PlannedStatements,
    digest: ReplyDigest,
    framer: Framer,
    rewriter?: CycleRewriter,
    logged?: LogClaim,
  ) {
    this.#rewriter = rewriter;
    this.#logged = logged;
    this.#framer = framer;
    this.transaction = transaction;
    this.#plan = plan;
    this.#digest = digest;
    digest.clear();
  }

  /** Position of the next cycle. */
  get cycle(): number {
    return this.#cycle;
  }

  /** Microseconds after the transaction's begin at which the client sent the next cycle. */
  get dueUs(): number {
    return this.#startUs;
  }

  /** What the primary took for the cycle under way, in microseconds. */
  get primaryLatencyUs(): number {
    return this.#word(CYCLE_LATENCY);
  }

  /** The bytes of the next cycle; its clock starts. */
  take(nowUs: number): Uint8Array<ArrayBuffer> {
    // A server begins with what came before in a pipeline answered.
    const lagUs = nowUs - this.transaction.startUs - this.#startUs -
      this.#word(CYCLE_QUEUED);
    if (this.idle) this.#beginLagUs = lagUs;
    this.asked = true;
    this.#sentUs = nowUs;
    this.#paired = this.#mirrorUs = 0;
    // What came before in the pipeline is not the first statement's.
    this.#primaryUs = this.#word(CYCLE_QUEUED);
    this.#completed = this.#copyIns = 0;
    this.#refused = false;
    this.#sent = this.#next();
    this.#given = this.#taken = undefined;
    this.#askAnew();
    const rewriter = this.#rewriter;
    const shapes = this.#plan.shapes[this.#cycle];
    // Session state that is brought back has no plan.
    const matters = rewriter?.hasPrepared || shapes === undefined ||
      rewriter?.isOfConcern(shapes);
    if (rewriter === undefined) return this.#sent.bytes;
    const reply = (result: number) => this.#primaryReply(result);
    const withOids = rewriter.withOids(this.#sent.bytes, reply);
    if (!matters) return withOids;
    const { bytes: written, given, taken, added } = rewriter.cycle(
      withOids,
      shapes && { transaction: this.#beginLagUs, statement: lagUs },
      {
        made: this.transaction,
        ranUs: this.transaction.startUs + this.#startUs,
        reply,
        logged: (result, copied) =>
          this.#logged?.rows(this.#cycle, result, copied),
      },
    );
    this.#given = given;
    this.#taken = taken;
    // Messages are counted by their answers.
    if (added.length > 0) this.#sent = readCycle(written, 0, written.length);
    return written;
  }

  /** Whether both servers have told of the types that the next cycle names. */
  areTypesKnown(types: TypePair): boolean {
    return areTypesKnown(this.#next().bytes, types);
  }

  #next(): CycleBytes {
    const end = this.#offset + this.#word(CYCLE_BYTES);
    return readCycle(this.transaction.bytes, this.#offset, end);
  }

  /**
   * Looks at `chunk[0, length)` of the mirror's reply.
   *
   * @param onPair called for each statement of a cycle: once it is answered, and
   * of a long one while the reply comes in.
   */
  reply(
    chunk: Uint8Array,
    length: number,
    nowUs: number,
    onPair: OnPair,
  ): Progress {
    const progress = this.#look(chunk, length, nowUs, onPair);
    this.#digest.settle();
    return progress;
  }

  #look(
    chunk: Uint8Array,
    length: number,
    nowUs: number,
    onPair: OnPair,
  ): Progress {
    const framer = this.#framer;
    const digest = this.#digest;
    const elapsedUs = nowUs - this.#sentUs;
    let progress: Progress = "waiting";
    let stuck = false;
    for (let at = 0; at < length;) {
      at = framer.step(chunk, at, length);
      if (framer.broken) return "protocol";
      const type = framer.type;
      if (progress !== "waiting") {
        if (isUnasked(type)) continue;
        return "protocol";
      }
      if (type === READY_FOR_QUERY) {
        if (framer.finished) {
          digest.cycleEnded(elapsedUs);
          this.idle = chunk[at - 1] === IDLE;
          this.failed = chunk[at - 1] === FAILED_TRANSACTION;
          progress = this.#answered(elapsedUs, onPair);
        }
        continue;
      }
      const before = digest.statements;
      digest.step(framer, chunk, framer.bodyStart, at, elapsedUs);
      if (framer.finished && this.#isStuck(type)) stuck = true;
      if (digest.statements > before) {
        const results = this.#paired + digest.statements;
        if (results > this.#maxResults) return "protocol";
        if (digest.full) this.#pair(digest.statements, onPair);
      }
      if (type === COPY_BOTH_RESPONSE) return "protocol";
    }
    return stuck && progress === "waiting" ? "stuck" : progress;
  }

  get #maxResults(): number {
    const shapes = this.#plan.shapes[this.#cycle]?.length ?? 0;
    return Math.max(shapes, this.#word(CYCLE_STATEMENTS)) + MAX_MORE_RESULTS;
  }

  #answered(
    elapsedUs: number,
    onPair: OnPair,
  ): Progress {
    this.asked = false;
    this.#rewriter?.answered(this.#completed);
    this.cycleLatencyUs = elapsedUs;
    this.latencyUs += elapsedUs;
    const expected = this.#word(CYCLE_STATEMENTS) - this.#paired;
    this.#pair(Math.max(expected, this.#digest.statements), onPair);
    this.#digest.clear();
    this.#offset += this.#word(CYCLE_BYTES);
    this.#statement += this.#word(CYCLE_STATEMENTS);
    this.#cycle++;
    return this.#cycle === cycleCount(this.transaction) ? "done" : "next";
  }

  /** Pairs the cycle's next `count` statements by their ordinal; the mirror's digests are taken. */
  #pair(count: number, onPair: OnPair): void {
    const theirs = this.transaction.statements;
    const { words: ours, statements, answer } = this.#digest;
    let answerAt = 0;
    const expected = this.#word(CYCLE_STATEMENTS);
    for (let i = 0; i < count; i++) {
      const ordinal = this.#paired + i;
      const primaryAt = (this.#statement + ordinal) * STATEMENT_WORDS;
      const mirrorAt = i * STATEMENT_WORDS;
      const primary = ordinal < expected
        ? replyAt(theirs, primaryAt, this.transaction.answers, this.#answer)
        : undefined;
      const mirror = i < statements
        ? replyAt(ours, mirrorAt, answer, answerAt)
        : undefined;
      this.#answer += primary?.answer.length ?? 0;
      answerAt += mirror?.answer.length ?? 0;
      const primaryEnd = primary === undefined
        ? this.#primaryUs
        : theirs[primaryAt + STATEMENT_COMPLETE] as number;
      const mirrorEnd = mirror === undefined
        ? this.#mirrorUs
        : ours[mirrorAt + STATEMENT_COMPLETE] as number;
      // A client may have thought before it sent this one behind a Flush.
      const sentUs = primary === undefined
        ? 0
        : theirs[primaryAt + STATEMENT_SENT] as number;
      const given = this.#given?.get(ordinal);
      const taken = this.#taken?.get(ordinal);
      const shape = this.#shape(ordinal);
      onPair({
        shape: taken === undefined ? shape : takenForm(shape),
        rows: this.#plan.rows[this.#cycle]?.[ordinal],
        described: this.#plan.described[this.#cycle]?.get(ordinal),
        primary,
        mirror,
        primaryUs: Math.max(0, primaryEnd - Math.max(this.#primaryUs, sentUs)),
        mirrorUs: mirrorEnd - this.#mirrorUs,
        queuedUs: Math.max(0, this.#primaryUs - sentUs),
        mirrorQueuedUs: this.#mirrorUs,
        cycleStartUs: this.#startUs,
        cycleEndUs: this.#startUs + primaryEnd,
        ...(given === undefined ? {} : {
          isGiven: (oid: string, column: string) =>
            oid === given.oid &&
            given.columns.some(({ name }) => name === column),
          isUpdateGiven: (oid: string, column: string) =>
            oid === given.oid &&
            given.updates.some(({ name }) => name === column),
        }),
        ...(taken === undefined ? {} : { taken }),
      }, given);
      this.#primaryUs = primaryEnd;
      this.#mirrorUs = mirrorEnd;
    }
    this.#paired += count;
    this.#digest.drain();
  }

  /** The primary's reply to a result of the cycle that is about to be sent. */
  #primaryReply(result: number): Reply | undefined {
    if (result < 0 || result >= this.#word(CYCLE_STATEMENTS)) return undefined;
    const { statements, answers } = this.transaction;
    if (result < this.#asked.result) this.#askAnew();
    const asked = this.#asked;
    for (; asked.result < result; asked.result++, asked.at += STATEMENT_WORDS) {
      asked.answer += statements[asked.at + STATEMENT_ANSWER] as number;
    }
    return replyAt(statements, asked.at, answers, asked.answer);
  }

  #askAnew(): void {
    const at = this.#statement * STATEMENT_WORDS;
    this.#asked = { result: 0, at, answer: this.#answer };
  }

  #shape(statement: number): Shape {
    return this.#plan.shapes[this.#cycle]?.[statement] ?? OTHER_SHAPE;
  }

  /**
   * Looks at a whole message: does the mirror wait behind it for something that
   * is not in the cycle? It may be further than what has come of its reply. So it
   * gets a CopyFail, which means nothing outside of copy-in, when it may wait, and
   * a Sync only when it does.
   */
  #isStuck(type: number): boolean {
    const { before, copyEnds, openExecute } = this.#sent;
    if (COMPLETES[type] === 1) this.#completed++;
    else if (type === COPY_IN_RESPONSE) {
      if (this.#completed + 1 === openExecute) this.#refused = true;
      else if (this.#completed < before || ++this.#copyIns <= copyEnds) {
        return false;
      }
      this.missing = COPY_FAIL_MESSAGE;
      return true;
    } else if (type === ERROR_RESPONSE) {
      const skipsQuery = this.#completed < before;
      const lacksSync = this.#refused && this.#digest.cancelled;
      if (!skipsQuery && !lacksSync) return false;
      this.missing = SYNC_MESSAGE;
      return true;
    }
    return false;
  }

  get #startUs(): number {
    return cycleStart(this.transaction.cycles, this.#cycle * CYCLE_WORDS);
  }

  #word(offset: number): number {
    return this.transaction
      .cycles[this.#cycle * CYCLE_WORDS + offset] as number;
  }
}
