import { ReplyDigest } from "../digest/mod.ts";
import { monotonicUs, type SocketAddress } from "../io/mod.ts";
import type { SessionState } from "../sql/mod.ts";
import { ClientState } from "../stats/client_table.ts";
import { Dropped, Excluded, Failed } from "../stats/ledger.ts";
import { COPY_FAIL, Framer } from "../wire/mod.ts";
import {
  type ConnectionFailure,
  type ConnectionOwner,
  MirrorConnection,
} from "./connection.ts";
import { Judge } from "./judge.ts";
import { type Entry, LaneQueue } from "./lane_queue.ts";
import { LaneRow } from "./lane_row.ts";
import { Login } from "../auth/mod.ts";
import { laneStartup } from "./lane_startup.ts";
import { Departure } from "./departure.ts";
import { lastingState } from "./lasting_state.ts";
import { isWithin, planTransaction } from "./plan.ts";
import { isUnasked, Replay, type StatementPair } from "./replay.ts";
import { restoring, SessionLog } from "./session_log.ts";
import { SessionStatements } from "./session_statements.ts";
import { SortTies } from "./sort_ties.ts";
import type { Target } from "./target.ts";
import type { Transaction } from "./transaction.ts";

/**
 * ```
 * resting     no connection; made at the next need
 * waiting     the breaker has another lane try first
 * connecting  TCP and login
 * restoring   session state is brought back
 * ready       connected, nothing to replay
 * departing   the next cycle waits until it may be sent
 * replaying   a cycle is sent, its answer awaited
 * closed
 * ```
 */
type State =
  | "resting"
  | "waiting"
  | "connecting"
  | "restoring"
  | "ready"
  | "departing"
  | "replaying"
  | "closed";

/** Login errors of a whole mirror by SQLSTATE class; others are the session's own (its parameters, its limits). */
const MIRROR_WIDE = /^(?:08|28|3D|53|57|58|XX)/;
/** The mirror's round trip is asked for at the first replay and every 64th. */
const ROUND_TRIP_MASK = 63;
/** One mirror connection that replays one session, in order. */
export class Lane implements ConnectionOwner {
  readonly target: Target;
  readonly #series: number;
  readonly #parameters: string;
  readonly #digest: ReplyDigest;
  readonly #statements: SessionStatements;
  readonly #ties: SortTies;
  readonly #framer = new Framer();
  readonly #judge: Judge;
  readonly #log: SessionLog;
  readonly #queue: LaneQueue;
  readonly #row: LaneRow;
  #state: State = "resting";
  #connection: MirrorConnection | undefined;
  #replay: Replay | undefined;
  /** What is replayed; undefined while session state is restored. */
  #entry: Entry | undefined;
  readonly #departure: Departure;
  #restoring: Uint8Array<ArrayBuffer>[] = [];
  #deadlineUs = Infinity;
  /** What the session's state is on the mirror, nobody knows. */
  #tainted = false;
  /** The mirror refuses the session's login. */
  #refused = false;
  /** Where the connection leads. */
  #address: SocketAddress | undefined;
  #replays = 0;
  #roundTripUs = 0;
  #leaving = false;
  readonly #onClosed: (lane: Lane) => void;

  /**
   * @param session the client's number, for examples.
   * @param parameters the client's startup parameters, `name\0value\0…`.
   * @param sibling a lane of the same session, whose state this one begins with.
   */
  constructor(
    target: Target,
    series: number,
    session: number,
    parameters: string,
    onClosed: (lane: Lane) => void,
    sibling?: Lane,
  ) {
    this.target = target;
    this.#series = series;
    this.#parameters = parameters;
    this.#digest = new ReplyDigest(0);
    this.#statements = new SessionStatements(
      target.shapes,
      sibling && sibling.#statements,
    );
    this.#log = sibling ? sibling.#wholeLog() : new SessionLog();
    this.#tainted = this.#log.lost;
    this.#ties = new SortTies(target.columns);
    this.#judge = new Judge(target, series, session);
    this.#queue = new LaneQueue(target, series);
    this.#row = new LaneRow(target);
    this.#departure = new Departure(target, series, {
      depart: (replay) => this.#send(replay),
      guarded: (run) => this.#guarded(run),
      watch: (on) => on ? this.#setDeadline(0) : this.#clearDeadline(),
    });
    this.#onClosed = onClosed;
  }

  /**
   * Takes a finished transaction: queues it, or counts why not.
   *
   * @throws what our own code threw before anything was counted.
   */
  submit(transaction: Transaction): void {
    const { settings, random, probes, order } = this.target;
    const { exposure } = settings;
    // Every transaction is followed: a later one may execute what it prepared.
    const plan = planTransaction(transaction, this.#statements);
    const excluded = !isWithin(settings.level, plan)
      ? Excluded.level
      : exposure < 1 && (exposure <= 0 || random() >= exposure)
      ? Excluded.sampledOut
      : -1;
    if (excluded >= 0) {
      probes.requestExcluded(this.#series, excluded);
      this.#missed(transaction);
      return;
    }
    const refused = this.#refusal(transaction);
    if (refused >= 0) {
      probes.requestDropped(this.#series, refused);
      this.#missed(transaction);
      return;
    }
    const writer = plan.writer &&
      order.begin(plan.writer, () => this.#departure.hurry());
    this.#queue.push({ transaction, plan, writer });
    this.#guarded(() => this.#advance());
  }

  /** A transaction that was not submitted: its session state still matters. */
  missed(transaction: Transaction): void {
    try {
      planTransaction(transaction, this.#statements);
    } catch (error) {
      this.#report(error);
      this.taint();
    }
    this.#missed(transaction);
  }

  #missed(transaction: Transaction): void {
    try {
      this.#keepState(transaction);
    } catch (error) {
      this.#report(error);
      this.taint();
    }
  }

  #keepState(transaction: Transaction): void {
    const state = lastingState(transaction);
    if (state.lost) this.taint();
    if (state.repeat.length === 0 && state.closed.length === 0) return;
    if (this.#connection === undefined && this.#queue.length === 0) {
      this.#log.add(state);
    } else if (this.target.budget.take(transaction.size)) {
      this.#queue.push({ transaction, plan: undefined, writer: undefined });
    } else this.taint();
  }

  /** All that the session has set so far, what is queued included. */
  #wholeLog(): SessionLog {
    const log = this.#log.copy();
    if (this.#tainted) log.lost = true;
    const entries = this.#entry ? [this.#entry] : [];
    for (const { transaction } of [...entries, ...this.#queue.waiting()]) {
      log.add(lastingState(transaction));
    }
    return log;
  }

  /** The session's state on the mirror can't be trusted any more: nothing of it is compared. */
  taint(): void {
    this.#tainted = true;
  }

  /** The client has gone: what is queued is replayed, then the lane closes. */
  leave(): void {
    this.#leaving = true;
    this.#guarded(() => this.#advance());
  }

  /** The mirror was paused or resumed, is another server now, or is no mirror any more. */
  targetChanged(): void {
    this.#guarded(() => {
      if (this.target.removed) this.#dropQueue(Dropped.removed);
      this.#advance();
    });
  }

  /** Counts everything that is left, and closes. */
  shutdown(): void {
    if (this.#state === "closed") return;
    this.#guarded(() => {
      if (this.#entry !== undefined) this.#fail(Failed.timeout);
      this.#dropQueue(Dropped.shutdown);
      this.#close();
    });
  }

  /** The breaker has closed or opened: go on. */
  breakerChanged(): void {
    if (this.#state !== "waiting") return;
    this.#state = "resting";
    this.#guarded(() => this.#advance());
  }

  /** Looks whether a deadline has passed. */
  checkDeadline(nowUs: number): void {
    if (nowUs >= this.#deadlineUs) this.#guarded(() => this.#late(nowUs));
  }

  #late(nowUs: number): void {
    if (this.#state === "departing") return this.#departure.look(nowUs);
    const replaying = this.#entry !== undefined;
    const logged = this.#state !== "connecting";
    this.#connection?.close();
    this.#lost(
      {
        kind: "connection",
        message: logged ? "no answer" : "no answer to the login",
        sqlstate: undefined,
      },
      replaying ? Failed.timeout : Failed.connection,
    );
  }

  onLoggedIn(): void {
    this.#guarded(() => this.#loggedIn());
  }

  onReply(chunk: Uint8Array, length: number): void {
    this.#guarded(() => this.#reply(chunk, length));
  }

  onLost(failure: ConnectionFailure): void {
    const outcome = failure.kind === "protocol"
      ? Failed.protocol
      : Failed.connection;
    this.#guarded(() => this.#lost(failure, outcome));
  }

  onFault(): void {
    this.#guarded(() => this.#lost(INTERNAL, Failed.internal));
  }

  /**
   * Runs what somebody else has begun. What our own code throws costs the
   * connection, and what is replayed fails with "internal"; no request is left
   * without an outcome.
   */
  #guarded(run: () => void): void {
    try {
      run();
    } catch (error) {
      this.#report(error);
      try {
        this.#connection?.close();
        this.#lost(INTERNAL, Failed.internal);
      } catch (again) {
        this.#report(again);
        this.#breakDown();
      }
    }
  }

  #report(error: unknown): void {
    this.target.log("warn", "A replay failed inside the mirror worker", {
      error: String((error as Error)?.stack ?? error),
    });
  }

  /** Nothing works any more: the accounts are closed, and the session is over for the mirror. */
  #breakDown(): void {
    const attempt = (run: () => void) => {
      try {
        run();
      } catch (error) {
        this.#report(error);
      }
    };
    this.taint();
    this.#connection = undefined;
    this.#replay = undefined;
    this.#state = "resting";
    attempt(() => this.#departure.cancel());
    attempt(() => this.#clearDeadline());
    if (this.#entry !== undefined) attempt(() => this.#fail(Failed.internal));
    while (this.#queue.length > 0) {
      attempt(() => this.#dropQueue(Dropped.sessionTainted));
    }
    if (this.#leaving) attempt(() => this.#close());
  }

  #loggedIn(): void {
    this.#framer.reset();
    const { breaker } = this.target;
    const first = breaker.state(monotonicUs()) !== "closed";
    breaker.succeeded();
    if (first) {
      this.target.log("info", "Mirror answers", {});
      this.#wakeWaiting();
    }
    this.#restoring = [...this.#log.messages];
    this.#state = "restoring";
    this.#restoreNext();
  }

  #reply(chunk: Uint8Array, length: number): void {
    const replay = this.#replay;
    if (replay === undefined || this.#state === "departing") {
      return this.#onUnasked(chunk, length);
    }
    const nowUs = monotonicUs();
    const progress = replay.reply(
      chunk,
      length,
      nowUs,
      this.#state === "restoring"
        ? ignorePair
        : (pair) => this.#judge.pair(pair, nowUs),
    );
    switch (progress) {
      case "waiting":
        return;
      case "copy":
        // Not a statement: it only ends what the client's bytes leave open.
        this.#connection?.send(EMPTY_COPY_FAIL);
        return;
      case "protocol":
        return this.#brokeProtocol();
      case "next":
      case "done":
        if (this.#state === "restoring") return this.#restoreNext();
        if (this.#entry?.writer !== undefined) {
          this.target.order.answered(nowUs);
        }
        this.target.probes.mirrorStatement(
          this.#series,
          replay.cycleLatencyUs / 1e6,
        );
        if (progress === "next") this.#depart(replay, nowUs);
        else this.#replayed(replay, nowUs);
    }
  }

  /** Bytes came although nothing was asked. */
  #onUnasked(chunk: Uint8Array, length: number): void {
    const framer = this.#framer;
    for (let at = 0; at < length;) {
      at = framer.step(chunk, at, length);
      if (framer.broken || !isUnasked(framer.type)) {
        return this.#brokeProtocol();
      }
    }
  }

  #brokeProtocol(): void {
    this.#connection?.close();
    this.#lost(
      { kind: "protocol", message: "malformed reply", sqlstate: undefined },
      Failed.protocol,
    );
  }

  /** Why `transaction` can't be queued (Dropped), or -1. Takes its bytes from the budget. */
  #refusal(transaction: Transaction): number {
    const { settings, breaker, budget } = this.target;
    if (this.target.removed) return Dropped.removed;
    if (settings.paused) return Dropped.paused;
    if (this.#tainted || this.#refused) return Dropped.sessionTainted;
    if (
      this.#connection === undefined &&
      breaker.state(monotonicUs()) === "open"
    ) return Dropped.mirrorDown;
    if (this.#queue.length >= settings.queueLength) return Dropped.queueFull;
    if (!budget.take(transaction.size)) return Dropped.queueFull;
    return -1;
  }

  /** Does the next thing, if there is one to do. */
  #advance(): void {
    if (this.#state === "ready") {
      if (this.target.removed) this.#dropQueue(Dropped.removed);
      if (this.#mayRest()) this.#rest();
    }
    if (this.#state === "resting") {
      if (this.#queue.length > 0) this.#connect();
      else if (this.#leaving) this.#close();
      return;
    }
    if (this.#state !== "ready") return;
    let entry = this.#queue.shift();
    while (entry?.plan === undefined) {
      if (entry === undefined) {
        if (this.#leaving) this.#close();
        else if (this.#mayRest()) this.#rest();
        return;
      }
      const { repeat } = this.#takeState(entry);
      if (repeat.length > 0) {
        this.#restoring = repeat.map(({ message }) => message);
        this.#state = "restoring";
        return this.#restoreNext();
      }
      entry = this.#queue.shift();
    }
    this.#entry = entry;
    this.#departure.begin(entry);
    if ((this.#replays++ & ROUND_TRIP_MASK) === 0) {
      this.#roundTripUs = this.#connection?.roundTripUs ?? 0;
    }
    this.#digest.maxRowBytes = entry.transaction.comparison.bytes;
    this.#judge.begin(entry.transaction, entry.writer, this.#roundTripUs);
    this.#replay = new Replay(
      entry.transaction,
      entry.plan.shapes,
      this.#digest,
      this.#ties,
      this.#framer,
    );
    this.#depart(this.#replay, monotonicUs());
  }

  #depart(replay: Replay, nowUs: number): void {
    this.#state = "departing";
    this.#departure.next(replay, nowUs);
  }

  /** Whether the connection has no use: its mirror is gone, paused, or at another address. */
  #mayRest(): boolean {
    const { settings: { paused, address }, removed } = this.target;
    if (removed) return true;
    // One with state that can't be rebuilt is kept as long as it goes.
    if (this.#log.lost) return false;
    return paused && this.#queue.length === 0 ||
      this.#address !== undefined && !sameAddress(this.#address, address);
  }

  /** Gives the connection up; the next one is made when there is something to replay. */
  #rest(): void {
    this.#connection?.close();
    this.#connection = undefined;
    this.#row.close();
    this.#state = "resting";
  }

  #connect(): void {
    const { breaker, settings, reactor, scratch, waiting } = this.target;
    if (this.#log.lost) {
      this.taint();
      this.#dropQueue(Dropped.sessionTainted);
      return;
    }
    switch (breaker.ask(monotonicUs())) {
      case "refused":
        return this.#dropQueue(Dropped.mirrorDown);
      case "wait":
        this.#state = "waiting";
        waiting.add(this);
        return;
      case "connect":
    }
    this.#state = "connecting";
    this.#address = settings.address;
    this.#row.open();
    this.#setDeadline(settings.connectTimeoutMs);
    try {
      this.#connection = new MirrorConnection(
        reactor,
        this.target.server,
        laneStartup(this.#parameters, settings.login),
        new Login(settings.login),
        scratch,
        this,
      );
    } catch (error) {
      this.onLost({
        kind: "connection",
        message: (error as Error).message,
        sqlstate: undefined,
      });
    }
  }

  /** Sends the next message of session state; none left: ready. */
  #restoreNext(): void {
    const message = this.#restoring.shift();
    if (message === undefined) {
      this.#replay = undefined;
      this.#state = "ready";
      this.#clearDeadline();
      this.#row.show(ClientState.idle);
      return this.#advance();
    }
    this.#replay = new Replay(
      restoring(message),
      [],
      this.#digest,
      this.#ties,
      this.#framer,
    );
    this.#setDeadline(this.target.settings.timeoutMs);
    this.#connection?.send(this.#replay.take(monotonicUs()));
  }

  /** Sends the next cycle. */
  #send(replay: Replay): void {
    const { timeoutMs } = this.target.settings;
    this.#state = "replaying";
    this.#row.show(ClientState.active);
    this.#setDeadline(timeoutMs + replay.primaryLatencyUs / 1e3);
    this.#connection?.send(replay.take(monotonicUs()));
  }

  #replayed(replay: Replay, nowUs: number): void {
    const { probes } = this.target;
    const { transaction } = replay;
    const { errorsOnMirror, firstError } = this.#judge;
    this.#clearDeadline();
    const entry = this.#endReplay();
    if (firstError !== undefined) {
      probes.errorOnMirror(this.#series, firstError);
    }
    probes.requestReplayed(
      this.#series,
      replay.latencyUs / 1e6,
      Math.max(0, nowUs - transaction.endUs) / 1e6,
      errorsOnMirror,
    );
    this.#takeState(entry);
    if (replay.idle) {
      this.#state = "ready";
      this.#row.show(ClientState.idle);
    } else {
      // Idle on the primary, open on the mirror: only a new connection is clean.
      this.#rest();
    }
    this.#advance();
  }

  #lost(failure: ConnectionFailure, outcome: number): void {
    const { breaker, settings } = this.target;
    const wasConnecting = this.#state === "connecting";
    this.#connection = undefined;
    this.#row.close();
    this.#clearDeadline();
    this.#departure.cancel();
    if (this.#entry !== undefined) this.#fail(outcome);
    this.#replay = undefined;
    this.#state = "resting";
    const properties = {
      mirror: settings.name,
      reason: failure.message,
      sqlstate: failure.sqlstate,
    };
    if (!wasConnecting) {
      breaker.lost();
      this.target.log("warn", "Mirror connection lost", properties);
      return this.#advance();
    }
    if (failure.sqlstate && !MIRROR_WIDE.test(failure.sqlstate)) {
      // The mirror is there, it refuses this session only.
      breaker.abandoned();
      this.#refused = true;
      this.target.log("warn", "Mirror refuses a session", properties);
    } else {
      breaker.failed(monotonicUs());
      this.target.unreachable();
      this.target.log("warn", "Mirror login failed", properties);
    }
    this.#dropQueue(Dropped.mirrorDown);
    this.#wakeWaiting();
  }

  #wakeWaiting(): void {
    const lanes = [...this.target.waiting];
    this.target.waiting.clear();
    for (const lane of lanes) lane.breakerChanged();
  }

  /** The replay under way ends without a known outcome. */
  #fail(reason: number): void {
    const entry = this.#endReplay();
    this.target.probes.requestFailed(this.#series, reason);
    this.#takeState(entry);
  }

  /** The replay under way is over, well or not: whoever ends it counts it, once, and then takes its state. */
  #endReplay(): Entry {
    const entry = this.#entry as Entry; // there is one
    this.#entry = undefined;
    this.#replay = undefined;
    return entry;
  }

  /** An entry is done with: what it did to the session's state is remembered. */
  #takeState(entry: Entry): SessionState {
    this.#departure.end(entry);
    this.#queue.settle(entry);
    const state = lastingState(entry.transaction);
    this.#log.add(state);
    return state;
  }

  #dropQueue(reason: number): void {
    for (
      let entry = this.#queue.shift();
      entry !== undefined;
      entry = this.#queue.shift()
    ) {
      if (entry.plan !== undefined) {
        this.target.probes.requestDropped(this.#series, reason);
      }
      this.#takeState(entry);
    }
    if (this.#leaving && this.#entry === undefined) this.#close();
  }

  #close(): void {
    if (this.#state === "closed") return;
    if (this.#state === "connecting") this.target.breaker.abandoned();
    this.#state = "closed";
    this.#clearDeadline();
    this.#departure.cancel();
    this.target.waiting.delete(this);
    this.#row.close();
    this.#connection?.close();
    this.#connection = undefined;
    this.#onClosed(this);
  }

  #setDeadline(ms: number): void {
    this.#deadlineUs = monotonicUs() + ms * 1e3;
    this.target.timed.add(this);
  }

  #clearDeadline(): void {
    this.#deadlineUs = Infinity;
    this.target.timed.delete(this);
  }
}

const INTERNAL: ConnectionFailure = {
  kind: "connection",
  message: "internal error",
  sqlstate: undefined,
};

function sameAddress(a: SocketAddress, b: SocketAddress): boolean {
  return a.family === b.family && a.bytes.length === b.bytes.length &&
    a.bytes.every((byte, i) => byte === b.bytes[i]);
}

/** Session state that is brought back is compared with nothing. */
function ignorePair(_pair: StatementPair): void {}

/** Ends copy-in that the primary's client never answered: CopyFail with an empty reason. */
const EMPTY_COPY_FAIL = new Uint8Array([
  COPY_FAIL,
  0,
  0,
  0,
  5,
  0,
]);
