import {
  CycleRewriter,
  type DefaultsQuestion,
  drawnRows,
  type GivenColumns,
} from "../given/mod.ts";
import {
  cycleCount,
  ReplyDigest,
  STATEMENT_SQLSTATE,
  type Transaction,
} from "../record/mod.ts";
import { BEGIN_BLOCK, command, FAIL_BLOCK, ROLLBACK_BLOCK } from "./aside.ts";
import { Correcting } from "./correcting.ts";
import { monotonicUs } from "../io/mod.ts";
import { type PlannedStatements, UNPLANNED } from "./plan.ts";
import { concat, Framer, QUERY, unpackSqlstate } from "../wire/mod.ts";
import { Judge, type StatementPair, type Writes } from "../judge/mod.ts";
import type { QueuedTransaction } from "./lane_queue.ts";
import { Result } from "../stats/ledger.ts";
import { isUnasked, type Progress, Replay } from "./replay.ts";
import { restoring } from "./session_log.ts";
import { SessionStatements } from "./session_statements.ts";
import type { Target } from "./target.ts";

/** The mirror's round trip is asked for at the first replay and every 64th. */
const ROUND_TRIP_MASK = 63;
/** Of values that nobody asks for. */
const NO_TYPE = () => undefined;

/**
 * What is said on a lane's connections, one thing at a time: a transaction,
 * judged and counted; or, compared with nothing, a message of session state, or
 * what makes the mirror roll back what the primary did. It holds what is reused
 * from replay to replay, and sends nothing itself.
 */
export class Replayer {
  readonly #target: Target;
  readonly #series: number;
  readonly #session: number;
  readonly #framer = new Framer();
  readonly #digest = new ReplyDigest(0);
  readonly #judge: Judge;
  readonly #rewriter: CycleRewriter;
  readonly #correcting: Correcting;
  #replay: Replay | undefined;
  #entry: QueuedTransaction | undefined;
  /** What is said between two cycles of the replay, its answer awaited. */
  #aside: Replay | undefined;
  /** The cycle before which something was said. */
  #asideAt = -1;
  #plan = UNPLANNED;
  /** What the mirror is asked before the cycle. */
  #question: DefaultsQuestion | undefined;
  /** The mirror has refused something of the transaction that the primary has not. */
  #refused = false;
  /** What is replayed changes definitions. */
  #defines = false;
  #replays = 0;
  #roundTripUs = 0;

  /**
   * @param session the client's number, for examples.
   * @param parameters the client's startup parameters, `name\0value\0…`.
   * @param isAlone whether no other client is connected, or has left anything to replay.
   */
  constructor(
    target: Target,
    series: number,
    session: number,
    parameters: string,
    isAlone: () => boolean,
  ) {
    this.#target = target;
    this.#series = series;
    this.#session = session;
    this.#judge = new Judge(target, series, session);
    this.#correcting = new Correcting(target);
    this.#rewriter = new CycleRewriter({
      giving: target.giving,
      lockings: target.rowLockings,
      drawn: target.drawn,
      shapes: target.shapes,
      columns: target.columns,
      catalog: () => target.catalog,
      nowUs: monotonicUs,
      isAlone,
      session,
      parameters,
      mayOverlap: ({ startUs, endUs }) => {
        const { rowLockings, order } = target;
        const nowUs = monotonicUs();
        const own = this.#entry?.ordered;
        return !rowLockings.isAlone(isAlone, nowUs) ||
          order.mayDiffer(() => true, startUs, endUs, nowUs, own);
      },
      isPassed: (shape, ranUs, endUs) => {
        const { catalog, order } = target;
        const relations = catalog.writersOf(shape);
        const isRead = (writes: Writes) =>
          relations.some((one) => writes.touches(one, undefined, NO_TYPE));
        const own = this.#entry?.ordered;
        const sawUs = Math.min(ranUs, this.#plan.snapshotUs ?? Infinity);
        return order.mayDiffer(isRead, sawUs, endUs, monotonicUs(), own);
      },
    });
  }

  /** What is replayed, and has no outcome yet; undefined while session state is restored. */
  get entry(): QueuedTransaction | undefined {
    return this.#entry;
  }

  /** The mirror's last ReadyForQuery said idle. */
  get idle(): boolean {
    return this.#replay?.idle ?? true;
  }

  /** The mirror has refused something of the transaction that the primary has not: what else it has skipped, nobody knows. */
  get refused(): boolean {
    return this.#refused;
  }

  /** What the mirror is to get when it is "stuck". */
  get missing(): Uint8Array<ArrayBuffer> {
    return (this.#aside ?? this.#replay)?.missing ?? new Uint8Array(0);
  }

  /** A new connection: nothing is under way on it. */
  reset(): void {
    this.#loseQuestion();
    this.#framer.reset();
    this.#rewriter.reset();
    this.#replay = this.#aside = this.#question = undefined;
    this.#correcting.end();
  }

  /**
   * Begins a transaction.
   *
   * @param plan what each cycle runs and describes.
   * @param connection the one that it goes to.
   */
  begin(
    entry: QueuedTransaction,
    plan: PlannedStatements,
    connection: { readonly roundTripUs: number },
  ): Replay {
    // First: whatever throws from here on, it gets an outcome.
    this.#entry = entry;
    if ((this.#replays++ & ROUND_TRIP_MASK) === 0) {
      this.#roundTripUs = connection.roundTripUs;
    }
    this.#defines = plan.shapes.some((cycle) =>
      cycle.some(({ kind, danger }) =>
        kind === "ddl" || danger?.definesWithin === true
      )
    );
    const { transaction, ordered } = entry;
    this.#digest.maxBytes = transaction.comparison.bytes;
    this.#plan = plan;
    this.#rewriter.isTold = transaction.comparison.mode === "rows";
    this.#refused = false;
    this.#asideAt = -1;
    const { order } = this.#target;
    // The mirror takes the transaction's snapshot later, with what was written since.
    const snapshotUs = plan.snapshotUs ?? Infinity;
    this.#judge.begin(
      transaction,
      (isRead, startUs, endUs, mirrorEndUs) =>
        order.mayDiffer(
          isRead,
          Math.min(startUs, snapshotUs),
          endUs,
          mirrorEndUs,
          ordered,
        ),
      this.#roundTripUs,
    );
    return this.#begin(transaction, plan, entry.logged);
  }

  /** Whether a message of session state would run what is never replayed. A Parse runs nothing. */
  isUnsafeState(message: Uint8Array): boolean {
    if (message[0] !== QUERY) return false;
    const { shapes, unsafe, catalog, schema } = this.#target;
    const asked = new SessionStatements(shapes)
      .cycle(message, 0, message.length);
    return unsafe.of([asked.shapes], catalog, schema.isKnown).length > 0;
  }

  /** Begins to bring one message of session state back. */
  restore(message: Uint8Array<ArrayBuffer>): Replay {
    return this.#begin(restoring(message), UNPLANNED);
  }

  #begin(
    transaction: Transaction,
    plan: PlannedStatements,
    logged?: QueuedTransaction["logged"],
  ): Replay {
    return this.#replay = this.#created(transaction, plan, logged);
  }

  #created(
    transaction: Transaction,
    plan: PlannedStatements,
    logged?: QueuedTransaction["logged"],
  ): Replay {
    return new Replay(
      transaction,
      plan,
      this.#digest,
      this.#framer,
      this.#rewriter,
      logged,
    );
  }

  /** The replay of the transaction under way. */
  get replay(): Replay {
    return this.#replay as Replay; // there is one
  }

  /** All cycles are answered. */
  get isOver(): boolean {
    const { transaction, cycle } = this.replay;
    return cycle === cycleCount(transaction);
  }

  /** Begins what has to be said before the next cycle, or behind the last one; undefined: nothing. */
  aside(): Replay | undefined {
    const { cycle } = this.replay;
    const message = this.#asideAt === cycle ? undefined : this.#before(cycle);
    this.#asideAt = cycle;
    return this.#aside = message &&
      this.#created(restoring(message), UNPLANNED);
  }

  #before(cycle: number): Uint8Array<ArrayBuffer> | undefined {
    const { idle, failed } = this.replay;
    const { rollback } = this.#plan;
    if (rollback.by === "block") {
      if (cycle === 0) return BEGIN_BLOCK;
      return idle ? undefined : ROLLBACK_BLOCK;
    }
    const nowUs = monotonicUs();
    if (cycle === 0 && this.#entry !== undefined) {
      this.#correcting.begin(this.#entry, this.#plan);
    }
    if (!idle && !failed && rollback.failed.has(cycle)) return FAIL_BLOCK;
    const correction = this.#correcting.message(this.replay, nowUs);
    if (failed) return correction;
    // What the primary refused is told nothing: in a block that only reads, drawing would fail.
    if (rollback.failed.has(cycle + 1)) return correction;
    const { giving, catalog } = this.#target;
    const shapes = this.#plan.shapes[cycle] ?? [];
    this.#question = giving.question(shapes, catalog, this.#session, nowUs);
    if (this.#question === undefined) return correction;
    const question = command(this.#question.sql);
    return correction === undefined ? question : concat([question, correction]);
  }

  /** Takes `chunk[0, length)` of what the mirror says, asked or not. */
  reply(
    chunk: Uint8Array,
    length: number,
    nowUs: number,
  ): Progress | "aside" {
    const replay = this.#replay;
    if (this.#aside !== undefined) {
      return this.#asideReply(chunk, length, nowUs);
    }
    if (!replay?.asked) return this.#unasked(chunk, length);
    const entry = this.#entry;
    if (entry === undefined) {
      return replay.reply(chunk, length, nowUs, this.#onRestored);
    }
    const progress = replay.reply(
      chunk,
      length,
      nowUs,
      (pair, given) => {
        const code = errorOf(pair.mirror);
        const isRefused = code !== 0 && code !== errorOf(pair.primary);
        if (isRefused) this.#refused = true;
        const result = this.#judge.pair(pair, nowUs);
        // By either a row may be missing on the mirror.
        const mayLack = isRefused ||
          pair.shape.insertion?.onConflict === "nothing";
        if (mayLack && result === Result.noiseConcurrentWrite) {
          this.#orderBroken(entry);
        }
        if (isRefused && errorOf(pair.primary) === 0) {
          const { giving, catalog, rowLockings } = this.#target;
          giving.refused(pair.shape, catalog, pair.mirror);
          // A text that is prepared has the key's columns whether rows are told or not.
          rowLockings.answered(pair.shape, pair.mirror);
        }
        this.#missed(pair);
        if (given !== undefined) this.#given(pair, given);
        if (pair.taken !== undefined) this.#taken(pair, pair.taken.length);
        // By itself the mirror may have taken others than was planned.
        else if (this.#target.rowLockings.isOfConcern(pair.shape)) {
          entry.ordered?.writes?.add(pair.shape);
        }
      },
    );
    if (progress === "next" || progress === "done") {
      const { order, probes } = this.#target;
      if (entry.ordered !== undefined) order.answered(entry.ordered, nowUs);
      probes.mirrorStatement(this.#series, replay.cycleLatencyUs / 1e6);
    }
    return progress;
  }

  /** It came in front of a transaction that was in front of it on the primary: what it wrote is not on the mirror. */
  #orderBroken({ ordered }: QueuedTransaction): void {
    if (ordered === undefined || ordered.overtaken) return;
    ordered.overtaken = true;
    this.#target.probes.orderBroken(this.#series);
  }

  /** An INSERT that the mirror has skipped, or refused before it had a row, draws nothing there. */
  #missed({ shape, primary, mirror }: StatementPair): void {
    const { giving, catalog } = this.#target;
    const { insertion } = shape;
    if (insertion === undefined || drawnRows(insertion, mirror) > 0) return;
    // It has drawn by itself, or owes what it was given.
    if (insertion.source === "copy" && mirror !== undefined) return;
    const { endUs } = this.replay.transaction;
    giving.missed(shape, catalog, primary, { session: this.#session, endUs });
  }

  /** The mirror has answered an INSERT that was given values. */
  #given({ primary, mirror }: StatementPair, given: GivenColumns): void {
    const { giving, chanceColumns, catalog, probes } = this.#target;
    const rows = giving.answered(given, primary, mirror);
    if (rows === 0) return;
    probes.rowsGiven(this.#series, rows);
    chanceColumns.given(given, rows, catalog);
  }

  /** The mirror has answered a statement whose rows it was told. */
  #taken({ shape, mirror }: StatementPair, rows: number): void {
    const { rowLockings, probes } = this.#target;
    rowLockings.answered(shape, mirror);
    if (rows > 0) probes.rowsTaken(this.#series, rows);
  }

  /** Each refused message may be one of many sessions'. */
  readonly #onRestored = ({ mirror }: StatementPair): void => {
    const code = errorOf(mirror);
    const { refusals, log } = this.#target;
    if (code === 0 || refusals.has(code)) return;
    refusals.add(code);
    log("warn", "Mirror refuses session state", {
      mirror: this.#target.settings.name,
      sqlstate: unpackSqlstate(code),
    });
  };

  #asideReply(
    chunk: Uint8Array,
    length: number,
    nowUs: number,
  ): Progress | "aside" {
    const aside = this.#aside as Replay; // there is one
    const progress = aside.reply(chunk, length, nowUs, ({ mirror }) => {
      if (this.#question === undefined) {
        this.#correcting.answered(errorOf(mirror));
        return;
      }
      this.#target.giving.questionAnswered(this.#question, mirror);
      // What corrects rows is answered behind it.
      this.#question = undefined;
    });
    if (progress !== "done") return progress;
    this.#correcting.ready(nowUs);
    this.#aside = this.#question = undefined;
    const { replay } = this;
    replay.idle = aside.idle;
    replay.failed = aside.failed;
    return "aside";
  }

  /** Bytes came although nothing was asked. */
  #unasked(chunk: Uint8Array, length: number): Progress {
    const framer = this.#framer;
    for (let at = 0; at < length;) {
      at = framer.step(chunk, at, length);
      if (framer.broken || !isUnasked(framer.type)) return "protocol";
    }
    return "waiting";
  }

  /** The transaction is over, well or not: whoever ends it counts it, once. */
  end(): QueuedTransaction {
    const entry = this.#entry as QueuedTransaction; // there is one
    this.#entry = undefined;
    return entry;
  }

  /** Nothing is under way, and all is counted: what the last replay has taken goes back. */
  rest(): void {
    this.#loseQuestion();
    this.#replay = this.#aside = this.#question = undefined;
    this.#plan = UNPLANNED;
    this.#correcting.end();
    this.#digest.rest();
    this.#judge.end();
  }

  /** What the mirror was asked it has not answered, if there is something. */
  #loseQuestion(): void {
    if (this.#question !== undefined) {
      this.#target.giving.questionLost(this.#question);
    }
  }

  /** Memory that a replay takes, its transaction aside. */
  get heldBytes(): number {
    return this.#digest.heldBytes;
  }

  /** All cycles are answered: the transaction ends well, and is counted. */
  finish(nowUs: number): QueuedTransaction {
    const { probes } = this.#target;
    const { errorsOnMirror, openErrors, firstOpenError } = this.#judge;
    const { replay } = this;
    const entry = this.end();
    if (this.#defines) this.#target.schemaChanged();
    if (firstOpenError !== undefined) {
      probes.errorOnMirror(this.#series, firstOpenError);
    }
    this.#judge.count();
    probes.requestReplayed(
      this.#series,
      replay.latencyUs / 1e6,
      Math.max(0, nowUs - replay.transaction.endUs) / 1e6,
      errorsOnMirror,
      openErrors,
    );
    return entry;
  }
}

/** Its packed SQLSTATE; 0: there is none. */
function errorOf(reply: StatementPair["mirror"]): number {
  return reply?.words[reply.at + STATEMENT_SQLSTATE] ?? 0;
}
