/**
 * The queries that wait for their ReadyForQuery, in order: a client may send
 * many before it reads one answer. A *cycle* ends at a Query, FunctionCall or
 * Sync message and is answered by exactly one ReadyForQuery, except that COPY
 * FROM STDIN moves its end: during copy-in the server swallows Sync and Flush
 * (manual, "COPY Operations"), and the data comes behind the Query. A COPY that
 * fails before it reads any data swallows none of them, and only the number of
 * ReadyForQuery tells (a view, a trigger of the statement).
 *
 * After an error in a message of the extended protocol the server skips all
 * that comes before the next Sync, a Query or FunctionCall included (manual,
 * "Extended Query"): those end no cycle. Whether an error in front of a Query
 * is the Query's own is told by counting: each extended message is completed
 * by exactly one message of the server.
 *
 * Positions are bytes of the client's stream.
 */
export class Cycles {
  /** Bound on unanswered cycles of one client; beyond it the tap gives up on the session. */
  static readonly MAX = 65_536;

  /**
   * A circle of entries of three words: where the cycle ends, when its last
   * byte was relayed, and {@linkcode BY_SYNC}, {@linkcode BY_LONE_SYNC} or how
   * many extended messages came before its Query or FunctionCall. Arrays that grow and shrink would
   * be made anew for every transaction.
   */
  #entries = new Float64Array(ENTRY_WORDS * FIRST_ENTRIES);
  /** Index of the oldest entry's first word. */
  #head = 0;
  #waiting = 0;
  /**
   * Ends of CopyDone and CopyFail messages that came before the server asked
   * for data, each behind the end of the Query or Execute that it follows.
   */
  readonly #copyEnds: {
    readonly end: number;
    readonly command: number;
    readonly refused: boolean;
  }[] = [];
  #copying = false;
  #refused = false;
  #answeredEnd = 0;
  /** End of the last Query or Execute. */
  #command = -1;
  /** Messages of the extended protocol since the last cycle ended. */
  #extended = 0;
  /** Those of the oldest cycle that the server has completed, or more. */
  #completed = 0;
  /** The server skips everything up to the next Sync. */
  #skipping = false;
  /** Syncs, as end and time, taken for swallowed by the copy-in under way, or by the one that has failed last. */
  #swallowed: { readonly end: number; readonly timeUs: number }[] = [];
  #copyFailed = false;
  /** The cycle whose copy-in has failed is answered. */
  #answeredFailed = false;

  /** Unanswered cycles. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Position behind the oldest unanswered cycle. */
  get headEnd(): number {
    return this.#entries[this.#head] as number;
  }

  /** When its last byte was relayed, in microseconds. */
  get headTimeUs(): number {
    return this.#entries[this.#head + 1] as number;
  }

  /** The oldest unanswered cycle, if there is one, was ended by a Query or FunctionCall. */
  get #headByQuery(): boolean {
    return this.#waiting > 0 && this.#before >= 0;
  }

  /** Extended messages in front of the oldest cycle's Query or FunctionCall. */
  get #before(): number {
    return this.#entries[this.#head + 2] as number;
  }

  /** The client has ended the copy-in of the oldest cycle with CopyFail. */
  get copyRefused(): boolean {
    return this.#refused;
  }

  /** A Query or FunctionCall ended at `end`. */
  query(end: number, nowUs: number): void {
    if (this.#skipping) return;
    this.#command = end;
    this.#push(end, nowUs, this.#extended);
  }

  /** A Parse, Bind, Describe or Close ended. */
  extended(): void {
    this.#extended++;
  }

  /** An Execute ended at `end`. */
  execute(end: number): void {
    this.#extended++;
    this.#command = end;
  }

  /** A Sync ended at `end`; swallowed during copy-in. */
  sync(end: number, nowUs: number): void {
    if (this.#copying) {
      if (!this.#headByQuery) this.#swallow(end, nowUs);
      return;
    }
    this.#skipping = false;
    this.#push(end, nowUs, this.#extended > 0 ? BY_SYNC : BY_LONE_SYNC);
  }

  /** The server sent a message that {@linkcode COMPLETES} one. */
  completed(): void {
    this.#completed++;
    if (this.#swallowed.length > 0) this.#forgetSwallowed();
  }

  #swallow(end: number, timeUs: number): void {
    if (this.#swallowed.length < MAX_SWALLOWED) {
      this.#swallowed.push({ end, timeUs });
    }
  }

  #forgetSwallowed(): void {
    this.#swallowed = [];
    this.#copyFailed = this.#answeredFailed = false;
  }

  /**
   * A CopyDone, or with `refused` a CopyFail, ended at `end`. One that ends no
   * copy means nothing to the server: some drivers send them.
   */
  copyEnd(end: number, refused: boolean): void {
    if (!this.#copying) {
      const command = this.#command;
      const room = this.#copyEnds.length < Cycles.MAX;
      if (room && command > this.#answeredEnd) {
        this.#copyEnds.push({ end, command, refused });
      }
      return;
    }
    this.#copying = false;
    this.#refused = refused;
    if (this.#headByQuery) this.#entries[this.#head] = end;
  }

  /** The server sent CopyInResponse for the oldest cycle. */
  copyIn(): void {
    this.#forgetSwallowed();
    const ended = this.#copyEnds.shift();
    const end = ended?.end;
    this.#refused = ended?.refused === true;
    if (this.#headByQuery) {
      if (end === undefined) this.#copying = true;
      else this.#entries[this.#head] = Math.max(end, this.headEnd);
      return;
    }
    // The Syncs before the end of the data are swallowed, those that are still
    // to come included; the first after it counts.
    while (
      this.waiting > 0 && (end === undefined || this.headEnd < end)
    ) {
      this.#swallow(this.headEnd, this.headTimeUs);
      this.#drop();
    }
    if (end === undefined) this.#copying = true;
  }

  /** The server sent ErrorResponse, which ends copy-in; `end` is the last whole message. */
  failed(end: number): void {
    if (this.#answeredFailed) this.#forgetSwallowed();
    this.#copyFailed = this.#swallowed.length > 0;
    if (this.#copying) {
      this.#copying = false;
      if (this.#headByQuery) this.#entries[this.#head] = end;
    }
    if (this.waiting === 0) {
      // All that the server has read since the last answer is extended.
      this.#skipping = this.#extended > 0;
    } else if (this.#completed < this.#before) {
      while (this.#headByQuery) this.#drop();
      this.#skipping = this.waiting === 0;
    }
  }

  /**
   * A ReadyForQuery has come: whose is it?
   *
   * @returns `"cycle"` the oldest cycle's: call {@linkcode Cycles.answered};
   *   `"swallowed"` that of a Sync which stands within a cycle that is answered
   *   already; `"nobody"` none was asked for.
   */
  ready(): "cycle" | "swallowed" | "nobody" {
    if (this.#copyFailed && this.#swallowed.length > 0) {
      if (this.#answeredFailed) {
        // Every other cycle gets a message before its ReadyForQuery.
        if (this.waiting === 0 || this.#before !== BY_LONE_SYNC) {
          this.#swallowed.shift();
          return "swallowed";
        }
      } else if (this.waiting === 0) {
        const extended = this.#extended;
        for (const { end, timeUs } of this.#swallowed) {
          this.#push(end, timeUs, BY_SYNC);
        }
        this.#extended = extended; // those came later
        this.#forgetSwallowed();
      }
    }
    return this.waiting > 0 ? "cycle" : "nobody";
  }

  /** The oldest cycle has its ReadyForQuery. */
  answered(): void {
    this.#answeredFailed = this.#copyFailed;
    const end = this.headEnd;
    this.#answeredEnd = end;
    this.#drop();
    this.#copying = this.#refused = false;
    this.#completed = 0;
    while ((this.#copyEnds[0]?.command ?? Infinity) <= end) {
      this.#copyEnds.shift();
    }
  }

  #push(end: number, timeUs: number, before: number): void {
    const size = this.#entries.length;
    if (this.#waiting * ENTRY_WORDS === size) this.#resize(2 * size);
    const entries = this.#entries;
    const at = (this.#head + this.#waiting * ENTRY_WORDS) % entries.length;
    entries[at] = end;
    entries[at + 1] = timeUs;
    entries[at + 2] = before;
    this.#waiting++;
    this.#extended = 0;
  }

  #drop(): void {
    this.#waiting--;
    this.#head = (this.#head + ENTRY_WORDS) % this.#entries.length;
    if (this.#waiting > 0) return;
    const first = ENTRY_WORDS * FIRST_ENTRIES;
    if (this.#entries.length > first) this.#resize(first);
  }

  #resize(size: number): void {
    const old = this.#entries;
    const used = this.#waiting * ENTRY_WORDS;
    this.#entries = new Float64Array(size);
    for (let i = 0; i < used; i++) {
      this.#entries[i] = old[(this.#head + i) % old.length] as number;
    }
    this.#head = 0;
  }
}

const ENTRY_WORDS = 3;
/** A driver sends one Sync before it knows of copy-in, or two; of more not all are remembered. */
const MAX_SWALLOWED = 16;
/** Room at rest: what most clients ever have under way. */
const FIRST_ENTRIES = 8;
/** In the place of a count: the cycle is ended by Sync. */
const BY_SYNC = -1;
/** … and has nothing else that is answered. */
const BY_LONE_SYNC = -2;
