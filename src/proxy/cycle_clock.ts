/**
 * The times of a session's cycles, in whole microseconds. A cycle begins when
 * its last byte is relayed, or with its first if the server answers before it
 * is whole (Flush, or full buffers).
 */
export class CycleClock {
  /** Of the cycle answered last: its start, … */
  startUs = 0;
  /** … from there to its ReadyForQuery, … */
  latencyUs = 0;
  /** … how long of that its predecessors in a pipeline were not answered, as no statement on the mirror has to wait, … */
  queuedUs = 0;
  /** … and what the server alone took for it. */
  servedUs = 0;
  /** When the first bytes came of the cycle that the client has not ended. */
  openedUs = 0;
  #bytesUs = 0;
  /** Up to where the client's cycles are whole. */
  #wholeEnd = 0;
  /** When the cycle under way began, if it is answered before it is whole; else -1. */
  #earlyUs = -1;
  #readyUs = 0;

  /** The client's bytes from position `from` on have come. */
  bytes(from: number, nowUs: number): void {
    this.#bytesUs = nowUs;
    if (from === this.#wholeEnd) this.openedUs = nowUs;
  }

  /** A cycle ends at position `end`. */
  whole(end: number, nowUs: number): void {
    this.#wholeEnd = end;
    this.openedUs = nowUs;
  }

  /** The server answers a cycle that is not whole. */
  answeredEarly(): void {
    if (this.#earlyUs < 0) this.#earlyUs = this.openedUs;
  }

  /** Since the cycle under way began. @param wholeUs when it was whole. */
  elapsedUs(wholeUs: number, nowUs: number): number {
    return whole(nowUs - (this.#earlyUs < 0 ? wholeUs : this.#earlyUs));
  }

  /** How long after its cycle's start what the server answers now was sent: 0 unless it answers early. */
  get sentUs(): number {
    return this.#earlyUs < 0 ? 0 : whole(this.#bytesUs - this.#earlyUs);
  }

  /** ReadyForQuery, for a cycle that was whole at `wholeUs`. */
  ready(wholeUs: number, nowUs: number): void {
    this.startUs = this.#earlyUs < 0 ? wholeUs : this.#earlyUs;
    this.latencyUs = whole(nowUs - this.startUs);
    this.queuedUs = Math.min(
      this.latencyUs,
      whole(this.#readyUs - this.startUs),
    );
    this.servedUs = whole(nowUs - Math.max(wholeUs, this.#readyUs));
    this.#earlyUs = -1;
    this.#readyUs = nowUs;
  }
}

/**
 * A span as records hold it, never negative. V8 hands whole numbers on as they
 * are, and puts those with a fraction into an object each time.
 */
function whole(us: number): number {
  return Math.floor(Math.max(0, us));
}
