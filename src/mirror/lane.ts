import type { ReplyDigest } from "../digest/mod.ts";
import { monotonicUs, type Timer } from "../io/mod.ts";
import { sessionState } from "../sql/mod.ts";
import { ClientState } from "../stats/client_table.ts";
import { Dropped, Excluded, Failed } from "../stats/ledger.ts";
import { COPY_FAIL, SYNC } from "../wire/mod.ts";
import {
  type ConnectionFailure,
  type ConnectionOwner,
  MirrorConnection,
} from "./connection.ts";
import { laneStartup, Login } from "./login.ts";
import { Replay } from "./replay.ts";
import { SessionLog } from "./session_log.ts";
import type { Target } from "./target.ts";
import type { Transaction } from "./transaction.ts";

/**
 * ```
 * resting     no connection; made at the next need
 * waiting     the breaker has another lane try first
 * connecting  TCP and login
 * restoring   session state is brought back
 * ready       connected, nothing to replay
 * replaying   a cycle is sent, its answer awaited
 * pausing     the next cycle is not due yet
 * closed
 * ```
 */
type State =
  | "resting"
  | "waiting"
  | "connecting"
  | "restoring"
  | "ready"
  | "replaying"
  | "pausing"
  | "closed";

/** A queue entry: a transaction to replay, or one of which only the session state is wanted. */
interface Entry {
  readonly transaction: Transaction;
  readonly stateOnly: boolean;
}

/** Login errors of a whole mirror by SQLSTATE class; others are the session's own (its parameters, its limits). */
const MIRROR_WIDE = /^(?:08|28|3D|53|57|58|XX)/;
/** A cycle that is due so soon is sent at once. */
const PACING_SLACK_US = 1_000;

/** One mirror connection that replays one session, in order. */
export class Lane implements ConnectionOwner {
  readonly #target: Target;
  readonly #series: number;
  readonly #parameters: string;
  readonly #digest: ReplyDigest;
  readonly #log = new SessionLog();
  #queue: Entry[] = [];
  #head = 0;
  #state: State = "resting";
  #connection: MirrorConnection | undefined;
  #replay: Replay | undefined;
  #restoring: Uint8Array<ArrayBuffer>[] = [];
  #deadlineUs = Infinity;
  #timer: Timer | undefined;
  #tainted = false;
  #leaving = false;
  /** Its row in SHOW SERVERS, -1 without a connection. */
  #row = -1;
  readonly #onClosed: (lane: Lane) => void;

  /**
   * @param parameters the client's startup parameters, `name\0value\0…`.
   * @param digest the lane's own: a reply may take many turns.
   */
  constructor(
    target: Target,
    series: number,
    parameters: string,
    digest: ReplyDigest,
    onClosed: (lane: Lane) => void,
  ) {
    this.#target = target;
    this.#series = series;
    this.#parameters = parameters;
    this.#digest = digest;
    this.#onClosed = onClosed;
  }

  /** Takes a finished transaction: queues it, or counts why not. */
  submit(transaction: Transaction): void {
    const { settings, random } = this.#target;
    const { exposure } = settings;
    if (exposure < 1 && (exposure <= 0 || random() >= exposure)) {
      this.#target.probes.requestExcluded(this.#series, Excluded.sampledOut);
      if (exposure > 0) this.missed(transaction);
      return;
    }
    const refused = this.#refusal(transaction);
    if (refused >= 0) {
      this.#target.probes.requestDropped(this.#series, refused);
      this.missed(transaction);
      return;
    }
    this.#push(transaction, false);
    this.#advance();
  }

  /** A transaction will not be replayed; the session state that it left behind still matters. */
  missed(transaction: Transaction): void {
    const state = sessionState(transaction.bytes);
    if (state.lost) this.taint();
    if (state.repeat.length === 0 && state.closed.length === 0) return;
    if (this.#connection === undefined && this.#length === 0) {
      this.#log.add(state);
    } else if (
      this.#target.budget.take(transaction.bytes.length)
    ) this.#push(transaction, true);
    else this.taint();
  }

  /** The session's state on the mirror can't be trusted any more: nothing of it is compared. */
  taint(): void {
    this.#tainted = true;
  }

  /** The client has gone: what is queued is replayed, then the lane closes. */
  leave(): void {
    this.#leaving = true;
    this.#advance();
  }

  /** Counts everything that is left, and closes. */
  shutdown(): void {
    if (this.#state === "closed") return;
    if (this.#replay !== undefined) this.#fail(Failed.timeout);
    this.#dropQueue(Dropped.shutdown);
    this.#close();
  }

  /** The breaker has closed or opened: go on. */
  breakerChanged(): void {
    if (this.#state !== "waiting") return;
    this.#state = "resting";
    this.#advance();
  }

  /** Looks whether a deadline has passed. */
  checkDeadline(nowUs: number): void {
    if (nowUs < this.#deadlineUs) return;
    const replaying = this.#replay !== undefined;
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
    const { breaker } = this.#target;
    const first = breaker.state(monotonicUs()) !== "closed";
    breaker.succeeded();
    if (first) {
      this.#target.log("info", "Mirror answers", {});
      this.#wakeWaiting();
    }
    this.#restoring = [...this.#log.messages];
    this.#state = "restoring";
    this.#restoreNext();
  }

  onReply(chunk: Uint8Array, length: number): void {
    const replay = this.#replay;
    if (replay === undefined) return; // notices and parameter changes at rest
    const nowUs = monotonicUs();
    const progress = replay.reply(chunk, length, nowUs);
    switch (progress) {
      case "waiting":
        return;
      case "copy":
        this.#connection?.send(EMPTY_COPY_FAIL);
        return;
      case "protocol":
        this.#connection?.close();
        return this.#lost(
          {
            kind: "protocol",
            message: "malformed reply",
            sqlstate: undefined,
          },
          Failed.protocol,
        );
      case "next":
      case "done":
        if (this.#state === "restoring") return this.#restoreNext();
        this.#target.probes.mirrorStatement(
          this.#series,
          replay.cycleLatencyUs / 1e6,
        );
        if (progress === "next") this.#sendCycle(nowUs);
        else this.#replayed(replay, nowUs);
    }
  }

  onLost(failure: ConnectionFailure): void {
    this.#lost(
      failure,
      failure.kind === "protocol" ? Failed.protocol : Failed.connection,
    );
  }

  onFault(): void {
    this.#lost(
      { kind: "connection", message: "internal error", sqlstate: undefined },
      Failed.internal,
    );
  }

  get #length(): number {
    return this.#queue.length - this.#head;
  }

  /** Why `transaction` can't be queued (Dropped), or -1. Takes its bytes from the budget. */
  #refusal(transaction: Transaction): number {
    const { settings, breaker, budget } = this.#target;
    if (this.#tainted) return Dropped.sessionTainted;
    if (
      this.#connection === undefined &&
      breaker.state(monotonicUs()) === "open"
    ) return Dropped.mirrorDown;
    if (this.#length >= settings.queueLength) return Dropped.queueFull;
    if (!budget.take(transaction.bytes.length)) return Dropped.queueFull;
    return -1;
  }

  #push(transaction: Transaction, stateOnly: boolean): void {
    this.#queue.push({ transaction, stateOnly });
    this.#target.queued++;
    this.#gauge();
  }

  /** The first entry leaves the queue; its bytes stay in the budget until it is settled. */
  #shift(): Entry | undefined {
    const entry = this.#queue[this.#head];
    if (entry === undefined) return undefined;
    this.#head++;
    if (this.#head === this.#queue.length) {
      this.#queue = [];
      this.#head = 0;
    }
    this.#target.queued--;
    this.#gauge();
    return entry;
  }

  #gauge(): void {
    const { probes, queued, budget } = this.#target;
    probes.queue(this.#series, queued, budget.bytes);
  }

  /** Does the next thing, if there is one to do. */
  #advance(): void {
    if (this.#state === "resting") {
      if (this.#length > 0) this.#connect();
      else if (this.#leaving) this.#close();
      return;
    }
    if (this.#state !== "ready") return;
    const entry = this.#shift();
    if (entry === undefined) {
      if (this.#leaving) this.#close();
      return;
    }
    if (entry.stateOnly) {
      const state = sessionState(entry.transaction.bytes);
      this.#settle(entry.transaction);
      this.#log.add(state);
      this.#restoring = state.repeat.map(({ message }) => message);
      this.#state = "restoring";
      return this.#restoreNext();
    }
    this.#replay = new Replay(entry.transaction, this.#digest);
    this.#sendCycle(monotonicUs());
  }

  #connect(): void {
    const { breaker, settings, reactor, scratch, waiting } = this.#target;
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
    this.#list();
    this.#setDeadline(settings.connectTimeoutMs);
    try {
      this.#connection = new MirrorConnection(
        reactor,
        settings.address,
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

  #list(): void {
    const { table, settings } = this.#target;
    this.#unlist();
    this.#row = table.open(settings.host, settings.port, Date.now());
    if (this.#row < 0) return;
    table.identify(this.#row, 0, settings.login.user, settings.name, "");
  }

  #unlist(): void {
    if (this.#row >= 0) this.#target.table.close(this.#row);
    this.#row = -1;
  }

  /** Sends the next message of session state; none left: ready. */
  #restoreNext(): void {
    const message = this.#restoring.shift();
    if (message === undefined) {
      this.#replay = undefined;
      this.#state = "ready";
      this.#clearDeadline();
      this.#show(ClientState.idle);
      return this.#advance();
    }
    const bytes = message[0] === 0x51 ? message : withSync(message);
    this.#replay = new Replay({
      bytes,
      cycles: new Uint32Array([bytes.length, 0, 0, 0]),
      statements: new Uint32Array(0),
      startUs: 0,
      endUs: 0,
    }, this.#digest);
    this.#setDeadline(this.#target.settings.timeoutMs);
    this.#connection?.send(this.#replay.take(monotonicUs()));
  }

  #sendCycle(nowUs: number): void {
    const replay = this.#replay as Replay; // set by the caller
    const { settings, reactor } = this.#target;
    if (settings.pacing === "original") {
      const waitUs = replay.transaction.endUs + replay.dueUs - nowUs;
      if (waitUs > PACING_SLACK_US) {
        this.#state = "pausing";
        this.#clearDeadline();
        this.#timer = reactor.after(waitUs / 1e3, () => this.#send(replay));
        return;
      }
    }
    this.#send(replay);
  }

  #show(state: number): void {
    if (this.#row >= 0) this.#target.table.setState(this.#row, state);
  }

  #send(replay: Replay): void {
    this.#state = "replaying";
    this.#show(ClientState.active);
    this.#setDeadline(
      this.#target.settings.timeoutMs + replay.primaryLatencyUs / 1e3,
    );
    this.#connection?.send(replay.take(monotonicUs()));
  }

  #replayed(replay: Replay, nowUs: number): void {
    const { probes } = this.#target;
    const { transaction } = replay;
    this.#replay = undefined;
    this.#clearDeadline();
    this.#settle(transaction);
    this.#log.add(sessionState(transaction.bytes));
    if (replay.firstError !== undefined) {
      probes.errorOnMirror(this.#series, replay.firstError);
    }
    probes.requestReplayed(
      this.#series,
      replay.latencyUs / 1e6,
      Math.max(0, nowUs - transaction.endUs) / 1e6,
      replay.errorsOnMirror,
    );
    if (replay.idle) {
      this.#state = "ready";
      this.#show(ClientState.idle);
    } else {
      // Idle on the primary, open on the mirror: only a new connection is clean.
      this.#connection?.close();
      this.#connection = undefined;
      this.#unlist();
      this.#state = "resting";
    }
    this.#advance();
  }

  #lost(failure: ConnectionFailure, outcome: number): void {
    const { breaker, settings } = this.#target;
    const wasConnecting = this.#state === "connecting";
    this.#connection = undefined;
    this.#unlist();
    this.#clearDeadline();
    this.#target.reactor.cancel(this.#timer);
    if (this.#replay !== undefined && this.#state !== "restoring") {
      this.#fail(outcome);
    }
    this.#replay = undefined;
    this.#state = "resting";
    const properties = {
      mirror: settings.name,
      reason: failure.message,
      sqlstate: failure.sqlstate,
    };
    if (!wasConnecting) {
      breaker.lost();
      this.#target.log("warn", "Mirror connection lost", properties);
      return this.#advance();
    }
    if (failure.sqlstate && !MIRROR_WIDE.test(failure.sqlstate)) {
      // The mirror is there, it refuses this session only.
      breaker.abandoned();
      this.#tainted = true;
      this.#target.log("warn", "Mirror refuses a session", properties);
    } else {
      breaker.failed(monotonicUs());
      this.#target.log("warn", "Mirror login failed", properties);
    }
    this.#dropQueue(Dropped.mirrorDown);
    this.#wakeWaiting();
  }

  #wakeWaiting(): void {
    const lanes = [...this.#target.waiting];
    this.#target.waiting.clear();
    for (const lane of lanes) lane.breakerChanged();
  }

  /** The replay under way ends without a known outcome. */
  #fail(reason: number): void {
    const replay = this.#replay as Replay; // checked by the callers
    this.#replay = undefined;
    this.#target.probes.requestFailed(this.#series, reason);
    this.#settle(replay.transaction);
    this.#log.add(sessionState(replay.transaction.bytes));
  }

  #dropQueue(reason: number): void {
    for (
      let entry = this.#shift();
      entry !== undefined;
      entry = this.#shift()
    ) {
      this.#settle(entry.transaction);
      if (!entry.stateOnly) {
        this.#target.probes.requestDropped(this.#series, reason);
      }
      this.#log.add(sessionState(entry.transaction.bytes));
    }
    if (this.#leaving) this.#close();
  }

  #settle(transaction: Transaction): void {
    this.#target.budget.give(transaction.bytes.length);
    this.#gauge();
  }

  #close(): void {
    if (this.#state === "closed") return;
    if (this.#state === "connecting") this.#target.breaker.abandoned();
    this.#state = "closed";
    this.#clearDeadline();
    this.#target.reactor.cancel(this.#timer);
    this.#target.waiting.delete(this);
    this.#unlist();
    this.#connection?.close();
    this.#connection = undefined;
    this.#onClosed(this);
  }

  #setDeadline(ms: number): void {
    this.#deadlineUs = monotonicUs() + ms * 1e3;
    this.#target.timed.add(this);
  }

  #clearDeadline(): void {
    this.#deadlineUs = Infinity;
    this.#target.timed.delete(this);
  }
}

function withSync(message: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(message.length + 5);
  bytes.set(message);
  bytes.set([SYNC, 0, 0, 0, 4], message.length);
  return bytes;
}

/** Ends copy-in that the primary's client never answered: CopyFail with an empty reason. */
const EMPTY_COPY_FAIL = new Uint8Array([
  COPY_FAIL,
  0,
  0,
  0,
  5,
  0,
]);
