/**
 * Keeps the primary's order among transactions (`mirror_order = "commit"`), as
 * far as it can be seen from outside, and where it matters: between those that
 * meet in a relation.
 *
 * What is seen of a transaction's commit is an interval: not before the cycle
 * that carries it was sent (`earliestUs`), not after its ReadyForQuery
 * (`endUs`). A writing statement that waited for a
 * lock completes after the holder's commit, but its reply may overtake the
 * holder's ReadyForQuery: locks are released first. So
 *
 * - a writing statement waits for the writers that may have committed before it
 *   completed: `earliestUs` below its completion. So does one that would have
 *   written and was refused;
 * - a reading statement waits for those that had completed before it was sent;
 * - a writing statement waits for refused ones that were sent before what it
 *   writes was committed: they saw the state before that;
 * - a definition (DDL, GRANT, TRUNCATE) waits for reads, too, that had completed
 *   before it was sent.
 *
 * They wait only where they meet: one writes what the other touches
 * ({@linkcode Footprints}). What a text does not tell meets everything.
 *
 * Waits form no circle. Each waits only for transactions with a smaller `key`,
 * and a lane replays its own one after the other, whose keys never fall
 * (`leastKey`): so along any chain of "waits for" and "is queued behind" keys
 * fall or, within a lane, stay. A key is
 *
 * - of a writer of several cycles the moment when the last one was sent and the
 *   one before it answered: all it wrote was complete by then. Of one whose
 *   block failed, the completion of what failed: that released its locks;
 * - of a writer of one cycle, or a refused statement, `endUs`;
 * - of what only lets go of locks (pg_advisory_unlock, COMMIT PREPARED) the
 *   moment when it was sent: it waits as a read does, never for those who wait
 *   for the lock, and these complete later;
 * - of a reader the completion of its last read. All that it waits for had
 *   completed before that read was sent, with keys that are not greater.
 *
 * Who waits hangs on the last of those in front of it, and looks again when
 * that one is done: most of the time the others are, too.
 *
 * Where a server or a proxy worker got no processor for a while, a record comes
 * in after its place was given away. It may then need a row lock on the mirror
 * that a transaction behind it holds, which waits here for it, or for somebody
 * who does: nobody goes on. Such a standstill is told by time: the lane at the
 * end of the chain waits for nobody here, and is silent. It ends with the holder
 * of the lock going ahead ({@linkcode CommitOrder.isStalled}).
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
import { later, OpenPlaces } from "./open_places.ts";
import {
  isReadBefore,
  isRefusedBefore,
  isWriterBefore,
  type OrderedLane,
  type OrderedTransaction,
  type Place,
  type Turn,
  type Waiting,
} from "./place.ts";

/** Writers remembered, done or not: older ones are taken for done. */
const MAX_RECENT = 16_384;
/**
 * A writer that holds locks on the mirror and waits here while nobody who
 * writes is answered goes on after so long. What takes that long by itself (a
 * checkpoint) does no harm: who is overtaken then has its locks already.
 */
const PATIENCE_US = 200_000;
/** The same while others, who may be elsewhere, are answered. */
const PATIENCE_AMONG_OTHERS_US = 1_000_000;

/** One mirror's order. */
export class CommitOrder {
  /** Not done: those that wrote, … */
  readonly #writers = new OpenPlaces();
  /** … had a statement refused, … */
  readonly #refused = new OpenPlaces();
  /** … or read only. */
  readonly #readers = new OpenPlaces();
  /** Writers as they came in, which is nearly by `endUs`; those before `#firstRecent` are forgotten. */
  #recent: OrderedTransaction[] = [];
  #firstRecent = 0;
  readonly #waiting = new Map<OrderedLane, Waiting>();
  /** When a writer was last answered. */
  #answeredUs = 0;
  /** Lanes that were waited for in vain, and when the last one was. */
  readonly #givenUp = new Set<OrderedLane>();
  #givenUpUs = 0;

  /** A transaction has come in, which `lane` will replay. */
  begin(place: Place, lane: OrderedLane): OrderedTransaction {
    const added: OrderedTransaction = {
      ...place,
      mirrorStartUs: Infinity,
      done: false,
      wanted: false,
      overtaken: false,
      lane,
      parked: undefined,
    };
    this.#writers.add(added, added.written);
    if (added.refused) this.#refused.add(added, added.refused.touched);
    if (added.read) this.#readers.add(added, added.read.touched);
    if (added.writes !== undefined) this.#remember(added);
    return added;
  }

  #remember(writer: OrderedTransaction): void {
    this.#recent.push(writer);
    if (this.#recent.length - this.#firstRecent > MAX_RECENT) {
      if (++this.#firstRecent === MAX_RECENT) {
        this.#recent = this.#recent.slice(MAX_RECENT);
        this.#firstRecent = 0;
      }
    }
  }

  /** It is completed on the mirror, or will never be. */
  end(ordered: OrderedTransaction): void {
    if (ordered.done) return;
    if (ordered.lane !== undefined) this.#givenUp.delete(ordered.lane);
    ordered.done = true;
    ordered.lane = undefined;
    this.#writers.ended(ordered.written);
    if (ordered.refused) this.#refused.ended(ordered.refused.touched);
    if (ordered.read) this.#readers.ended(ordered.read.touched);
    const { parked } = ordered;
    ordered.parked = undefined;
    for (const waiting of parked ?? []) this.#look(waiting);
  }

  /** Whether nothing has to be waited for. */
  isTurn(turn: Turn): boolean {
    return this.#lastBlocker(turn) === undefined;
  }

  /**
   * Calls `go` as soon as it is the turn of `lane`, which it is not yet.
   *
   * @returns a function that takes it back.
   */
  wait(lane: OrderedLane, turn: Turn, go: () => void): () => void {
    const end = { lane: undefined, atUs: -1 };
    const waiting: Waiting = { lane, turn, go, blocker: undefined, end };
    this.#waiting.set(lane, waiting);
    this.#park(waiting, this.#lastBlocker(turn));
    return () => this.#forget(waiting);
  }

  #forget(waiting: Waiting): void {
    waiting.blocker?.parked?.delete(waiting);
    waiting.blocker = undefined;
    if (this.#waiting.get(waiting.lane) === waiting) {
      this.#waiting.delete(waiting.lane);
    }
  }

  /** What a lane waited for is done, or was given up. */
  #look(waiting: Waiting): void {
    if (waiting.blocker === undefined) return;
    waiting.blocker.parked?.delete(waiting);
    const blocker = this.#lastBlocker(waiting.turn);
    if (blocker !== undefined) return this.#park(waiting, blocker);
    this.#forget(waiting);
    waiting.go();
  }

  #park(waiting: Waiting, blocker: OrderedTransaction | undefined): void {
    waiting.blocker = blocker;
    if (blocker === undefined) return;
    (blocker.parked ??= new Set()).add(waiting);
    if (blocker.wanted) return;
    blocker.wanted = true;
    blocker.lane?.onWanted();
  }

  /** A cycle of it was sent. */
  sent({ lane }: OrderedTransaction): void {
    if (lane !== undefined) this.#givenUp.delete(lane);
  }

  /** A cycle of it was answered. */
  answered({ read }: OrderedTransaction, nowUs: number): void {
    if (read === undefined) this.#answeredUs = nowUs;
  }

  /** Microseconds for which a lane that waits since `sinceUs` has waited longer than for what the primary took, too. */
  overdueUs(lane: OrderedLane, nowUs: number, sinceUs: number): number {
    const expectedUs = this.#endOf(lane, nowUs)?.expectedUs ?? 0;
    return nowUs - Math.max(sinceUs, this.#givenUpUs, expectedUs);
  }

  /** Whether nobody goes on whom a lane waits for since `sinceUs`, so that it must, if it holds locks. */
  isStalled(lane: OrderedLane, nowUs: number, sinceUs: number): boolean {
    if (nowUs - sinceUs <= PATIENCE_US) return false;
    const heardUs = this.#endOf(lane, nowUs)?.heardUs ?? 0;
    const quietUs = Math.min(
      nowUs - heardUs,
      this.overdueUs(lane, nowUs, sinceUs),
    );
    return quietUs > PATIENCE_AMONG_OTHERS_US ||
      quietUs > PATIENCE_US && nowUs - this.#answeredUs > PATIENCE_US;
  }

  /** Whom a lane waits for that waits for nobody here: at the end of the chain, which is no circle. */
  #endOf(lane: OrderedLane, nowUs: number): OrderedLane | undefined {
    const chain: Waiting[] = [];
    let end: OrderedLane | undefined = lane;
    for (
      let waiting = this.#waiting.get(lane);
      waiting !== undefined;
      waiting = end && this.#waiting.get(end)
    ) {
      if (waiting.end.atUs === nowUs) {
        end = waiting.end.lane;
        break;
      }
      chain.push(waiting);
      end = waiting.blocker?.lane;
    }
    // All who wait look at one moment.
    for (const waiting of chain) waiting.end = { lane: end, atUs: nowUs };
    return end;
  }

  /**
   * Who waits for this turn has waited for too long. Lanes that it waits for, and
   * that wait for nobody here themselves, are not waited for until they go on;
   * those whose turn it is by that go.
   *
   * @returns whether there are such lanes.
   */
  giveUp(turn: Turn, nowUs: number): boolean {
    const before = this.#givenUp.size;
    for (const { lane } of this.#blockers(turn)) {
      if (lane !== undefined && !this.#waiting.has(lane)) {
        this.#givenUp.add(lane);
      }
    }
    if (this.#givenUp.size === before) return false;
    this.#givenUpUs = nowUs;
    for (const waiting of [...this.#waiting.values()]) this.#look(waiting);
    return true;
  }

  /** Lanes are not waited for at the moment: who goes may overtake some. */
  get hasGivenUp(): boolean {
    return this.#givenUp.size > 0;
  }

  /** Who had to wait for this turn goes ahead. @returns whether there is anybody whom it overtakes. */
  overtake(turn: Turn): boolean {
    const overtaken = this.#blockers(turn);
    for (const ordered of overtaken) ordered.overtaken = true;
    return overtaken.size > 0;
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
    own: OrderedTransaction | undefined,
  ): boolean {
    for (let i = this.#firstRecent; i < this.#recent.length; i++) {
      const writer = this.#recent[i] as OrderedTransaction; // below length
      if (writer === own) continue;
      const apart = writer.endUs < startUs ||
        writer.startUs > endUs && writer.mirrorStartUs > mirrorEndUs;
      if (apart && !writer.overtaken) continue;
      if (writer.writes !== undefined && isRead(writer.writes)) return true;
    }
    return false;
  }

  /** All who come before this turn. */
  #blockers(turn: Turn): ReadonlySet<OrderedTransaction> {
    const found = new Set<OrderedTransaction>();
    const { touched, written, defines } = turn;
    this.#writers.collect(touched, turn, isWriterBefore, found);
    this.#refused.collect(written, turn, isRefusedBefore, found);
    if (defines) this.#readers.collect(written, turn, isReadBefore, found);
    return found;
  }

  /** The last one who has to be waited for: when it is done, the others are, most of the time. */
  #lastBlocker(turn: Turn): OrderedTransaction | undefined {
    const { touched, written, defines } = turn;
    const without = this.#givenUp;
    const writer = this.#writers.last(touched, turn, isWriterBefore, without);
    if (written.length === 0) return writer;
    const refused = this.#refused.last(written, turn, isRefusedBefore, without);
    const last = later(writer, refused);
    return defines
      ? later(last, this.#readers.last(written, turn, isReadBefore, without))
      : last;
  }
}
