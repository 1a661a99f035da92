import {
  BIND,
  CLOSE,
  COPY_DATA,
  COPY_DONE,
  COPY_FAIL,
  DESCRIBE,
  EXECUTE,
  FUNCTION_CALL,
  PARSE,
  QUERY,
  SYNC,
} from "../wire/mod.ts";
import {
  COPY_DONE_ENTRY,
  COPY_FAIL_ENTRY,
  CycleEntries,
  QUERY_ENTRY,
  SYNC_ENTRY,
} from "./cycle_entries.ts";

/**
 * ```
 * normal    the server is at the oldest entry, or waits for one
 * copy      it reads copy data, whose end the client has not sent
 * copied    the client has, and the copy has no outcome yet
 * failed    the copy of a Query has failed
 * skipping  up to the next Sync
 * ```
 */
type State = "normal" | "copy" | "copied" | "failed" | "skipping";

/**
 * The queries that wait for their ReadyForQuery, in order: a client may send
 * many before it reads one answer. A *cycle* ends at a Query, FunctionCall or
 * Sync message and is answered by one ReadyForQuery. Three rules of the server
 * (tcop/postgres.c, commands/copyfromparse.c) move that end:
 *
 * - After an error in a message of the extended protocol it skips all that
 *   comes before the next Sync, a Query or FunctionCall included. Each extended
 *   message that succeeds is completed by one message of the server, so
 *   counting tells whose error it is.
 * - While it reads copy data it swallows Sync and Flush, up to CopyDone or
 *   CopyFail. In any other state it ignores copy data.
 * - A COPY that fails stops reading, and nobody says where.
 *
 * "S" is Sync, "Q" Query or FunctionCall, "X" any other message that is
 * completed, "end" CopyDone or CopyFail. What stays in a state has no arrow.
 *
 * ```
 * from the client  Q                S        X          end
 * normal           push             push     count      push, if a copy may be before it
 * copy             push → copied    swallow  → copied   → copied
 * copied           push             push     count      push
 * failed           push             push     count      push
 * skipping         push             push     count      push
 *
 * from the server  completed        CopyInResponse      error                      ReadyForQuery is of
 * normal           count            → copy, → copied    of X: → skipping           the oldest Q or S
 *                                   if its end is here
 * copy, copied     count → normal   –                   of X: → skipping           –
 *                                                       of Q: → failed
 * failed           –                –                   –                          the copy's Q → normal
 * skipping         –                –                   –                          the next S, what is before it is dropped → normal
 * ```
 *
 * CopyInResponse takes away the Syncs that the copy will swallow, also those
 * that came before it. If the copy fails, those are *doubtful*: the server may
 * have read them behind its failure. Their bytes are given to the copy's cycle,
 * and a ReadyForQuery that belongs to nothing else is theirs: it comes without
 * an answer before it, and every other cycle but a lone Sync has one. Where
 * that does not tell (a client that goes on without a Sync behind the copy, and
 * before it has seen the copy's answer) it is said, and the cut is lost.
 *
 * Positions are bytes of the client's stream.
 */
export class Cycles {
  /** Bound on unanswered entries of one client; beyond it the tap gives up on the session. */
  static readonly MAX = 65_536;

  /** Position behind the cycle that {@linkcode Cycles.ready} has found. */
  end = 0;
  /** Behind what need not be answered any more: doubtful Syncs may follow the cycle. */
  settledEnd = 0;
  /** When the cycle's last byte was relayed, in microseconds. */
  wholeUs = 0;
  readonly #entries = new CycleEntries();
  #state: State = "normal";
  /** Extended messages since the last entry that ends a cycle. */
  #extended = 0;
  /** Those of the oldest cycle that the server has completed, or more. */
  #completed = 0;
  /** Behind the last copy data. */
  #dataEnd = 0;
  /** The copy under way was begun by a Query, which is the oldest entry. */
  #byQuery = false;
  /** Behind what the last copy has read. */
  #copyEnd = 0;
  /** The copy under way ends with CopyFail. */
  #refused = false;
  #doubtful = 0;
  /** The last doubtful Sync: its end and time, and the extended messages before it, which the next entry counts. */
  #doubtfulEnd = 0;
  #doubtfulUs = 0;
  #carried = 0;

  /** Unanswered cycles. */
  get waiting(): number {
    return this.#entries.cycles;
  }

  /** The server has nothing to do for the client: no statement is under way, or half sent. */
  get isIdle(): boolean {
    return this.#entries.cycles === 0 && this.#extended === 0 &&
      this.#state === "normal";
  }

  /** There are more entries than may be. */
  get overflown(): boolean {
    return this.#entries.length > Cycles.MAX;
  }

  /** Position behind the oldest unanswered cycle. */
  get headEnd(): number {
    return this.#entries.end(this.#entries.firstCycle);
  }

  /** When its last byte was relayed, in microseconds. */
  get headTimeUs(): number {
    return this.#entries.timeUs(this.#entries.firstCycle);
  }

  /** The client ends the copy under way with CopyFail. */
  get copyRefused(): boolean {
    return this.#refused;
  }

  /** The client's message of this type ended at `end`. */
  client(type: number, end: number, nowUs: number): void {
    switch (type) {
      case PARSE:
      case BIND:
      case DESCRIBE:
      case CLOSE:
      case EXECUTE:
        this.#endCopyData();
        this.#extended++;
        break;
      case QUERY:
      case FUNCTION_CALL:
        this.#endCopyData();
        this.#entries.push(QUERY_ENTRY, end, nowUs, this.#extended);
        this.#extended = 0;
        break;
      case SYNC:
        if (this.#state === "copy") {
          return this.#swallow(end, nowUs, this.#extended);
        }
        this.#entries.push(SYNC_ENTRY, end, nowUs, this.#extended);
        this.#extended = 0;
        break;
      case COPY_DONE:
      case COPY_FAIL:
        this.#endOfCopy(type === COPY_FAIL, end, nowUs);
        break;
      case COPY_DATA:
        this.#dataEnd = end;
    }
  }

  #endOfCopy(refused: boolean, end: number, nowUs: number): void {
    if (this.#state === "copy") return this.#copied(end, refused);
    // Without a command before it, it ends nothing.
    if (this.#entries.length + this.#extended === 0) return;
    const kind = refused ? COPY_FAIL_ENTRY : COPY_DONE_ENTRY;
    this.#entries.push(kind, end, nowUs, this.#extended);
  }

  /** No copy data come any more: the copy has failed, or will end the session. */
  #endCopyData(): void {
    if (this.#state === "copy") this.#copied(this.#dataEnd, false);
  }

  #copied(end: number, refused: boolean): void {
    this.#state = "copied";
    this.#copyEnd = Math.max(this.#copyEnd, end);
    this.#refused = refused;
  }

  #swallow(end: number, timeUs: number, extended: number): void {
    this.#doubtful++;
    this.#doubtfulEnd = end;
    this.#doubtfulUs = timeUs;
    this.#carried = extended;
  }

  /** The server sent a message that COMPLETES one. */
  completed(): void {
    this.#completed++;
    this.#answers();
    this.#state = "normal";
  }

  /** The server has said something that is no ReadyForQuery: those of doubtful Syncs would have come before. */
  #answers(): void {
    this.#doubtful = this.#carried = 0;
    this.#refused = false;
  }

  /** The server sent CopyInResponse. */
  copyIn(): void {
    const entries = this.#entries;
    this.#answers();
    this.#state = "copy";
    const first = entries.firstCycle;
    this.#byQuery = first < entries.length &&
      entries.kind(first) === QUERY_ENTRY &&
      this.#completed >= entries.before(first);
    if (!this.#byQuery) return this.#takeCopy(this.#completed + 1);
    const end = entries.end(first);
    const timeUs = entries.timeUs(first);
    const before = entries.before(first);
    entries.drop(first + 1);
    this.#takeCopy(0);
    entries.unshift(QUERY_ENTRY, end, timeUs, before);
  }

  /**
   * Takes what the copy will read of the entries that are here.
   *
   * @param own the extended messages of its cycle up to its command.
   */
  #takeCopy(own: number): void {
    const entries = this.#entries;
    let since = own;
    while (this.#state === "copy" && entries.length > 0) {
      const kind = entries.kind(0);
      const before = entries.before(0);
      const isEnd = kind < QUERY_ENTRY;
      if (isEnd && before < since) entries.drop(1); // that of no copy
      else if (kind === QUERY_ENTRY || before !== since) this.#copied(0, false);
      else {
        const end = entries.end(0);
        if (isEnd) this.#copied(end, kind === COPY_FAIL_ENTRY);
        else this.#swallow(end, entries.timeUs(0), own);
        since = 0;
        entries.drop(1);
      }
    }
    if (this.#extended !== since && entries.length === 0) this.#endCopyData();
    this.#carry(this.#carried);
  }

  /** The server sent ErrorResponse. @param cancelled its SQLSTATE is 57014. */
  failed(cancelled: boolean): void {
    switch (this.#state) {
      case "normal":
        this.#answers();
        if (this.#atExtended()) this.#state = "skipping";
        return;
      case "copy":
      case "copied":
        this.#endCopyData();
        // It has read the CopyFail, and so all before it.
        if (this.#refused && cancelled) this.#doubtful = 0;
        this.#state = this.#byQuery ? "failed" : "skipping";
    }
  }

  /** What the server reads is a message of the extended protocol. */
  #atExtended(): boolean {
    const first = this.#entries.firstCycle;
    const isThere = first < this.#entries.length;
    return this.#completed <
      (isThere ? this.#entries.before(first) : this.#extended);
  }

  /**
   * A ReadyForQuery has come.
   *
   * @returns whether it is known what it answers: the cycle up to {@linkcode Cycles.end}.
   */
  ready(): boolean {
    const entries = this.#entries;
    const state = this.#state;
    if (state === "copy" || state === "copied") return false;
    const isSkipping = state === "skipping";
    const next = isSkipping ? entries.firstSync() : entries.firstCycle;
    const isThere = next < entries.length;
    this.#state = "normal";
    this.#refused = false;
    this.#completed = 0;
    if (this.#doubtful > 0) {
      if (!isThere) return this.#readyForDoubtful();
      if (isSkipping && this.#isOpen(next)) {
        entries.drop(next + 1);
        return false;
      }
      if (state === "normal" && !this.#isLoneSync(next)) {
        return this.#readyForDoubtful();
      }
    } else if (!isThere) return false;
    this.end = Math.max(entries.end(next), this.#copyEnd);
    this.settledEnd = Math.max(this.end, this.#doubtfulEnd);
    this.wholeUs = entries.timeUs(next);
    this.#carried = 0;
    entries.drop(next + 1);
    return true;
  }

  #readyForDoubtful(): boolean {
    this.#doubtful--;
    this.end = this.settledEnd = this.#doubtfulEnd;
    this.wholeUs = this.#doubtfulUs;
    this.#carry(-this.#carried);
    this.#carried = 0;
    return true;
  }

  /** Between a doubtful Sync and the one at `sync` is what the server has skipped, or has not. */
  #isOpen(sync: number): boolean {
    for (let i = 0; i < sync; i++) {
      if (this.#entries.kind(i) === QUERY_ENTRY) return true;
    }
    return this.#entries.before(sync) > this.#carried;
  }

  #isLoneSync(i: number): boolean {
    return this.#entries.kind(i) === SYNC_ENTRY &&
      this.#entries.before(i) === 0;
  }

  /** Adds to the extended messages before the next cycle's end. */
  #carry(count: number): void {
    if (count !== 0 && !this.#entries.carry(count)) this.#extended += count;
  }
}
