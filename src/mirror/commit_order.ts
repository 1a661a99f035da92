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
 *   `endUs` for one of a single cycle;
 * - and a transaction that has begun on the mirror waits for nobody who came in
 *   after that: it may hold a lock there that the late one needs, and neither
 *   would go on.
 *
 * Of writers it remembers for a while what they wrote and when, on both sides:
 * rows that differ while such a one overlapped are told apart from rows that
 * differ for good.
 *
 * @module
 */

/** A transaction that wrote. Times are microseconds of the monotonic clock. */
export interface Writer {
  readonly startUs: number;
  /** Its commit was not earlier. */
  readonly earliestUs: number;
  /** Its commit was not later. */
  readonly endUs: number;
  readonly key: number;
  readonly relations: ReadonlySet<string>;
  /** How many writers had come in with it: {@linkcode CommitOrder.arrivals} then. */
  readonly arrival: number;
  /** When its first bytes went to the mirror; Infinity before. */
  mirrorStartUs: number;
  done: boolean;
}

/** What a cycle has to wait for. */
export interface Turn {
  /** Writers whose commit may have been before this moment (a writing cycle's completion) … */
  readonly committedBeforeUs: number;
  /** … and those that had completed before this one (the moment it was sent). */
  readonly completedBeforeUs: number;
  /** Of them those with a smaller key: its own transaction's, Infinity for one that wrote nothing. */
  readonly key: number;
}

/** Writers remembered after they are done. */
const MAX_RECENT = 4_096;

interface Waiting {
  readonly turn: Turn;
  readonly known: number;
  readonly go: () => void;
}

/** One mirror's order. */
export class CommitOrder {
  /** Writers that have come in so far. */
  arrivals = 0;
  /** By key, ascending; done ones are removed from the front. */
  #open: Writer[] = [];
  readonly #recent: Writer[] = [];
  #waiting: Waiting[] = [];

  /** A writing transaction has come in. */
  begin(
    writer: Pick<
      Writer,
      "startUs" | "earliestUs" | "endUs" | "key" | "relations"
    >,
  ): Writer {
    const arrival = ++this.arrivals;
    const added = { ...writer, arrival, mirrorStartUs: Infinity, done: false };
    // Records come in nearly in order.
    let at = this.#open.length;
    while (at > 0 && (this.#open[at - 1] as Writer).key > added.key) at--;
    this.#open.splice(at, 0, added);
    this.#recent.push(added);
    if (this.#recent.length > MAX_RECENT) this.#recent.shift();
    return added;
  }

  /** It is completed on the mirror, or will never be. */
  end(writer: Writer): void {
    if (writer.done) return;
    writer.done = true;
    let first = 0;
    while (this.#open[first]?.done) first++;
    if (first > 0) this.#open = this.#open.slice(first);
    this.#wake();
  }

  /**
   * Whether nothing has to be waited for.
   *
   * @param known {@linkcode CommitOrder.arrivals} when the transaction began on the mirror; Infinity before.
   */
  isTurn(turn: Turn, known: number): boolean {
    const { committedBeforeUs, completedBeforeUs, key } = turn;
    for (const writer of this.#open) {
      if (writer.key >= key) return true;
      if (writer.done || writer.arrival > known) continue;
      if (
        writer.earliestUs < committedBeforeUs ||
        writer.endUs < completedBeforeUs
      ) return false;
    }
    return true;
  }

  /** Calls `go` as soon as it is the turn. @returns a function that takes it back. */
  wait(turn: Turn, known: number, go: () => void): () => void {
    const entry: Waiting = { turn, known, go };
    this.#waiting.push(entry);
    return () => {
      this.#waiting = this.#waiting.filter((waiting) => waiting !== entry);
    };
  }

  /**
   * Whether another transaction may stand before a statement on one server and
   * behind it on the other: it wrote a relation that the statement reads, had
   * not completed on the primary when the statement was sent there, and either
   * overlapped it on the primary or had begun on the mirror already.
   */
  mayDiffer(
    reads: readonly string[],
    startUs: number,
    endUs: number,
    mirrorEndUs: number,
    own: Writer | undefined,
  ): boolean {
    return this.#recent.some((writer) =>
      writer !== own && writer.endUs >= startUs &&
      (writer.startUs <= endUs || writer.mirrorStartUs <= mirrorEndUs) &&
      reads.some((relation) => writer.relations.has(relation))
    );
  }

  #wake(): void {
    if (this.#waiting.length === 0) return;
    const due = this.#waiting.filter(({ turn, known }) =>
      this.isTurn(turn, known)
    );
    if (due.length === 0) return;
    this.#waiting = this.#waiting.filter((entry) => !due.includes(entry));
    for (const { go } of due) go();
  }
}
