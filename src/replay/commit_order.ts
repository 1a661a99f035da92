/**
 * Keeps the primary's order among writers (`mirror_order = "commit"`), as far
 * as it can be seen from outside.
 *
 * What is seen of a transaction's commit is an interval: not before the cycle
 * that carries it was sent (`earliestUs`), not after its ReadyForQuery
 * (`endUs`). A writing statement that waited for a
 * lock completes after the holder's commit, but its reply may overtake the
 * holder's ReadyForQuery: locks are released first. So
 *
 * - a writing statement waits for the writers that may have committed before it
 *   completed: `earliestUs` below its completion;
 * - a reading statement waits for those that had completed before it was sent;
 * - and both only for writers with a smaller `key`, so that waits can't form a
 *   circle: for a transaction of several cycles the moment when the last one was
 *   sent and the one before it answered (all it wrote was complete by then),
 *   `endUs` for one of a single cycle. A session's keys never fall: each of its
 *   transactions waits for those before it, too.
 *
 * Where a server or a proxy worker got no processor for a while, a record comes
 * in after its place was given away. It may then need a row lock on the mirror
 * that a transaction behind it holds, which waits here for it, or for somebody
 * who does: nobody goes on. Such a standstill is told by time, and ends with
 * the holder of the lock going ahead ({@linkcode CommitOrder.isStalled}).
 *
 * A lane may be busy with something else for much longer than anybody waits: a
 * query of an hour, in front of a writer in its session. Waited for in vain once
 * ({@linkcode CommitOrder.giveUp}), it is not waited for until it goes on.
 *
 * Of writers it remembers for a while what they wrote and when, on both sides:
 * rows that differ while such a one overlapped are told apart from rows that
 * differ for good.
 *
 * @module
 */

import type { Writes } from "../judge/mod.ts";

/** Replays one writer after the other, as far as the order knows it. */
export interface OrderedLane {
  /** Somebody waits for one of its writers: called once for each. */
  onWanted(): void;
}

/** A transaction that wrote. Times are microseconds of the monotonic clock. */
export interface OrderedWriter {
  readonly startUs: number;
  /** Its commit was not earlier. */
  readonly earliestUs: number;
  /** Its commit was not later. */
  readonly endUs: number;
  readonly key: number;
  readonly writes: Writes;
  /** When its first bytes went to the mirror; Infinity before. */
  mirrorStartUs: number;
  done: boolean;
  /** Somebody waits for it: it should not keep its client's pauses. */
  wanted: boolean;
  /** Somebody who should have come behind it went ahead of it. */
  overtaken: boolean;
  /** Who replays it; whoever is done lets go of its lane. */
  lane: OrderedLane | undefined;
}

/** What is known of a writer when it comes in. */
export type WriterPlace = Pick<
  OrderedWriter,
  "startUs" | "earliestUs" | "endUs" | "key" | "writes"
>;

/** What a cycle has to wait for. */
export interface Turn {
  /** Writers whose commit may have been before this moment (a writing cycle's completion) … */
  readonly committedBeforeUs: number;
  /** … and those that had completed before this one (the moment it was sent). */
  readonly completedBeforeUs: number;
  /** Of them those with a smaller key: its own transaction's, Infinity for one that wrote nothing. */
  readonly key: number;
}

/** Writers remembered, done or not: older ones are taken for done. */
const MAX_RECENT = 16_384;
/**
 * A writer that holds locks on the mirror and waits here while nobody who
 * writes is answered goes on after so long. What takes that long by itself (a
 * checkpoint) does no harm: who is overtaken then has its locks already.
 */
const PATIENCE_US = 200_000;

interface Waiting {
  readonly lane: OrderedLane;
  readonly turn: Turn;
  readonly go: () => void;
}

/** One mirror's order. */
export class CommitOrder {
  /** By key, ascending; done ones are removed from the front. */
  #open: OrderedWriter[] = [];
  /** As they came in, which is nearly by `endUs`; those before `#firstRecent` are forgotten. */
  #recent: OrderedWriter[] = [];
  #firstRecent = 0;
  #waiting: Waiting[] = [];
  /** When a writer was last answered, and until when those that are sent may take. */
  #answeredUs = 0;
  readonly #expected = new Map<OrderedWriter, number>();
  /** The latest of those; NaN: to be looked for. */
  #expectedUs = 0;
  /** Lanes that were waited for in vain, and when the last one was. */
  readonly #givenUp = new Set<OrderedLane>();
  #givenUpUs = 0;

  /** A writing transaction has come in, which `lane` will replay. */
  begin(place: WriterPlace, lane: OrderedLane): OrderedWriter {
    const added: OrderedWriter = {
      ...place,
      mirrorStartUs: Infinity,
      done: false,
      wanted: false,
      overtaken: false,
      lane,
    };
    // Records come in nearly in order.
    let at = this.#open.length;
    while (at > 0 && (this.#open[at - 1] as OrderedWriter).key > added.key) {
      at--;
    }
    this.#open.splice(at, 0, added);
    this.#recent.push(added);
    if (this.#recent.length - this.#firstRecent > MAX_RECENT) {
      if (++this.#firstRecent === MAX_RECENT) {
        this.#recent = this.#recent.slice(MAX_RECENT);
        this.#firstRecent = 0;
      }
    }
    return added;
  }

  /** It is completed on the mirror, or will never be. */
  end(writer: OrderedWriter): void {
    if (writer.done) return;
    this.#goesOn(writer);
    writer.done = true;
    writer.lane = undefined;
    let first = 0;
    while (this.#open[first]?.done) first++;
    if (first > 0) this.#open = this.#open.slice(first);
    this.#wake();
  }

  /** Whether nothing has to be waited for. */
  isTurn(turn: Turn): boolean {
    return this.#firstBlocker(turn) === undefined;
  }

  /** Calls `go` as soon as it is the turn of `lane`. @returns a function that takes it back. */
  wait(lane: OrderedLane, turn: Turn, go: () => void): () => void {
    const entry: Waiting = { lane, turn, go };
    this.#waiting.push(entry);
    this.#want(turn);
    return () => {
      this.#waiting = this.#waiting.filter((waiting) => waiting !== entry);
    };
  }

  /** A writer's cycle was sent; the primary took `primaryLatencyUs` for it. */
  sent(writer: OrderedWriter, nowUs: number, primaryLatencyUs: number): void {
    this.#goesOn(writer);
    const expectedUs = nowUs + 2 * primaryLatencyUs;
    this.#expected.set(writer, expectedUs);
    this.#expectedUs = Math.max(this.#expectedUs, expectedUs); // NaN stays NaN
  }

  /** A writer's cycle was answered. */
  answered(writer: OrderedWriter, nowUs: number): void {
    this.#expectNoMore(writer);
    this.#answeredUs = nowUs;
  }

  /** Microseconds for which somebody who waits since `sinceUs` has waited longer than for what the primary took, too. */
  overdueUs(nowUs: number, sinceUs: number): number {
    if (Number.isNaN(this.#expectedUs)) {
      this.#expectedUs = 0;
      for (const expectedUs of this.#expected.values()) {
        this.#expectedUs = Math.max(this.#expectedUs, expectedUs);
      }
    }
    return nowUs - Math.max(sinceUs, this.#givenUpUs, this.#expectedUs);
  }

  /** Whether nobody who writes goes on, so that one who waits since `sinceUs` and holds locks must. */
  isStalled(nowUs: number, sinceUs: number): boolean {
    return this.overdueUs(nowUs, Math.max(sinceUs, this.#answeredUs)) >
      PATIENCE_US;
  }

  /**
   * Who waits for this turn has waited for too long. Lanes that it waits for, and
   * that wait for nobody here themselves, are not waited for until they go on;
   * those whose turn it is by that go.
   *
   * @returns whether there are such lanes.
   */
  giveUp(turn: Turn, nowUs: number): boolean {
    const waiting = new Set(this.#waiting.map(({ lane }) => lane));
    const before = this.#givenUp.size;
    for (const { lane } of this.#blockers(turn)) {
      if (lane !== undefined && !waiting.has(lane)) this.#givenUp.add(lane);
    }
    if (this.#givenUp.size === before) return false;
    this.#givenUpUs = nowUs;
    this.#wake();
    return true;
  }

  /** Lanes are not waited for at the moment: who goes may overtake some. */
  get hasGivenUp(): boolean {
    return this.#givenUp.size > 0;
  }

  /** Who had to wait for this turn goes ahead. @returns whether there is anybody whom it overtakes. */
  overtake(turn: Turn): boolean {
    const overtaken = this.#blockers(turn);
    for (const writer of overtaken) writer.overtaken = true;
    return overtaken.length > 0;
  }

  /**
   * Whether another transaction may stand before a statement on one server and
   * behind it on the other: it wrote what the statement reads, had
   * not completed on the primary when the statement was sent there, and either
   * overlapped it on the primary or had begun on the mirror already; or it was
   * overtaken.
   */
  mayDiffer(
    isRead: (writes: Writes) => boolean,
    startUs: number,
    endUs: number,
    mirrorEndUs: number,
    own: OrderedWriter | undefined,
  ): boolean {
    for (let i = this.#firstRecent; i < this.#recent.length; i++) {
      const writer = this.#recent[i] as OrderedWriter; // below length
      if (writer === own) continue;
      const apart = writer.endUs < startUs ||
        writer.startUs > endUs && writer.mirrorStartUs > mirrorEndUs;
      if (apart && !writer.overtaken) continue;
      if (isRead(writer.writes)) return true;
    }
    return false;
  }

  /** A writer of a lane that may have been given up is sent, or ends. */
  #goesOn(writer: OrderedWriter): void {
    this.#expectNoMore(writer);
    if (writer.lane !== undefined) this.#givenUp.delete(writer.lane);
  }

  #expectNoMore(writer: OrderedWriter): void {
    const expectedUs = this.#expected.get(writer);
    if (expectedUs === undefined) return;
    this.#expected.delete(writer);
    if (expectedUs >= this.#expectedUs) this.#expectedUs = NaN;
  }

  /** All who come before this turn. */
  #blockers(turn: Turn): OrderedWriter[] {
    const blockers: OrderedWriter[] = [];
    for (const writer of this.#open) {
      if (writer.key >= turn.key) break;
      if (isBefore(writer, turn)) blockers.push(writer);
    }
    return blockers;
  }

  /** The first who has to be waited for. */
  #firstBlocker(turn: Turn): OrderedWriter | undefined {
    for (const writer of this.#open) {
      if (writer.key >= turn.key) return undefined;
      if (isBefore(writer, turn) && !this.#isGivenUp(writer)) return writer;
    }
    return undefined;
  }

  #isGivenUp({ lane }: OrderedWriter): boolean {
    return this.#givenUp.size > 0 && lane !== undefined &&
      this.#givenUp.has(lane);
  }

  /** Tells the first of those who are waited for; the others' turn comes when it is done. */
  #want(turn: Turn): void {
    const blocker = this.#firstBlocker(turn);
    if (blocker === undefined || blocker.wanted) return;
    blocker.wanted = true;
    blocker.lane?.onWanted();
  }

  #wake(): void {
    if (this.#waiting.length === 0) return;
    const due = this.#waiting.filter(({ turn }) => this.isTurn(turn));
    if (due.length > 0) {
      this.#waiting = this.#waiting.filter((entry) => !due.includes(entry));
      for (const { go } of due) go();
    }
    for (const { turn } of this.#waiting) this.#want(turn);
  }
}

/** Of a writer with a smaller key: whether it comes before this turn, and is not done. */
function isBefore(writer: OrderedWriter, turn: Turn): boolean {
  return !writer.done &&
    (writer.earliestUs < turn.committedBeforeUs ||
      writer.endUs < turn.completedBeforeUs);
}
