import type { ProbeSet } from "../plugin/probe_set.ts";
import { Excluded } from "../stats/ledger.ts";
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
  ROW_DESCRIPTION,
  SYNC,
  TERMINATE,
} from "../wire/mod.ts";
import type { Capture } from "./capture.ts";
import { CycleClock } from "./cycle_clock.ts";
import { Cycles } from "./cycles.ts";
import type { ReplyDigest } from "../record/mod.ts";
import { EarlyBytes } from "./early_bytes.ts";
import { Recorder, type TapTarget } from "./recorder.ts";

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
  readonly #recorder: Recorder;
  readonly #client = new Framer();
  readonly #server = new Framer();
  readonly #cycles = new Cycles();
  readonly #clock = new CycleClock();
  /** Login is over: what comes counts. */
  #attached = false;
  /** The login's own ReadyForQuery has come. */
  #answering = false;
  #early: EarlyBytes | undefined;
  /**
   * Client bytes seen since login, of them up to the last message that means
   * something by itself (stray copy data does not), behind the last whole
   * message, and behind what asks for no answer any more.
   */
  #position = 0;
  #askedEnd = 0;
  #messageEnd = 0;
  #settledEnd = 0;
  #terminated = false;
  /** Bytes can't be cut into cycles any more; they are relayed all the same. */
  #blind = false;
  /** While blind: the client has said something since the last ReadyForQuery. */
  #asked = false;
  /** Blind, but what the primary says can be cut: its requests are seen. */
  #isLost = false;

  constructor(probes: ProbeSet) {
    this.#recorder = new Recorder(probes);
  }

  /** Begins to count and, with a capture, to mirror. Called once, when login has succeeded. */
  attach(
    target: TapTarget,
    capture: Capture | undefined,
    nowUs: number,
  ): void {
    this.#recorder.change(target, capture);
    this.#attached = true;
    // Nothing can be looked at: it is one request, so that it is seen at all.
    if (this.#blind) return this.#recorder.exclude(Excluded.unsupported, true);
    const early = this.#early?.bytes;
    this.#early = undefined;
    if (early !== undefined) this.client(early, early.length, nowUs);
  }

  /** Another target or capture, at a moment of rest. */
  change(target: TapTarget, capture: Capture | undefined): void {
    this.#recorder.change(target, capture);
    this.#settledEnd = this.#position;
  }

  /** Nothing is under way, not even half a message. */
  get resting(): boolean {
    return this.#answering && !this.#blind && !this.busy &&
      this.#recorder.isWhole && this.#position === this.#messageEnd;
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
      if (framer.broken) {
        return this.#cycles.waiting > 0 ? this.#loseCut() : this.#giveUp();
      }
      if (!isMeaningless(framer.type)) this.#askedEnd = base + at;
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
    const clock = this.#clock;
    if (clock.transactionUs < 0 && this.#unanswered) {
      clock.transactionUs = nowUs;
    }
    this.#recorder.take(chunk, kept, this.#underWayEnd);
    if (this.#cycles.overflown) this.#loseCut();
  }

  /** Where what is under way ends, as far as is known. */
  get #underWayEnd(): number {
    const cycles = this.#cycles;
    return cycles.waiting > 1 ? cycles.headEnd : this.#position;
  }

  /** Looks at `chunk[0, length)`, which came from the primary. */
  server(chunk: Uint8Array, length: number, nowUs: number): void {
    this.#look(chunk, length, nowUs);
    this.#recorder.digest?.settle();
  }

  #look(chunk: Uint8Array, length: number, nowUs: number): void {
    if (this.#blind) return this.#follow(chunk, 0, length);
    const framer = this.#server;
    const { cancellation } = this.#recorder;
    let digest = this.#answering ? this.#recorder.digest : undefined;
    /** Of the cycle under way; -1: not looked at yet. */
    let elapsedUs = -1;
    for (let at = 0; at < length;) {
      if (digest !== undefined && framer.atBoundary && isLong(chunk[at])) {
        if (elapsedUs < 0) elapsedUs = this.#timeAnswer(digest, nowUs);
        const from = at;
        at = digest.whole(chunk, from, length);
        if (at > from && chunk[from] === ROW_DESCRIPTION) {
          this.#cycles.completed();
        }
        if (digest.full && !this.#recorder.relieve(this.#underWayEnd)) {
          digest = undefined;
        }
        if (at === length) return;
      }
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
        // The transaction may have been dropped there.
        digest = this.#recorder.digest;
        elapsedUs = -1;
        continue;
      }
      if (digest !== undefined) {
        if (elapsedUs < 0) elapsedUs = this.#timeAnswer(digest, nowUs);
        digest.step(framer, chunk, framer.bodyStart, at, elapsedUs);
      }
      if (type === DATA_ROW || !framer.finished) {
        if (digest?.full && !this.#recorder.relieve(this.#underWayEnd)) {
          digest = undefined;
        }
        continue;
      }
      if (COMPLETES[type] === 1) {
        this.#cycles.completed();
        if (type === COMMAND_COMPLETE && digest !== undefined) {
          cancellation.completed(digest);
        }
      } else if (type === COPY_IN_RESPONSE) {
        this.#cycles.copyIn();
        elapsedUs = -1; // its cycle may not be whole any more
      } else if (type === COPY_BOTH_RESPONSE) {
        this.#giveUp();
        return this.#follow(chunk, at, length);
      } else if (type === ERROR_RESPONSE) {
        if (digest !== undefined) {
          cancellation.failed(digest, this.#cycles.copyRefused);
        }
        this.#cycles.failed(digest?.cancelled === true);
      }
      if (digest?.full && !this.#recorder.relieve(this.#underWayEnd)) {
        digest = undefined;
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
    if (this.#isLost && status === IDLE) {
      this.#recorder.exclude(this.#recorder.unsupported, true);
    }
    this.onReady(!this.busy);
  }

  /**
   * The session is over.
   *
   * @param reason a position in EXCLUDED, for what is sent and has no answer.
   */
  end(reason: number, nowUs: number): void {
    if (this.#isLost && this.busy) this.#recorder.exclude(reason, true);
    if (!this.#blind && this.#attached && this.#clock.transactionUs >= 0) {
      const isKnown = reason === Excluded.clientGone && this.#cycles.isIdle;
      // The primary rolls it back, and so does the mirror when it loses the connection.
      if (this.inTransaction && isKnown) this.#endTransaction(nowUs);
      else this.#excludeOpen(reason);
    }
    this.#blind = true;
    this.#isLost = false;
  }

  /** Counts what will have no answer: the open transaction, else each cycle for itself. */
  #excludeOpen(reason: number): void {
    const { waiting } = this.#cycles;
    if (!this.inTransaction && waiting === 0 && !this.#unanswered) return;
    const count = this.inTransaction ? 1 : Math.max(1, waiting);
    for (let i = 0; i < count; i++) this.#recorder.exclude(reason, true);
  }

  /** Stops watching after an exception, at no known place. */
  abandon(): void {
    const isCounted = this.#blind || this.#clock.transactionUs < 0;
    this.#server.broken = true;
    this.#blind = this.#asked = true;
    if (!isCounted) {
      this.#recorder.account.seen();
      this.#recorder.account.failed();
    }
    try {
      this.#recorder.forget();
    } catch {
      // What has thrown once may do so again; it was told of.
    }
  }

  /** The client has begun something that no ReadyForQuery has answered. */
  get #unanswered(): boolean {
    return this.#askedEnd > this.#settledEnd;
  }

  /**
   * The cycle under way is answered.
   *
   * @returns microseconds since it began.
   */
  #timeAnswer(digest: ReplyDigest, nowUs: number): number {
    const isUnderWay = this.#cycles.waiting > 0 || this.#unanswered;
    const elapsedUs = isUnderWay
      ? this.#clock.elapsedUs(this.#cycles, nowUs)
      : 0;
    digest.sentUs = this.#clock.sentUs;
    return elapsedUs;
  }

  #readyForQuery(status: number, nowUs: number): void {
    this.inTransaction = status !== IDLE;
    if (!this.#answering) {
      this.#answering = true;
      return;
    }
    const cycles = this.#cycles;
    if (!cycles.ready()) return this.#lose(status);
    this.#clock.ready(cycles, nowUs);
    this.#recorder.cycle(
      cycles.end,
      this.#clock,
      status === FAILED_TRANSACTION,
    );
    this.#settledEnd = Math.max(this.#settledEnd, cycles.settledEnd);
    if (status === IDLE) this.#endTransaction(nowUs);
    this.onReady(!this.busy);
  }

  #endTransaction(nowUs: number): void {
    this.#recorder.end(this.#clock, nowUs);
    this.#clock.next(this.#cycles, this.#unanswered);
  }

  /** Nobody knows any more which message an answer is for. */
  #lose(status: number): void {
    this.#loseCut();
    this.#readyWhileBlind(status, this.#cycles.waiting > 0);
  }

  /** What is under way is counted where it is answered. */
  #loseCut(): void {
    this.#clock.transactionUs = -1;
    this.#isLost = true;
    this.#giveUp();
  }

  /** The bytes can't be cut: they are relayed, and no longer looked at. */
  #giveUp(): void {
    const recorder = this.#recorder;
    if (this.#clock.transactionUs >= 0) {
      recorder.exclude(recorder.unsupported, true);
    }
    this.#blind = this.#asked = true;
    recorder.forget();
  }
}

function endsCycle(type: number): boolean {
  return type === QUERY || type === SYNC || type === FUNCTION_CALL;
}

/** Most bytes of a reply are in such messages. */
function isLong(type: number | undefined): boolean {
  return type === DATA_ROW || type === ROW_DESCRIPTION;
}

/** Messages that ask for no answer: the server ignores copy data outside of a copy. */
function isMeaningless(type: number): boolean {
  return type === COPY_DATA || type === COPY_DONE || type === COPY_FAIL ||
    type === TERMINATE;
}
