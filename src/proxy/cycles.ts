/**
 * The queries that wait for their ReadyForQuery, in order: a client may send
 * many before it reads one answer. A *cycle* ends at a Query, FunctionCall or
 * Sync message and is answered by exactly one ReadyForQuery, except that COPY
 * FROM STDIN moves its end: during copy-in the server swallows Sync and Flush
 * (manual, "COPY Operations"), and the data comes behind the Query.
 *
 * Positions are bytes of the client's stream.
 */
export class Cycles {
  /** Bound on unanswered cycles of one client; beyond it the tap gives up on the session. */
  static readonly MAX = 65_536;

  #ends: number[] = [];
  #timesUs: number[] = [];
  /** 1: ended by Sync. */
  #bySync: number[] = [];
  #head = 0;
  /**
   * Ends of CopyDone and CopyFail messages that came before the server asked
   * for data, each behind the end of the Query or Execute that it follows.
   */
  readonly #copyEnds: { readonly end: number; readonly command: number }[] = [];
  #copying = false;
  #answeredEnd = 0;
  /** End of the last Query or Execute; -1 once its copy data have ended. */
  #command = -1;

  /** Unanswered cycles. */
  get waiting(): number {
    return this.#ends.length - this.#head;
  }

  /** Position behind the oldest unanswered cycle. */
  get headEnd(): number {
    return this.#ends[this.#head] as number;
  }

  /** When its last byte was relayed, in microseconds. */
  get headTimeUs(): number {
    return this.#timesUs[this.#head] as number;
  }

  /** A Query or FunctionCall ended at `end`. */
  query(end: number, nowUs: number): void {
    this.#command = end;
    this.#push(end, nowUs, 0);
  }

  /** An Execute ended at `end`. */
  execute(end: number): void {
    this.#command = end;
  }

  /** A Sync ended at `end`; swallowed during copy-in. */
  sync(end: number, nowUs: number): void {
    if (!this.#copying) this.#push(end, nowUs, 1);
  }

  /** A CopyDone or CopyFail ended at `end`. One that ends no copy means nothing to the server: some drivers send them. */
  copyEnd(end: number): void {
    const command = this.#command;
    this.#command = -1;
    if (!this.#copying) {
      if (command > this.#answeredEnd) this.#copyEnds.push({ end, command });
      return;
    }
    this.#copying = false;
    if (this.waiting > 0 && this.#bySync[this.#head] === 0) {
      this.#ends[this.#head] = end;
    }
  }

  /** The server sent CopyInResponse for the oldest cycle. */
  copyIn(): void {
    const head = this.#head;
    const end = this.#copyEnds.shift()?.end;
    if (this.waiting > 0 && this.#bySync[head] === 0) {
      if (end === undefined) this.#copying = true;
      else this.#ends[head] = Math.max(end, this.#ends[head] as number);
      return;
    }
    // The Syncs before the end of the data are swallowed, those that are still
    // to come included; the first after it counts.
    while (
      this.waiting > 0 && (end === undefined || this.headEnd < end)
    ) this.#drop();
    if (end === undefined) this.#copying = true;
  }

  /** The server ended copy-in with an error; `end` is the last whole message. */
  copyFailed(end: number): void {
    if (!this.#copying) return;
    this.#copying = false;
    if (this.waiting > 0 && this.#bySync[this.#head] === 0) {
      this.#ends[this.#head] = end;
    }
  }

  /** The oldest cycle has its ReadyForQuery. */
  answered(): void {
    const end = this.headEnd;
    this.#answeredEnd = end;
    this.#drop();
    this.#copying = false;
    while ((this.#copyEnds[0]?.command ?? Infinity) <= end) {
      this.#copyEnds.shift();
    }
  }

  #push(end: number, timeUs: number, bySync: number): void {
    this.#ends.push(end);
    this.#timesUs.push(timeUs);
    this.#bySync.push(bySync);
  }

  #drop(): void {
    this.#head++;
    if (this.#head === this.#ends.length) {
      this.#ends.length = this.#timesUs.length = this.#bySync.length = 0;
      this.#head = 0;
    } else if (this.#head >= 1024 && this.#head * 2 > this.#ends.length) {
      // Amortised: a client that is always ahead must not grow the arrays.
      this.#ends = this.#ends.slice(this.#head);
      this.#timesUs = this.#timesUs.slice(this.#head);
      this.#bySync = this.#bySync.slice(this.#head);
      this.#head = 0;
    }
  }
}
