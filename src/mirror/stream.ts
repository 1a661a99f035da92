import { STATEMENT_WORDS } from "../digest/mod.ts";
import {
  CYCLE_BYTES,
  CYCLE_WORDS,
  FLAG_DISCARD,
  FLAG_END,
  FLAG_RESET,
  FLAG_STATE_LOST,
  FRAGMENT_WORDS,
  type RingConsumer,
} from "../ring/mod.ts";
import { StateWatch } from "../sql/mod.ts";
import { Dropped } from "../stats/ledger.ts";
import type { QueueBudget } from "./target.ts";
import type { Transaction } from "./transaction.ts";

/** What a stream's fragments add up to. */
export interface StreamOwner {
  onTransaction(transaction: Transaction): void;
  /** A whole transaction that is not to be replayed; its session state still counts. */
  onDiscarded(transaction: Transaction): void;
  /** Session state was lost on the way. */
  onStateLost(): void;
  /** A transaction was too much for the queue's bound while it came in. */
  onShed(reason: number): void;
}

const NO_WORDS = new Uint32Array(0);

/** Puts one session's fragments together again. */
export class Stream {
  readonly #owner: StreamOwner;
  readonly #budget: QueueBudget;
  /** Bytes that came ahead of their transaction's end, joined once at the end. */
  #chunks: Uint8Array<ArrayBuffer>[] = [];
  #held = 0;
  #cycles: Uint32Array = NO_WORDS;
  #statements: Uint32Array = NO_WORDS;
  /** The transaction under way did not fit: its bytes are not kept, but looked at and counted. */
  #shed: { readonly watch: StateWatch; bytes: number } | undefined;

  constructor(owner: StreamOwner, budget: QueueBudget) {
    this.#owner = owner;
    this.#budget = budget;
  }

  /** Takes the FRAGMENT whose payload begins at byte `at` of the ring. */
  fragment(ring: RingConsumer, at: number): void {
    const word = at >> 2;
    const flags = ring.words[word] as number;
    if ((flags & FLAG_RESET) !== 0) {
      // The proxy worker has looked at what did not get here, and at that only.
      if (this.#shed !== undefined || this.#held > 0) this.#loseState();
      this.#reset();
    }
    if ((flags & FLAG_STATE_LOST) !== 0) this.#owner.onStateLost();
    const cycleWords = (ring.words[word + 2] as number) * CYCLE_WORDS;
    const statementWords = (ring.words[word + 3] as number) * STATEMENT_WORDS;
    const count = ring.words[word + 4] as number;
    const roundTripUs = ring.words[word + 5] as number;
    const startUs = ring.doubles[(word + 6) >> 1] as number;
    const endUs = ring.doubles[(word + 8) >> 1] as number;
    // One copy for all three parts: an allocation less is a transaction more.
    const from = at + 4 * FRAGMENT_WORDS;
    const wordBytes = 4 * (cycleWords + statementWords);
    const payload = new Uint8Array(
      ring.bytes.subarray(from, from + wordBytes + count),
    );
    const cycles = new Uint32Array(payload.buffer, 0, cycleWords);
    const statements = new Uint32Array(
      payload.buffer,
      4 * cycleWords,
      statementWords,
    );
    const bytes = payload.subarray(wordBytes);
    this.#cycles = joinWords(this.#cycles, cycles);
    this.#statements = joinWords(this.#statements, statements);
    if ((flags & FLAG_END) === 0) return this.#keep(bytes);
    const times = { startUs, endUs, roundTripUs };
    this.#end(bytes, times, (flags & FLAG_DISCARD) !== 0);
  }

  /** The stream is over: what is not closed was never finished. */
  close(): void {
    this.#reset();
  }

  #end(
    bytes: Uint8Array<ArrayBuffer>,
    times: Pick<Transaction, "startUs" | "endUs" | "roundTripUs">,
    discard: boolean,
  ): void {
    const cycles = this.#cycles;
    const statements = this.#statements;
    this.#cycles = this.#statements = NO_WORDS;
    let length = 0;
    for (let i = 0; i < cycles.length; i += CYCLE_WORDS) {
      length += cycles[i + CYCLE_BYTES] as number;
    }
    const shed = this.#shed;
    if (shed !== undefined) {
      this.#keep(bytes);
      this.#shed = undefined;
      // Bytes of the next transaction went with it if the client was ahead.
      if (shed.watch.touched || shed.bytes > length) this.#owner.onStateLost();
      if (!discard) this.#owner.onShed(Dropped.queueFull);
      return;
    }
    let whole: Uint8Array<ArrayBuffer>;
    if (this.#held === 0) whole = bytes;
    else {
      const joined = joinBytes(
        [...this.#chunks, bytes],
        this.#held + bytes.length,
      );
      this.#forget();
      whole = joined.subarray(0, length);
      if (joined.length > length) this.#keep(joined.subarray(length));
    }
    const size = whole.length + cycles.byteLength + statements.byteLength;
    const transaction = { bytes: whole, cycles, statements, size, ...times };
    if (discard) this.#owner.onDiscarded(transaction);
    else this.#owner.onTransaction(transaction);
  }

  #keep(bytes: Uint8Array<ArrayBuffer>): void {
    if (bytes.length === 0) return;
    if (this.#shed === undefined) {
      if (this.#budget.take(bytes.length)) {
        this.#chunks.push(bytes);
        this.#held += bytes.length;
        return;
      }
      this.#shed = { watch: this.#watchHeld(), bytes: this.#held };
      this.#forget();
    }
    this.#shed.watch.take(bytes, bytes.length);
    this.#shed.bytes += bytes.length;
  }

  #watchHeld(): StateWatch {
    const watch = new StateWatch();
    for (const chunk of this.#chunks) watch.take(chunk, chunk.length);
    return watch;
  }

  /** The bytes that are here are forgotten; do they change the session's state? */
  #loseState(): void {
    const watch = this.#shed?.watch ?? this.#watchHeld();
    watch.end();
    if (watch.touched) this.#owner.onStateLost();
  }

  #forget(): void {
    this.#budget.give(this.#held);
    this.#chunks = [];
    this.#held = 0;
  }

  #reset(): void {
    this.#forget();
    this.#cycles = this.#statements = NO_WORDS;
    this.#shed = undefined;
  }
}

function joinBytes(
  parts: readonly Uint8Array[],
  length: number,
): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

function joinWords(left: Uint32Array, right: Uint32Array): Uint32Array {
  if (left.length === 0) return right;
  const joined = new Uint32Array(left.length + right.length);
  joined.set(left);
  joined.set(right, left.length);
  return joined;
}
