import type { ReplyDigest } from "../record/mod.ts";
import type { ProbeSet } from "../plugin/probe_set.ts";
import type { StateWatch } from "../sql/mod.ts";
import { Dropped, Excluded } from "../stats/ledger.ts";
import { Cancellation } from "./cancellation.ts";
import type { Capture } from "./capture.ts";
import type { CycleClock } from "./cycle_clock.ts";
import { SessionAccount } from "./session_account.ts";

/** What becomes of a session's transactions. */
export interface TapTarget {
  /** The series of each mirror that counts this session; empty: nothing is counted. */
  readonly series: readonly number[];
  /** Why no transaction of the session can be replayed; -1: they are captured. */
  readonly excluded: number;
  /** Bound of one transaction in bytes: the client's, and those of the digests. */
  readonly maxTransactionBytes: number;
}

/**
 * Records one session's transactions for the mirror worker, cut as it is told,
 * or counts why not: each has one outcome. What can't be kept is dropped whole,
 * and all that follows until the session is at rest.
 *
 * Positions are bytes of the client's stream.
 */
export class Recorder {
  readonly account: SessionAccount;
  /** Of the transaction under way. */
  readonly cancellation = new Cancellation();
  #target: TapTarget = { series: [], excluded: -1, maxTransactionBytes: 0 };
  #capture: Capture | undefined;
  /** Behind the last byte seen, the last cycle, and the last transaction. */
  #position = 0;
  #cycleEnd = 0;
  #transactionEnd = 0;
  /** Statements in cycles that are over. */
  #statements = 0;
  /** Why the transaction under way is not captured; -1: it is. */
  #dropped = -1;
  /** Looks for session state in what is dropped. */
  #watch: StateWatch | undefined;

  constructor(probes: ProbeSet) {
    this.account = new SessionAccount(probes);
  }

  /** Another target or capture, at a moment of rest. */
  change(target: TapTarget, capture: Capture | undefined): void {
    this.#target = target;
    this.account.series = target.series;
    if (capture === this.#capture) return;
    this.#capture = capture;
    // What came before is not in it.
    this.#cycleEnd = this.#transactionEnd = this.#position;
    if (capture === undefined) return;
    capture.skip(this.#position - capture.appended);
    this.#statements = capture.statements;
  }

  /** Nothing is being dropped. */
  get isWhole(): boolean {
    return this.#dropped < 0;
  }

  /** What digests the replies; undefined: nothing is captured. */
  get digest(): ReplyDigest | undefined {
    return this.#dropped < 0 ? this.#capture?.digest : undefined;
  }

  /**
   * Takes `chunk[0, length)` of the client's bytes.
   *
   * @param end where what is under way ends: what is ahead in a pipeline may belong to others.
   */
  take(chunk: Uint8Array, length: number, end: number): void {
    this.#position += length;
    const capture = this.#capture;
    if (capture === undefined) return;
    if (this.#dropped < 0) {
      const reason = this.#isTooLarge(capture, end)
        ? Dropped.tooLarge
        : capture.append(chunk, length)
        ? -1
        : Dropped.queueFull;
      if (reason < 0) return;
      this.#drop(capture, reason);
    }
    capture.skip(length);
    this.#watch?.take(chunk, length);
  }

  /**
   * The digests of a long cycle go on their way, or the transaction is dropped.
   *
   * @param end as that of {@linkcode Recorder.take}.
   * @returns whether it is still whole.
   */
  relieve(end: number): boolean {
    const capture = this.#capture;
    if (capture === undefined || this.#dropped >= 0) return false;
    const reason = this.#isTooLarge(capture, end)
      ? Dropped.tooLarge
      : capture.relieve()
      ? -1
      : Dropped.queueFull;
    if (reason >= 0) this.#drop(capture, reason);
    return reason < 0;
  }

  #isTooLarge(capture: Capture, end: number): boolean {
    const bytes = end - this.#transactionEnd + capture.digestBytes;
    return bytes > this.#target.maxTransactionBytes;
  }

  /** From here to a moment of rest nothing is captured. */
  #drop(capture: Capture, reason: number): void {
    this.#dropped = reason;
    this.#watch = capture.watchUnsent();
    capture.forget(false);
  }

  /**
   * A cycle has ended.
   *
   * @param end behind it; its bytes may stand in a cycle before.
   * @param clock has its times.
   * @param blockFailed by its ReadyForQuery.
   */
  cycle(
    end: number,
    clock: CycleClock,
    blockFailed: boolean,
  ): void {
    this.account.statement(clock.servedUs / 1e6);
    const from = this.#cycleEnd;
    this.#cycleEnd = Math.max(end, from);
    const capture = this.#capture;
    if (capture === undefined || this.#dropped >= 0) return;
    capture.digest.cycleEnded(clock.latencyUs);
    const statements = capture.statements - this.#statements;
    this.#statements = capture.statements;
    if (this.cancellation.cycleEnded(blockFailed)) capture.leaveOutNextCycle();
    const isKept = capture.addCycle(
      this.#cycleEnd - from,
      clock.offsetUs,
      clock.latencyUs,
      clock.queuedUs,
      statements,
    );
    if (!isKept) this.#drop(capture, Dropped.queueFull);
    else if (this.#isTooLarge(capture, this.#cycleEnd)) {
      this.#drop(capture, Dropped.tooLarge);
    }
  }

  /** The transaction has ended with the last cycle. */
  end(clock: CycleClock, nowUs: number): void {
    const startUs = clock.transactionUs;
    // It is counted here, and not once more if that throws.
    clock.transactionUs = -1;
    const { happened, committed } = this.cancellation;
    const { excluded } = this.#target;
    if (excluded >= 0) this.exclude(excluded, false);
    else if (happened && !committed && this.#dropped < 0) {
      this.exclude(Excluded.cancelled, false);
    } else if (this.#capture !== undefined) {
      this.#push(this.#capture, startUs, nowUs);
    }
    this.#transactionEnd = this.#cycleEnd;
    this.cancellation.reset();
  }

  #push(capture: Capture, startUs: number, nowUs: number): void {
    const account = this.account;
    const end = this.#cycleEnd;
    // Counted before the record can be seen, so that no outcome is ahead of it.
    account.seen();
    if (this.#dropped < 0 && this.cancellation.unrepeatable) {
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
    this.#resume(capture);
  }

  /** Bytes of the next transaction went with what was dropped if the client was ahead. */
  #resume(capture: Capture): void {
    if (this.#position !== this.#cycleEnd) return;
    capture.forget(this.#watch?.touched ?? false);
    this.#statements = capture.statements;
    this.#dropped = -1;
    this.#watch = undefined;
  }

  /**
   * Counts a request as excluded.
   *
   * @param reason a position in EXCLUDED.
   * @param atEnd nothing of the session is captured any more.
   */
  exclude(reason: number, atEnd: boolean): void {
    this.account.seen();
    this.account.excluded(reason);
    const capture = this.#capture;
    if (capture === undefined || atEnd) return;
    if (this.#dropped < 0) {
      if (capture.finish(this.#cycleEnd, 0, 0, true)) return;
      this.#drop(capture, Dropped.queueFull);
    }
    this.#resume(capture);
  }

  /** Why a request that can't be cut is not replayed. */
  get unsupported(): number {
    const { excluded } = this.#target;
    return excluded >= 0 ? excluded : Excluded.unsupported;
  }

  /** What is not on its way is forgotten, session state included. */
  forget(): void {
    this.#capture?.forget(true);
  }
}
