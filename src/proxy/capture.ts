import {
  BOUNDS,
  COMPARE_MODES,
  type CompareMode,
  copyBytes,
  CYCLE_BYTES,
  CYCLE_CANCELLED,
  CYCLE_LATENCY,
  CYCLE_QUEUED,
  CYCLE_STATEMENTS,
  CYCLE_WORDS,
  FLAG_DISCARD,
  FLAG_END,
  FLAG_RESET,
  FLAG_STATE_LOST,
  FRAGMENT_WORDS,
  MAX_WORD,
  OPEN_WORDS,
  RECORD_CLOSE,
  RECORD_FRAGMENT,
  RECORD_OPEN,
  RECORD_VERSION,
  RecordList,
  ReplyDigest,
  type RingProducer,
  setCycleStart,
  STATEMENT_WORDS,
  viewed,
  type ViewedBytes,
  WAITING_CYCLE_BYTES,
} from "../record/mod.ts";
import { StateWatch } from "../sql/mod.ts";
import { Framer } from "../wire/mod.ts";
import type { BufferPool } from "./buffer_pool.ts";

const { recordCycles: MAX_CYCLES, fragmentBytes: MAX_FRAGMENT_BYTES } = BOUNDS;

const CYCLE_BYTES_TAKEN = 4 * CYCLE_WORDS + WAITING_CYCLE_BYTES;

const encoder = new TextEncoder();

/** What the mirror worker does with a session's transactions. */
export interface CapturePlan {
  /** Numbers of the mirrors. */
  readonly targets: readonly number[];
  readonly mode: CompareMode;
  /** Rows of a reply that are kept, in bytes. */
  readonly compareBytes: number;
}

/**
 * The bounded copy of what a client sent and the digest of what the primary
 * answered, until both are in the ring. Positions are bytes of the session's
 * stream since its first message:
 *
 * ```
 * sent <= appended; the bytes [sent, appended) lie in #buffer[#start, #end)
 * cycles and statements that are not in the ring fit into one record
 * ```
 *
 * {@linkcode Capture.check} holds that. Between two transactions next to
 * nothing is held: {@linkcode Capture.heldBytes}.
 */
export class Capture {
  /** Position behind the last byte seen. */
  appended = 0;
  /** The primary connection's shortest round trip, in microseconds: what no statement can be faster than. */
  roundTripUs = 0;
  /** Position behind the last byte that is in the ring. */
  sent = 0;
  /** The session's number, unique in the process. */
  readonly stream: number;
  readonly digest: ReplyDigest;
  /** Where the message at `sent` stands, if it went in pieces: a piece may end anywhere. */
  readonly #sentFramer = new Framer();
  readonly #ring: RingProducer;
  readonly #pool: BufferPool;
  readonly #parameters: string;
  #plan: CapturePlan;
  /** The plan in force is in the ring. */
  #announced = false;
  /** The stream has been announced before. */
  #known = false;
  #buffer: ViewedBytes | undefined;
  #start = 0;
  #end = 0;
  readonly #cycles = new RecordList(CYCLE_WORDS);
  #cycleCount = 0;
  #cycleFlags = 0;
  #statementsGone = 0;
  /** What the transaction's cycles and statements that are in the ring take. */
  #digestBytesGone = 0;
  /** Flags for the next record: what the ring refused before it. */
  #owed = 0;

  /**
   * @param parameters its startup parameters, `name\0value\0…`.
   */
  constructor(
    ring: RingProducer,
    pool: BufferPool,
    stream: number,
    parameters: string,
    plan: CapturePlan,
  ) {
    this.digest = new ReplyDigest(plan.compareBytes);
    this.#ring = ring;
    this.#pool = pool;
    this.stream = stream;
    this.#parameters = parameters;
    this.#plan = plan;
  }

  /** Another plan for the transactions to come; between two of them. */
  change(plan: CapturePlan): void {
    this.#plan = plan;
    this.digest.maxBytes = plan.compareBytes;
    this.#announced = false;
  }

  /** Announces the stream, or its new plan, before the next record. False if the ring is full. */
  #announce(): boolean {
    const text = encoder.encode(this.#parameters);
    const { targets, mode, compareBytes } = this.#plan;
    const head = 4 * (OPEN_WORDS + targets.length);
    const at = this.#ring.reserve(head + text.length);
    if (at < 0) return false;
    const words = this.#ring.words;
    const word = at >> 2;
    words[word] = RECORD_OPEN;
    words[word + 1] = this.stream;
    words[word + 2] = targets.length;
    words[word + 3] = text.length;
    words[word + 4] = COMPARE_MODES.indexOf(mode);
    words[word + 5] = compareBytes;
    for (let i = 0; i < targets.length; i++) {
      words[word + OPEN_WORDS + i] = targets[i] as number;
    }
    this.#ring.bytes.set(text, at + head);
    this.#ring.commit();
    this.#announced = this.#known = true;
    return true;
  }

  /** Tells that the session is over. False if the ring is full: it must be told later. */
  close(): boolean {
    this.#rest();
    return !this.#known || writeClose(this.#ring, this.stream);
  }

  /** Memory that the session takes beyond what every session does. */
  get heldBytes(): number {
    return (this.#buffer?.bytes.length ?? 0) + this.#cycles.heldBytes +
      this.digest.heldBytes;
  }

  /** What the digests and answers of the transaction under way take, here and in the mirror worker, in bytes. */
  get digestBytes(): number {
    const { statements, answerLength } = this.digest;
    return this.#digestBytesGone + CYCLE_BYTES_TAKEN * this.#cycleCount +
      4 * STATEMENT_WORDS * statements + answerLength;
  }

  /** The rule above the class. @throws {Error} where it does not hold. */
  check(): void {
    const unsent = this.appended - this.sent;
    const holds = unsent >= 0 && unsent === this.#end - this.#start &&
      this.#start >= 0 && this.#end <= (this.#buffer?.bytes.length ?? 0) &&
      this.#cycleCount < MAX_CYCLES && !this.digest.full;
    if (holds) return;
    throw new Error(
      `Capture: ${unsent} bytes are not sent, [${this.#start}, ${this.#end}) of ${this.#buffer?.bytes.length}; ${this.#cycleCount} cycles, ${this.digest.statements} statements`,
    );
  }

  /** Copies `chunk[0, length)`. False if there was no room: call {@linkcode Capture.forget}. */
  append(chunk: Uint8Array, length: number): boolean {
    if (!this.#makeRoom(length)) return false;
    const buffer = this.#buffer as ViewedBytes; // #makeRoom has set it
    copyBytes(viewed(chunk), 0, length, buffer, this.#end);
    this.#end += length;
    this.appended += length;
    return true;
  }

  /** Counts bytes that are not kept. */
  skip(length: number): void {
    this.appended += length;
    this.sent = this.appended;
  }

  /** Marks the next cycle as one that the mirror leaves out. */
  leaveOutNextCycle(): void {
    this.#cycleFlags = CYCLE_CANCELLED;
  }

  /** The transaction that ends next can't be replayed, and what it did is missed. */
  loseState(): void {
    this.#owed |= FLAG_STATE_LOST;
  }

  /**
   * Adds a cycle, times in microseconds.
   *
   * @param startUs after the transaction's begin.
   * @param latencyUs from its start to ReadyForQuery.
   * @param queuedUs how long of that its predecessors were not answered yet.
   * @returns false if the ring was full when room was needed.
   */
  addCycle(
    bytes: number,
    startUs: number,
    latencyUs: number,
    queuedUs: number,
    statements: number,
  ): boolean {
    const at = this.#cycleCount * CYCLE_WORDS;
    if (at === this.#cycles.words.length) this.#cycles.grow();
    const cycles = this.#cycles.words;
    cycles[at + CYCLE_BYTES] = bytes;
    setCycleStart(cycles, at, startUs);
    cycles[at + CYCLE_LATENCY] = Math.min(latencyUs, MAX_WORD);
    cycles[at + CYCLE_STATEMENTS] = statements | this.#cycleFlags;
    cycles[at + CYCLE_QUEUED] = Math.min(queuedUs, MAX_WORD);
    this.#cycleFlags = 0;
    this.#cycleCount++;
    return this.#cycleCount < MAX_CYCLES && !this.digest.full ||
      this.relieve();
  }

  /** Sends what there is of the transaction, so that a long one stays small here. False if the ring is full. */
  relieve(): boolean {
    return this.#push(0, this.appended, 0, 0);
  }

  /** Statements digested since the session began. */
  get statements(): number {
    return this.#statementsGone + this.digest.statements;
  }

  /** Closes the transaction whose last byte is at `end`. False if the ring is full. */
  finish(
    end: number,
    startUs: number,
    endUs: number,
    discard: boolean,
  ): boolean {
    return this.#push(
      FLAG_END | (discard ? FLAG_DISCARD : 0),
      end,
      startUs,
      endUs,
    );
  }

  /**
   * Forgets everything that is not in the ring, and says so there: at once, or
   * with the next record that it takes. What comes next must begin a message.
   */
  forget(stateLost: boolean): void {
    this.#owed |= FLAG_RESET | (stateLost ? FLAG_STATE_LOST : 0);
    this.sent = this.appended;
    this.#sentFramer.reset();
    this.#statementsGone += this.digest.statements;
    this.digest.clear();
    this.#rest();
    if (this.#announced) this.#pushPiece(0, 0, 0, 0);
  }

  /** Looks for session state in the bytes that are not in the ring; what follows them can be given to it. */
  watchUnsent(): StateWatch {
    const watch = new StateWatch(this.#sentFramer);
    const unsent = this.#buffer?.bytes.subarray(this.#start, this.#end);
    if (unsent !== undefined) watch.take(unsent, unsent.length);
    return watch;
  }

  /** Sends what there is up to position `upTo`, in pieces that the ring can take. */
  #push(flags: number, upTo: number, startUs: number, endUs: number): boolean {
    if (!this.#announced && !this.#announce()) return false;
    while (upTo - this.sent > MAX_FRAGMENT_BYTES) {
      if (!this.#pushPiece(0, MAX_FRAGMENT_BYTES, 0, 0)) return false;
    }
    const rest = Math.max(0, upTo - this.sent);
    return this.#pushPiece(flags, rest, startUs, endUs);
  }

  #pushPiece(
    flags: number,
    count: number,
    startUs: number,
    endUs: number,
  ): boolean {
    const statementWords = this.digest.statements * STATEMENT_WORDS;
    const cycleWords = this.#cycleCount * CYCLE_WORDS;
    const head = 4 * (FRAGMENT_WORDS + cycleWords + statementWords);
    const { answerLength } = this.digest;
    const at = this.#ring.reserve(head + answerLength + count);
    if (at < 0) return false;
    const { words, view } = this.#ring;
    let word = at >> 2;
    words[word] = RECORD_FRAGMENT | flags | this.#owed;
    words[word + 1] = this.stream;
    words[word + 2] = this.#cycleCount;
    words[word + 3] = this.digest.statements;
    words[word + 4] = count;
    words[word + 5] = this.roundTripUs;
    view.setFloat64(at + 4 * 6, startUs, true);
    view.setFloat64(at + 4 * 8, endUs, true);
    words[word + 10] = answerLength;
    words[word + 11] = RECORD_VERSION;
    word += FRAGMENT_WORDS;
    const cycles = this.#cycles.words;
    for (let i = 0; i < cycleWords; i++) {
      words[word++] = cycles[i] as number;
    }
    const digest = this.digest.words;
    for (let i = 0; i < statementWords; i++) {
      words[word++] = digest[i] as number;
    }
    const to = at + head;
    this.digest.copyAnswer(this.#ring, to);
    if (count > 0) {
      const buffer = this.#buffer as ViewedBytes; // count > 0: bytes are in it
      copyBytes(buffer, this.#start, count, this.#ring, to + answerLength);
    }
    const ended = (flags & FLAG_END) !== 0;
    // These bytes end with the transaction, and so with a message. Without any, more than it may have gone before.
    if (count > 0 && ended) this.#sentFramer.reset();
    else if (count > 0) this.#follow(this.#start, this.#start + count);
    this.sent += count;
    this.#start += count;
    this.#digestBytesGone = ended ? 0 : this.digestBytes;
    this.#cycleCount = 0;
    this.#statementsGone += this.digest.statements;
    this.digest.drain();
    if (this.#start === this.#end) {
      if (ended) this.#rest();
      else this.#release();
    }
    // Last: what throws before leaves no record, and counts the transaction.
    this.#ring.commit();
    this.#owed = 0;
    return true;
  }

  #follow(from: number, to: number): void {
    const { bytes } = this.#buffer as ViewedBytes; // they are in it
    for (let at = from; at < to;) at = this.#sentFramer.step(bytes, at, to);
  }

  #makeRoom(length: number): boolean {
    if (this.#buffer === undefined) this.#buffer = this.#pool.take(length);
    const { bytes } = this.#buffer;
    if (this.#end + length <= bytes.length) return true;
    if (this.#start > 0) {
      bytes.copyWithin(0, this.#start, this.#end);
      this.#end -= this.#start;
      this.#start = 0;
      if (this.#end + length <= bytes.length) return true;
    }
    const needed = this.#end + length;
    if (needed > this.#pool.largestBytes) {
      if (!this.#push(0, this.appended, 0, 0)) return false;
      this.#buffer = this.#pool.take(length);
      return true;
    }
    const larger = this.#pool.take(needed);
    copyBytes(this.#buffer, 0, this.#end, larger, 0);
    this.#pool.give(this.#buffer);
    this.#buffer = larger;
    return true;
  }

  /** No transaction is under way here: what it has taken goes back. */
  #rest(): void {
    this.digest.rest();
    this.#cycles.rest();
    this.#cycleCount = this.#digestBytesGone = 0;
    this.#release();
  }

  #release(): void {
    this.#start = this.#end = 0;
    if (this.#buffer === undefined) return;
    this.#pool.give(this.#buffer);
    this.#buffer = undefined;
  }
}

/** Tells that a stream is over. False if the ring is full. */
export function writeClose(ring: RingProducer, stream: number): boolean {
  const at = ring.reserve(8);
  if (at < 0) return false;
  ring.words[at >> 2] = RECORD_CLOSE;
  ring.words[(at >> 2) + 1] = stream;
  ring.commit();
  return true;
}
