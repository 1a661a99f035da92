import {
  CYCLE_WORDS,
  FLAG_DISCARD,
  FLAG_END,
  FLAG_RESET,
  FLAG_STATE_LOST,
  FRAGMENT_WORDS,
  RECORD_VERSION,
  STATEMENT_WORDS,
} from "./record.ts";
import type { RingConsumer } from "./ring.ts";
import { WAITING_BYTES, WAITING_CYCLE_BYTES } from "./bounds.ts";
import {
  cycleBytes,
  hasCancelled,
  heldSize,
  type Piece,
  pieceSize,
  splitCancelled,
  takeWhole,
} from "./piece.ts";
import type { QueueBudget } from "./queue_budget.ts";
import type { Comparison, Transaction } from "./transaction.ts";

/** Looks at bytes that are not kept for what they do to the session's state. */
export interface StateLooker {
  /** They may have changed it. */
  readonly touched: boolean;
  take(chunk: Uint8Array, length: number): void;
  /** Nothing follows, not even the rest of a message. */
  end(): void;
}

/** What a stream's fragments add up to. */
export interface StreamOwner {
  createLooker(): StateLooker;
  onTransaction(transaction: Transaction): void;
  /** A whole transaction that is not to be replayed; its session state still counts. */
  onDiscarded(transaction: Transaction): void;
  /** Session state was lost on the way. */
  onStateLost(): void;
  /** A transaction was too much for the queue's bound while it came in. */
  onShed(): void;
}

type Rest = Pick<
  Transaction,
  "startUs" | "endUs" | "roundTripUs" | "comparison"
>;

/**
 * Puts one session's fragments together again.
 *
 * ```
 * what the pieces hold is taken from the budget; with a shed transaction there are none
 * ```
 *
 * {@linkcode Stream.check} holds that. A transaction in pieces is copied into
 * one: for that moment the largest is there twice.
 */
export class Stream {
  /** Of the transactions to come. */
  comparison: Comparison;
  readonly #owner: StreamOwner;
  readonly #budget: QueueBudget;
  /** What came ahead of its transaction's end, oldest first. */
  #pieces: Piece[] = [];
  /** Bytes of all that, taken from the budget. */
  #held = 0;
  /** The transaction under way did not fit: it is not kept, but looked at; `ahead`: bytes beyond its cycles. */
  #shed: { readonly watch: StateLooker; ahead: number } | undefined;

  constructor(
    owner: StreamOwner,
    budget: QueueBudget,
    comparison: Comparison,
  ) {
    this.comparison = comparison;
    this.#owner = owner;
    this.#budget = budget;
  }

  /**
   * Takes the FRAGMENT whose payload begins at byte `at` of the ring.
   *
   * @throws {RangeError} at a record of another version.
   */
  fragment(ring: RingConsumer, at: number): void {
    const word = at >> 2;
    const flags = ring.words[word] as number;
    const version = ring.words[word + 11] as number;
    if (version !== RECORD_VERSION) {
      throw new RangeError(
        `A record of version ${version} came, ${RECORD_VERSION} is read`,
      );
    }
    if ((flags & FLAG_RESET) !== 0) {
      // The proxy worker has looked at what did not get here, and at that only.
      this.#loseState();
      this.#reset();
    }
    if ((flags & FLAG_STATE_LOST) !== 0) this.#owner.onStateLost();
    const cycleWords = (ring.words[word + 2] as number) * CYCLE_WORDS;
    const statementWords = (ring.words[word + 3] as number) * STATEMENT_WORDS;
    const count = ring.words[word + 4] as number;
    const roundTripUs = ring.words[word + 5] as number;
    const startUs = ring.doubles[(word + 6) >> 1] as number;
    const endUs = ring.doubles[(word + 8) >> 1] as number;
    const answerBytes = ring.words[word + 10] as number;
    // One copy for all four parts: an allocation less is a transaction more.
    const from = at + 4 * FRAGMENT_WORDS;
    const wordBytes = 4 * (cycleWords + statementWords);
    const payload = new Uint8Array(
      ring.bytes.subarray(from, from + wordBytes + answerBytes + count),
    );
    const piece = {
      cycles: new Uint32Array(payload.buffer, 0, cycleWords),
      statements: new Uint32Array(
        payload.buffer,
        4 * cycleWords,
        statementWords,
      ),
      answers: payload.subarray(wordBytes, wordBytes + answerBytes),
      bytes: payload.subarray(wordBytes + answerBytes),
    };
    if ((flags & FLAG_END) === 0) return this.#keep(piece);
    const { comparison } = this;
    const rest = { startUs, endUs, roundTripUs, comparison };
    this.#end(piece, rest, (flags & FLAG_DISCARD) !== 0);
  }

  /** The rule above the class. @throws {Error} where it does not hold. */
  check(): void {
    const held = this.#pieces.reduce((sum, p) => sum + heldSize(p), 0);
    const holds = held === this.#held && held <= this.#budget.bytes &&
      (this.#shed === undefined || held === 0);
    if (holds) return;
    throw new Error(
      `Stream: ${held} bytes in ${this.#pieces.length} pieces, ${this.#held} of them in the budget of ${this.#budget.bytes}; shed: ${
        this.#shed !== undefined
      }`,
    );
  }

  /** The stream is over: what is not closed was never finished. */
  close(): void {
    this.#reset();
  }

  #end(
    last: Piece,
    rest: Rest,
    discard: boolean,
  ): void {
    if (this.#shed !== undefined) {
      this.#keep(last);
      const { watch, ahead } = this.#shed;
      this.#shed = undefined;
      // Bytes of the next transaction went with it if the client was ahead.
      if (watch.touched || ahead > 0) this.#owner.onStateLost();
      if (!discard) this.#owner.onShed();
      return;
    }
    let whole = this.#pieces.length === 0 ? last : this.#join(last);
    if (hasCancelled(whole.cycles)) {
      const { kept, cancelled } = splitCancelled(whole);
      // A statement that was prepared in a cycle outlives what undid the rest.
      if (!discard) {
        whole = kept;
        this.#owner.onDiscarded(transactionOf(cancelled, rest));
      }
    }
    const transaction = transactionOf(whole, rest);
    if (discard) this.#owner.onDiscarded(transaction);
    else this.#owner.onTransaction(transaction);
  }

  /** The transaction that ends with `last`; what the client sent ahead stays. */
  #join(last: Piece): Piece {
    const { whole, ahead } = takeWhole([...this.#pieces, last]);
    this.#forget();
    for (const piece of ahead) this.#keep(piece);
    return whole;
  }

  #keep(piece: Piece): void {
    const size = heldSize(piece);
    if (size === 0) return;
    if (this.#shed === undefined) {
      if (this.#budget.take(size)) {
        this.#pieces.push(piece);
        this.#held += size;
        return;
      }
      this.#shed = { watch: this.#owner.createLooker(), ahead: 0 };
      for (const held of this.#pieces) this.#look(held);
      this.#forget();
    }
    this.#look(piece);
  }

  /** Takes a piece that is shed. */
  #look({ cycles, bytes }: Piece): void {
    if (this.#shed === undefined) return;
    this.#shed.watch.take(bytes, bytes.length);
    this.#shed.ahead += bytes.length - cycleBytes(cycles);
  }

  /** All that is here is given up; did it change the session's state? */
  #loseState(): void {
    let watch = this.#shed?.watch;
    if (watch === undefined && this.#pieces.length > 0) {
      watch = this.#owner.createLooker();
      for (const { bytes } of this.#pieces) watch.take(bytes, bytes.length);
    }
    watch?.end();
    if (watch?.touched) this.#owner.onStateLost();
  }

  #forget(): void {
    this.#budget.give(this.#held);
    this.#pieces = [];
    this.#held = 0;
  }

  #reset(): void {
    this.#forget();
    this.#shed = undefined;
  }
}

function transactionOf(piece: Piece, rest: Rest): Transaction {
  const { cycles, statements, answers, bytes } = piece;
  const size = pieceSize(piece) + WAITING_BYTES +
    WAITING_CYCLE_BYTES * (cycles.length / CYCLE_WORDS);
  return { bytes, cycles, statements, answers, size, ...rest };
}
