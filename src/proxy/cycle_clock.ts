import type { Cycles } from "./cycles.ts";

/**
 * The times of a session's cycles, in microseconds. A cycle begins when its
 * last byte is relayed, or with its first if the server answers before it is
 * whole (Flush, or full buffers). Moments are read from here, and not handed
 * on: V8 puts each such number into an object of its own.
 */
export class CycleClock {
  /** When the transaction under way began; -1: none is. */
  transactionUs = -1;
  /** Of the cycle answered last: its start after the transaction's, … */
  offsetUs = 0;
  /** … from there to its ReadyForQuery, … */
  latencyUs = 0;
  /** … how long of that its predecessors in a pipeline were not answered, as no statement on the mirror has to wait, … */
  queuedUs = 0;
  /** … and what the server alone took for it. */
  servedUs = 0;
  /** When the first bytes came of the cycle that the client has not ended. */
  #openedUs = 0;
  #bytesUs = 0;
  /** Up to where the client's cycles are whole. */
  #wholeEnd = 0;
  /** When the cycle under way began, if it is answered before it is whole; else -1. */
  #earlyUs = -1;
  #readyUs = 0;

  /** The client's bytes from position `from` on have come. */
  bytes(from: number, nowUs: number): void {
    this.#bytesUs = nowUs;
    if (from === this.#wholeEnd) this.#openedUs = nowUs;
  }

  /** A cycle ends at position `end`. */
  whole(end: number, nowUs: number): void {
    this.#wholeEnd = end;
    this.#openedUs = nowUs;
  }

  /** Since the cycle under way began; the server has answered some of it. */
  elapsedUs(cycles: Cycles, nowUs: number): number {
    if (this.#earlyUs >= 0) return whole(nowUs - this.#earlyUs);
    if (cycles.waiting > 0) return whole(nowUs - cycles.headTimeUs);
    this.#earlyUs = this.#openedUs;
    return whole(nowUs - this.#earlyUs);
  }

  /** How long after its cycle's start what the server answers now was sent: 0 unless it answers early. */
  get sentUs(): number {
    return this.#earlyUs < 0 ? 0 : whole(this.#bytesUs - this.#earlyUs);
  }

  /** ReadyForQuery, for the cycle that `cycles` has found. */
  ready({ wholeUs }: Cycles, nowUs: number): void {
    const startUs = this.#earlyUs < 0 ? wholeUs : this.#earlyUs;
    // A doubtful Sync stands before the end of the last transaction.
    if (this.transactionUs < 0) this.transactionUs = startUs;
    this.offsetUs = whole(startUs - this.transactionUs);
    this.latencyUs = whole(nowUs - startUs);
    this.queuedUs = Math.min(this.latencyUs, whole(this.#readyUs - startUs));
    this.servedUs = whole(nowUs - Math.max(wholeUs, this.#readyUs));
    this.#earlyUs = -1;
    this.#readyUs = nowUs;
  }

  /** The transaction has ended. The next one began when the client sent it, perhaps long ago. */
  next(cycles: Cycles, isOpen: boolean): void {
    if (cycles.waiting > 0) this.transactionUs = cycles.headTimeUs;
    else if (isOpen) this.transactionUs = this.#openedUs;
  }
}

/**
 * A span as records hold it, never negative. V8 hands whole numbers on as they
 * are, and puts those with a fraction into an object each time.
 */
function whole(us: number): number {
  return Math.floor(Math.max(0, us));
}
