import type { ProbeSet } from "../plugin/probe_set.ts";
import type { StateWatch } from "../sql/mod.ts";
import { Dropped, Excluded } from "../stats/ledger.ts";
import {
  COMMAND_COMPLETE,
  COMPLETES,
  COPY_BOTH_RESPONSE,
  COPY_DATA,
  COPY_DONE,
  COPY_FAIL,
  COPY_IN_RESPONSE,
  DATA_ROW,
  ERROR_RESPONSE,
  FAILED_TRANSACTION,
  Framer,
  FUNCTION_CALL,
  IDLE,
  QUERY,
  READY_FOR_QUERY,
  SYNC,
  TERMINATE,
} from "../wire/mod.ts";
import { Cancellation, isCancel } from "./cancellation.ts";
import type { Capture } from "./capture.ts";
import { CycleClock } from "./cycle_clock.ts";
import { Cycles } from "./cycles.ts";
import { EarlyBytes } from "./early_bytes.ts";
import { SessionAccount } from "./session_account.ts";

/** A session that can't be looked at from its begin is one request, so that it is seen at all; one that is lost later has as many as end. */
const UNSEEN = Excluded.unsupported;

/** What the tap does with a session's transactions. */
export interface TapTarget {
  /** The series of each mirror that counts this session; empty: nothing is counted. */
  readonly series: readonly number[];
  /** Why no transaction of the session can be replayed; -1: they are captured. */
  readonly excluded: number;
  /** Bound of one transaction in bytes. */
  readonly maxTransactionBytes: number;
}

/**
 * Watches one session's bytes in both directions, cuts them into cycles and
 * transactions, and sends each finished transaction to the mirror worker, or
 * counts why not. It changes nothing and waits for nothing.
 */
export class Tap {
  /** A transaction block is open, by the last ReadyForQuery. */
  inTransaction = false;
  /** Called at each ReadyForQuery that answers something. */
  onReady: (idle: boolean) => void = () => {};
  readonly #account: SessionAccount;
  readonly #client = new Framer();
  readonly #server = new Framer();
  readonly #cycles = new Cycles();
  readonly #clock = new CycleClock();
  #target: TapTarget;
  #capture: Capture | undefined;
  /** Login is over: what comes counts. */
  #attached = false;
  /** The login's own ReadyForQuery has come. */
  #answering = false;
  #early: EarlyBytes | undefined;
  /**
   * Client bytes seen since login, of them up to the last message that means
   * something by itself (stray copy data does not), behind the last whole
   * message, and behind the last cycle answered.
   */
  #position = 0;
  #meaningful = 0;
  #messageEnd = 0;
  #answeredEnd = 0;
  /** What comes before asks for no answer for certain. */
  #settledEnd = 0;
  #statements = 0;
  #transactionStartUs = -1;
  #transactionEnd = 0;
  readonly #cancellation = new Cancellation();
  /** Why the transaction under way is not captured; -1: it is. */
  #dropped = -1;
  /** Looks for session state in what is dropped. */
  #watch: StateWatch | undefined;
  #terminated = false;
  /** Bytes can't be cut into cycles any more; they are relayed all the same. */
  #blind = false;
  /** While blind: the client has said something since the last ReadyForQuery. */
  #asked = false;
  /** Blind, but what the primary says can be cut: its requests are seen. */
  #isLost = false;

  constructor(probes: ProbeSet) {
    this.#account = new SessionAccount(probes);
    this.#target = { series: [], excluded: -1, maxTransactionBytes: 0 };
  }

  /** Begins to count and, with a capture, to mirror. Called once, when login has succeeded. */
  attach(
    target: TapTarget,
    capture: Capture | undefined,
    nowUs: number,
  ): void {
    this.#target = target;
    this.#account.series = target.series;
    this.#capture = capture;
    this.#attached = true;
    if (this.#blind) return this.#countExcluded(UNSEEN);
    const early = this.#early?.bytes;
    this.#early = undefined;
    if (early !== undefined) this.client(early, early.length, nowUs);
  }

  /** Another target or capture, at a moment of rest. */
  change(target: TapTarget, capture: Capture | undefined): void {
    this.#target = target;
    this.#account.series = target.series;
    if (capture === this.#capture) return;
    this.#capture = capture;
    // What came before is not in it.
    this.#answeredEnd = this.#settledEnd = this.#position;
    this.#transactionEnd = this.#position;
    if (capture === undefined) return;
    capture.skip(this.#position - capture.appended);
    this.#statements = capture.statements;
  }

  /** Nothing is under way, not even half a message. */
  get resting(): boolean {
    return this.#answering && !this.#blind && !this.busy &&
      this.#dropped < 0 && this.#position === this.#messageEnd;
  }

  /** True if the client waits for an answer or is inside a transaction. */
  get busy(): boolean {
    if (this.#blind) return this.inTransaction || this.#asked;
    return this.inTransaction || this.#cycles.waiting > 0 ||
      (!this.#terminated && this.#unanswered);
  }

  /** The last byte from the primary ended a message: one of ours may follow. */
  get betweenReplies(): boolean {
    return this.#server.atBoundary && !this.#server.broken;
  }

  /** The client said goodbye. */
  get terminated(): boolean {
    return this.#terminated;
  }

  /** Looks at `chunk[0, length)`, which went to the primary. */
  client(chunk: Uint8Array, length: number, nowUs: number): void {
    if (this.#blind) this.#asked = true;
    if (this.#blind || this.#terminated) return;
    if (!this.#attached) {
      this.#early ??= new EarlyBytes();
      if (!this.#early.take(chunk, length)) this.#giveUp();
      return;
    }
    const base = this.#position;
    const framer = this.#client;
    this.#clock.bytes(base, nowUs);
    let kept = length;
    for (let at = 0; at < length;) {
      const from = at;
      at = framer.step(chunk, at, length);
      if (framer.broken) return this.#giveUp();
      if (!isMeaningless(framer.type)) this.#meaningful = base + at;
      if (!framer.finished) continue;
      if (framer.type === TERMINATE) {
        this.#terminated = true;
        kept = from;
        break;
      }
      this.#messageEnd = base + at;
      this.#cycles.client(framer.type, base + at, nowUs);
      if (endsCycle(framer.type)) this.#clock.whole(base + at, nowUs);
    }
    if (kept === 0) return;
    this.#position = base + kept;
    if (this.#transactionStartUs < 0 && this.#unanswered) {
      this.#transactionStartUs = nowUs;
    }
    this.#keep(chunk, kept);
    if (this.#cycles.overflown) this.#giveUp();
  }

  /** Looks at `chunk[0, length)`, which came from the primary. */
  server(chunk: Uint8Array, length: number, nowUs: number): void {
    if (this.#blind) return this.#follow(chunk, 0, length);
    const framer = this.#server;
    const digest = this.#dropped < 0 ? this.#capture?.digest : undefined;
    for (let at = 0; at < length;) {
      at = framer.step(chunk, at, length);
      if (framer.broken) {
        this.#giveUp();
        return this.#follow(chunk, at, length);
      }
      const type = framer.type;
      if (type === READY_FOR_QUERY) {
        if (framer.finished) {
          this.#readyForQuery(chunk[at - 1] as number, nowUs);
        }
        if (this.#blind) return this.#follow(chunk, at, length);
        continue;
      }
      if (digest !== undefined && this.#answering) {
        const elapsedUs = this.#elapsedUs(nowUs);
        digest.sentUs = this.#clock.sentUs;
        digest.step(framer, chunk, framer.bodyStart, at, elapsedUs);
      }
      if (type === DATA_ROW || !framer.finished) continue;
      if (COMPLETES[type] === 1) {
        this.#cycles.completed();
        if (type === COMMAND_COMPLETE && digest !== undefined) {
          this.#cancellation.completed(digest);
        }
      } else if (type === COPY_IN_RESPONSE) this.#cycles.copyIn();
      else if (type === COPY_BOTH_RESPONSE) {
        this.#giveUp();
        return this.#follow(chunk, at, length);
      } else if (type === ERROR_RESPONSE) {
        if (digest !== undefined) {
          this.#cancellation.failed(digest, this.#cycles.copyRefused);
        }
        this.#cycles.failed(digest !== undefined && isCancel(digest));
      }
    }
  }

  /** While blind: only whether the primary is between messages, and idle. */
  #follow(chunk: Uint8Array, from: number, length: number): void {
    const framer = this.#server;
    for (let at = from; at < length;) {
      at = framer.step(chunk, at, length);
      if (framer.type !== READY_FOR_QUERY || !framer.finished) continue;
      this.#readyWhileBlind(chunk[at - 1] as number, false);
    }
  }

  #readyWhileBlind(status: number, asked: boolean): void {
    this.inTransaction = status !== IDLE;
    this.#asked = asked;
    if (this.#isLost && status === IDLE) this.#countExcluded(UNSEEN);
    this.onReady(!this.busy);
  }

  /**
   * The session is over.
   *
   * @param reason a position in EXCLUDED, for what is sent and has no answer.
   */
  end(reason: number, nowUs: number): void {
    if (!this.#blind && this.#attached && this.#transactionStartUs >= 0) {
      const isKnown = reason === Excluded.clientGone && this.#cycles.isIdle;
      if (this.inTransaction && isKnown) {
        // The primary rolls it back, and so does the mirror when it loses the connection.
        this.#endTransaction(this.#answeredEnd, nowUs);
      } else this.#excludeOpen(reason);
    }
    if (this.#isLost && this.busy) this.#countExcluded(reason);
    this.#blind = true;
    this.#isLost = false;
  }

  /** Counts what will have no answer: the open transaction, else each cycle for itself. */
  #excludeOpen(reason: number): void {
    const { waiting } = this.#cycles;
    if (!this.inTransaction && waiting === 0 && !this.#unanswered) return;
    const count = this.inTransaction ? 1 : Math.max(1, waiting);
    for (let i = 0; i < count; i++) this.#exclude(reason, true);
  }

  /** Stops watching after an exception, at no known place. */
  abandon(): void {
    const isCounted = this.#blind || this.#transactionStartUs < 0;
    this.#server.broken = true;
    this.#blind = this.#asked = true;
    if (!isCounted) {
      this.#account.seen();
      this.#account.failed();
    }
    try {
      this.#capture?.forget(true);
    } catch {
      // What has thrown once may do so again; it was told of.
    }
  }

  /** The client has begun something that no ReadyForQuery has answered. */
  get #unanswered(): boolean {
    return this.#meaningful > this.#settledEnd;
  }

  /** Microseconds since the cycle under way began. */
  #elapsedUs(nowUs: number): number {
    if (this.#cycles.waiting > 0) {
      return this.#clock.elapsedUs(this.#cycles.headTimeUs, nowUs);
    }
    if (!this.#unanswered) return 0;
    this.#clock.answeredEarly();
    return this.#clock.elapsedUs(nowUs, nowUs);
  }

  #keep(chunk: Uint8Array, length: number): void {
    const capture = this.#capture;
    if (capture === undefined) return;
    if (this.#dropped >= 0) {
      capture.skip(length);
      this.#watch?.take(chunk, length);
      return;
    }
    // What is ahead in a pipeline may belong to others.
    const end = this.#cycles.waiting > 1
      ? this.#cycles.headEnd
      : this.#position;
    const reason = this.#isTooLarge(end)
      ? Dropped.tooLarge
      : capture.append(chunk, length)
      ? -1
      : Dropped.queueFull;
    if (reason < 0) return;
    this.#drop(capture, reason);
    capture.skip(length);
    this.#watch?.take(chunk, length);
  }

  #isTooLarge(end: number): boolean {
    return end - this.#transactionEnd > this.#target.maxTransactionBytes;
  }

  /** From here to a moment of rest nothing is captured. */
  #drop(capture: Capture, reason: number): void {
    this.#dropped = reason;
    this.#watch = capture.watchUnsent();
    capture.forget(false);
  }

  #readyForQuery(status: number, nowUs: number): void {
    this.inTransaction = status !== IDLE;
    if (!this.#answering) {
      this.#answering = true;
      return;
    }
    const cycles = this.#cycles;
    if (!cycles.ready()) return this.#lose(status);
    const end = Math.max(cycles.end, this.#answeredEnd);
    const clock = this.#clock;
    clock.ready(cycles.wholeUs, nowUs);
    // A doubtful Sync stands before the end of the last transaction.
    if (this.#transactionStartUs < 0) this.#transactionStartUs = clock.startUs;
    this.#account.statement(clock.servedUs / 1e6);
    const capture = this.#capture;
    if (capture !== undefined && this.#dropped < 0) {
      capture.digest.cycleEnded(clock.latencyUs);
      const bytes = end - this.#answeredEnd;
      const statements = capture.statements - this.#statements;
      this.#statements = capture.statements;
      if (this.#cancellation.cycleEnded(status === FAILED_TRANSACTION)) {
        capture.leaveOutNextCycle();
      }
      const isKept = capture.addCycle(
        bytes,
        Math.floor(Math.max(0, clock.startUs - this.#transactionStartUs)),
        clock.latencyUs,
        clock.queuedUs,
        statements,
      );
      if (!isKept) this.#drop(capture, Dropped.queueFull);
      else if (this.#isTooLarge(end)) this.#drop(capture, Dropped.tooLarge);
    }
    this.#answeredEnd = end;
    this.#settledEnd = Math.max(end, cycles.settledEnd);
    if (status === IDLE) this.#endTransaction(end, nowUs);
    this.onReady(!this.busy);
  }

  #endTransaction(end: number, nowUs: number): void {
    const { excluded } = this.#target;
    const { happened, committed } = this.#cancellation;
    const startUs = this.#transactionStartUs;
    // It is counted below, and not once more if that throws.
    this.#transactionStartUs = -1;
    if (excluded >= 0) this.#exclude(excluded, false);
    else if (happened && !committed && this.#dropped < 0) {
      this.#exclude(Excluded.cancelled, false);
    } else if (this.#capture !== undefined) {
      this.#push(this.#capture, end, startUs, nowUs);
    }
    this.#transactionEnd = end;
    this.#cancellation.reset();
    // The next transaction began when the client sent it, perhaps long ago.
    this.#transactionStartUs = this.#cycles.waiting > 0
      ? this.#cycles.headTimeUs
      : this.#unanswered
      ? this.#clock.openedUs
      : -1;
  }

  #push(capture: Capture, end: number, startUs: number, nowUs: number): void {
    const account = this.#account;
    // Counted before the record can be seen, so that no outcome is ahead of it.
    account.seen();
    if (this.#dropped < 0 && this.#cancellation.unrepeatable) {
      account.dropped(Dropped.sessionTainted);
      capture.loseState();
      if (capture.finish(end, 0, 0, true)) return;
      this.#drop(capture, Dropped.queueFull);
    } else if (this.#dropped < 0) {
      let sent;
      try {
        sent = capture.finish(end, startUs, nowUs, false);
      } catch (error) {
        account.failed();
        throw error;
      }
      if (sent) return;
      account.dropped(Dropped.queueFull);
      this.#drop(capture, Dropped.queueFull);
    } else account.dropped(this.#dropped);
    // Bytes of the next transaction went with it if the client was ahead.
    if (this.#position === end) this.#resume(capture);
  }

  #resume(capture: Capture): void {
    capture.forget(this.#watch?.touched ?? false);
    this.#statements = capture.statements;
    this.#dropped = -1;
    this.#watch = undefined;
  }

  #exclude(reason: number, atEnd: boolean): void {
    this.#countExcluded(reason);
    const capture = this.#capture;
    if (capture === undefined) return;
    if (this.#dropped < 0) {
      if (atEnd) return; // the stream is closed right after
      if (capture.finish(this.#answeredEnd, 0, 0, true)) return;
      this.#drop(capture, Dropped.queueFull);
    }
    if (this.#position === this.#answeredEnd) this.#resume(capture);
  }

  #countExcluded(reason: number): void {
    this.#account.seen();
    this.#account.excluded(reason);
  }

  /** Nobody knows any more which message an answer is for. */
  #lose(status: number): void {
    this.#transactionStartUs = -1;
    this.#isLost = true;
    this.#giveUp();
    this.#readyWhileBlind(status, this.#cycles.waiting > 0);
  }

  /** The bytes can't be cut: they are relayed, and no longer looked at. */
  #giveUp(): void {
    if (this.#transactionStartUs >= 0) {
      const { excluded } = this.#target;
      this.#exclude(excluded >= 0 ? excluded : Excluded.unsupported, true);
    }
    this.#blind = this.#asked = true;
    this.#capture?.forget(true);
  }
}

function endsCycle(type: number): boolean {
  return type === QUERY || type === SYNC || type === FUNCTION_CALL;
}

/** Messages that ask for no answer: the server ignores copy data outside of a copy. */
function isMeaningless(type: number): boolean {
  return type === COPY_DATA || type === COPY_DONE || type === COPY_FAIL ||
    type === TERMINATE;
}
