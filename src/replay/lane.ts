import { areTypesKnown } from "../given/mod.ts";
import { monotonicUs } from "../io/mod.ts";
import type { SessionState } from "../sql/mod.ts";
import { ClientState } from "../stats/connection_table.ts";
import { Dropped, Excluded, Failed } from "../stats/ledger.ts";
import { Admission } from "./admission.ts";
import type { ConnectionFailure } from "./connection.ts";
import { Departure } from "./departure.ts";
import { LaneLink, type LinkOwner } from "./lane_link.ts";
import { LaneQueue, type QueuedTransaction } from "./lane_queue.ts";
import { lastingState } from "./lasting_state.ts";
import { leaveOut } from "./left_out.ts";
import type { Replay } from "./replay.ts";
import { Replayer } from "./replayer.ts";
import { isRepeatable, repeatMessages, SessionLog } from "./session_log.ts";
import { logFault, type Target } from "./target.ts";
import { mayLeaveUnseen } from "./unseen_state.ts";
import { isUnsafe } from "./unsafe_statements.ts";
import type { Transaction } from "../record/mod.ts";

/**
 * ```
 * idle       nothing is under way; the link may be open or not
 * restoring  session state is brought back
 * departing  the next cycle waits until it may be sent
 * replaying  a cycle, or what comes before or behind it, is sent, its answer awaited
 * closed
 * ```
 * All but idle and closed need an open link.
 */
type State = "idle" | "restoring" | "departing" | "replaying" | "closed";

/**
 * One mirror connection that replays one session, in order: it queues the
 * session's transactions, and takes each through the same steps.
 *
 * 1. {@linkcode LaneLink} connects, when there is something to replay;
 * 2. what the connection lacks of the session's state ({@linkcode SessionLog}) is restored;
 * 3. {@linkcode Departure} says when each cycle may be sent;
 * 4. {@linkcode Replayer} has the answers judged, and counts;
 * 5. what the transaction did to the session's state is remembered, and repeated
 *    where the mirror has refused something of it.
 */
export class Lane implements LinkOwner {
  readonly target: Target;
  readonly #series: number;
  readonly #session: number;
  readonly #log: SessionLog;
  readonly #queue: LaneQueue;
  readonly #link: LaneLink;
  readonly #admission: Admission;
  readonly #departure: Departure;
  readonly #replayer: Replayer;
  readonly #onClosed: (lane: Lane) => void;
  #state: State = "idle";
  /** Messages of session state to bring back. */
  #restoring: Uint8Array<ArrayBuffer>[] = [];
  /** A new connection is not yet where the session is. */
  #joining = false;
  #logins = 0;
  #deadlineUs = Infinity;
  #leaving = false;

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
    this.#session = session;
    this.#log = sibling ? sibling.#wholeLog() : new SessionLog();
    this.#queue = new LaneQueue(target, series);
    this.#link = new LaneLink(target, parameters, this);
    this.#departure = new Departure(target, series, {
      depart: (replay) => this.#send(replay),
      guarded: (run) => this.#guarded(run),
      watch: (on) => on ? this.#setDeadline(0) : this.#clearDeadline(),
      // Who has no connection yet must not wait for those that wait for it.
      onWanted: () => this.breakerChanged(),
    });
    const isAlone = () => target.isAlone(this, !this.#leaving);
    this.#replayer = new Replayer(target, series, session, parameters, isAlone);
    this.#admission = new Admission({
      target,
      series,
      session,
      queue: this.#queue,
      link: this.#link,
      log: this.#log,
      lane: this.#departure,
      parameters,
    }, sibling && sibling.#admission);
    this.#onClosed = onClosed;
  }

  /**
   * Takes a finished transaction: queues it, or counts why not.
   *
   * @throws what our own code threw before anything was counted.
   */
  submit(transaction: Transaction): void {
    this.#admission.submit(transaction);
    // Not queued, its state may be: that must not lie there and fill the queue.
    this.#guarded(() => this.#advance());
  }

  /** A transaction that was not submitted: its session state still matters. */
  missed(transaction: Transaction): void {
    this.#admission.missed(transaction);
    this.#guarded(() => this.#advance());
  }

  /** All that the session has set so far, what is queued included. */
  #wholeLog(): SessionLog {
    const log = this.#log.copy();
    const { entry } = this.#replayer;
    const entries = entry ? [entry] : [];
    for (const { transaction } of [...entries, ...this.#queue.waiting()]) {
      log.add(lastingState(transaction));
    }
    if (this.#admission.tainted) log.lost = true;
    return log;
  }

  /** Memory that replays have taken, what is queued aside. */
  get heldBytes(): number {
    return this.#replayer.heldBytes;
  }

  /** The session's state on the mirror can't be trusted any more: nothing of it is compared. */
  taint(): void {
    this.#admission.taint();
  }

  /** A transaction is under way here, or waits. */
  get isBusy(): boolean {
    return this.#replayer.entry !== undefined || this.#queue.length > 0;
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
      if (this.#replayer.entry) this.#fail(Failed.timeout);
      this.#dropQueue(Dropped.shutdown);
      this.#close();
    });
  }

  breakerChanged(): void {
    if (this.#link.stopWaiting()) this.#guarded(() => this.#advance());
  }

  connectionFree(): void {
    this.breakerChanged();
  }

  giveUp(): void {
    if (this.#state === "idle" && this.#queue.length === 0) this.#link.rest();
  }

  /** Looks whether a deadline has passed. */
  checkDeadline(nowUs: number): void {
    if (nowUs >= this.#deadlineUs) this.#guarded(() => this.#late(nowUs));
  }

  #late(nowUs: number): void {
    if (this.#state === "departing") return this.#departure.look(nowUs);
    const message = this.#link.state === "connecting"
      ? "no answer to the login"
      : "no answer";
    this.#lost(
      { kind: "connection", message, sqlstate: undefined },
      this.#replayer.entry ? Failed.timeout : Failed.connection,
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
      logFault(this.target, error);
      try {
        this.#lost(INTERNAL, Failed.internal);
      } catch (again) {
        logFault(this.target, again);
        this.#breakDown();
      }
    }
  }

  /** Nothing works any more: the accounts are closed, and the session is over for the mirror. */
  #breakDown(): void {
    const attempt = (run: () => void) => {
      try {
        run();
      } catch (error) {
        logFault(this.target, error);
      }
    };
    this.taint();
    this.#link.forget();
    this.#state = "idle";
    attempt(() => this.#departure.cancel());
    attempt(() => this.#clearDeadline());
    if (this.#replayer.entry) attempt(() => this.#fail(Failed.internal));
    attempt(() => this.#replayer.rest());
    while (this.#queue.length > 0) {
      attempt(() => this.#dropQueue(Dropped.sessionTainted));
    }
    if (this.#leaving) attempt(() => this.#close());
  }

  #loggedIn(): void {
    this.#replayer.reset();
    this.#link.loggedIn();
    this.#restoring = [...this.#log.messages];
    this.#joining = true;
    this.#state = "restoring";
    this.#clearDeadline();
    const login = ++this.#logins;
    const later = (run: () => void) => () => {
      if (login !== this.#logins || this.#state !== "restoring") return;
      this.#guarded(run);
    };
    const { schema } = this.target;
    const restore = () => {
      const isAwaited = this.target.settings.source && schema.waitForTypes(
        () =>
          this.#restoring.every((message) =>
            areTypesKnown(message, this.target.catalog.types)
          ),
        later(() => this.#restoreNext()),
      );
      if (!isAwaited) this.#restoreNext();
    };
    // What it prepares is written as the catalog says.
    if (!schema.wait(later(restore))) restore();
  }

  #reply(chunk: Uint8Array, length: number): void {
    const nowUs = monotonicUs();
    switch (this.#replayer.reply(chunk, length, nowUs)) {
      case "waiting":
        return;
      case "stuck":
        // Not a statement: it only ends what the client's bytes leave open.
        return this.#link.send(this.#replayer.missing);
      case "protocol":
        return this.#lost(MALFORMED, Failed.protocol);
      case "next":
        return this.#depart(nowUs);
      case "done":
        if (this.#state === "restoring") this.#restoreNext();
        else if (!this.#saidAside()) this.#replayed(nowUs);
        return;
      case "aside":
        if (this.#replayer.isOver) this.#replayed(nowUs);
        else this.#say(this.#replayer.replay);
    }
  }

  /** Does the next thing, if there is one to do. */
  #advance(): void {
    // What comes behind a leave has nobody to replay it.
    if (this.#state === "closed") return this.#dropQueue(Dropped.shutdown);
    if (this.#state !== "idle") return;
    if (this.#link.state === "open") {
      if (this.target.removed) this.#dropQueue(Dropped.removed);
      if (this.#mayRest()) this.#link.rest();
    }
    if (this.#link.state === "resting") {
      if (this.#queue.length > 0) this.#connect();
      else if (this.#leaving) this.#close();
      return;
    }
    if (this.#link.state !== "open") return;
    this.target.connections.work(this);
    let entry = this.#queue.shift();
    while (entry?.plan === undefined) {
      if (entry === undefined) {
        if (this.#leaving) this.#close();
        else if (this.#mayRest()) this.#link.rest();
        else this.#atRest();
        return;
      }
      this.#restoring = repeatMessages(this.#takeState(entry));
      if (this.#restoring.length > 0) return this.#restoreNext();
      entry = this.#queue.shift();
    }
    const replay = this.#replayer.begin(entry, entry.plan, this.#link);
    this.#departure.begin(entry, replay);
    this.#depart(monotonicUs());
  }

  #atRest(): void {
    const { connections } = this.target;
    if (this.#log.canComeBack) connections.rest(this, monotonicUs());
    else connections.stay(this);
  }

  /** Whether the connection has no use: its mirror is gone, paused, or at another address. */
  #mayRest(): boolean {
    const { settings: { paused }, removed } = this.target;
    if (removed) return true;
    // One with state that can't be rebuilt is kept as long as it goes.
    if (this.#log.lost) return false;
    return paused && this.#queue.length === 0 || this.#link.isElsewhere;
  }

  #connect(): void {
    if (this.#log.lost) {
      this.taint();
      return this.#dropQueue(Dropped.sessionTainted);
    }
    switch (this.#link.ask(this.#departure.isWanted)) {
      case "refused":
        return this.#dropQueue(Dropped.mirrorDown);
      case "wait":
        return;
      case "connect":
        this.#setDeadline(this.target.settings.connectTimeoutMs);
        this.#link.connect();
    }
  }

  /** Nothing is under way any more. */
  #rest(): void {
    this.#state = "idle";
    this.#replayer.rest();
  }

  /** Sends the next message of session state; none left: ready. */
  #restoreNext(): void {
    const message = this.#restoring.shift();
    if (message === undefined) {
      this.#joining = false;
      this.#rest();
      this.#clearDeadline();
      this.#link.show(ClientState.idle);
      return this.#advance();
    }
    if (this.#replayer.isUnsafeState(message)) {
      // What it would have set is not there, for what is queued neither.
      this.taint();
      this.#dropQueue(Dropped.sessionTainted);
      return this.#state === "closed" ? undefined : this.#restoreNext();
    }
    this.#state = "restoring";
    const replay = this.#replayer.restore(message);
    this.#setDeadline(this.target.settings.timeoutMs);
    this.#link.send(replay.take(monotonicUs()));
  }

  #depart(nowUs: number): void {
    this.#state = "departing";
    this.#departure.next(nowUs);
  }

  /** Sends the next cycle. */
  #send(replay: Replay): void {
    if (this.#isUnsafeByNow()) return this.#leaveUnsafe(replay.cycle > 0);
    this.#state = "replaying";
    this.#link.show(ClientState.active);
    if (!this.#saidAside()) this.#say(replay);
  }

  /** What the mirror's catalog has told since the transaction was queued may make it unsafe. */
  #isUnsafeByNow(): boolean {
    const { catalog } = this.target;
    const { entry } = this.#replayer;
    if (entry?.plan === undefined || entry.cleared === catalog) return false;
    entry.cleared = catalog;
    return isUnsafe(this.target, entry.plan);
  }

  /** @param isBegun some of it was sent: only a new connection is without it. */
  #leaveUnsafe(isBegun: boolean): void {
    this.#clearDeadline();
    const entry = this.#replayer.end();
    this.target.probes.requestExcluded(this.#series, Excluded.unsafe);
    this.#leaveOut(entry);
    const state = this.#takeState(entry);
    this.#rest();
    if (isBegun) this.#link.rest();
    else {
      this.#link.show(ClientState.idle);
      this.#restoring = repeatMessages(state);
      if (this.#restoring.length > 0) return this.#restoreNext();
    }
    this.#advance();
  }

  /** Sends what has to come first, or behind the last cycle. @returns whether there is something. */
  #saidAside(): boolean {
    const aside = this.#replayer.aside();
    if (aside !== undefined) this.#say(aside);
    return aside !== undefined;
  }

  #say(replay: Replay): void {
    const { timeoutMs } = this.target.settings;
    this.#setDeadline(timeoutMs + replay.primaryLatencyUs / 1e3);
    this.#link.send(replay.take(monotonicUs()));
  }

  #replayed(nowUs: number): void {
    const { idle, refused } = this.#replayer;
    this.#clearDeadline();
    const state = this.#takeState(this.#replayer.finish(nowUs));
    this.#rest();
    const mayRepeat = this.#log.lost || isRepeatable(state);
    // Idle on the primary, open on the mirror: only a new connection is clean.
    if (!idle || refused && !mayRepeat) this.#link.rest();
    else {
      this.#link.show(ClientState.idle);
      if (refused) this.#restoring = repeatMessages(state);
      if (this.#restoring.length > 0) return this.#restoreNext();
    }
    this.#advance();
  }

  /** The connection is lost, or of no more use: what is replayed fails with `outcome`. */
  #lost(failure: ConnectionFailure, outcome: number): void {
    this.#link.drop();
    this.#clearDeadline();
    this.#departure.cancel();
    if (this.#replayer.entry) this.#fail(outcome);
    this.#rest();
    const joining = this.#joining;
    this.#joining = false;
    const wasOpen = this.#link.lost(failure);
    // The next connection would be lost over the same state, and so on for ever.
    if (wasOpen && !joining) return this.#advance();
    this.#dropQueue(Dropped.mirrorDown);
    if (!wasOpen) this.#link.wakeWaiting();
  }

  /** The replay under way ends without a known outcome. */
  #fail(reason: number): void {
    const entry = this.#replayer.end();
    this.target.probes.requestFailed(this.#series, reason);
    this.#leaveOut(entry);
    this.#takeState(entry);
  }

  /** An entry is done with: what it did to the session's state is remembered. */
  #takeState(entry: QueuedTransaction): SessionState {
    this.#departure.end(entry);
    try {
      this.#queue.settle(entry);
    } catch (error) {
      // Whatever our own code threw, nobody waits for it any more.
      if (entry.ordered !== undefined) this.target.order.end(entry.ordered);
      throw error;
    }
    const state = lastingState(entry.transaction);
    this.#log.add(state);
    const { catalog } = this.target;
    this.#log.leavesUnseen ||=
      entry.plan?.shapes.some((cycle) =>
        cycle.some((shape) => mayLeaveUnseen(shape, catalog))
      ) ?? false;
    return state;
  }

  #leaveOut({ transaction, plan }: QueuedTransaction): void {
    if (plan) leaveOut(this.target, transaction, plan, this.#session);
  }

  #dropQueue(reason: number): void {
    for (
      let entry = this.#queue.shift();
      entry !== undefined;
      entry = this.#queue.shift()
    ) {
      if (entry.plan !== undefined) {
        this.target.probes.requestDropped(this.#series, reason);
        this.#leaveOut(entry);
      }
      this.#takeState(entry);
    }
    if (this.#leaving && !this.#replayer.entry) this.#close();
  }

  #close(): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#clearDeadline();
    this.#departure.cancel();
    this.#link.close();
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

const MALFORMED: ConnectionFailure = {
  kind: "protocol",
  message: "malformed reply",
  sqlstate: undefined,
};
