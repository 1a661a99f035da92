import { type CompareMode, CYCLE_WORDS } from "./record.ts";

/** What is compared of a transaction. */
export interface Comparison {
  readonly mode: CompareMode;
  /** Rows of a reply that are kept, in bytes, on both sides. */
  readonly bytes: number;
}

/** A finished transaction of one session, as the primary has seen it. */
export interface Transaction {
  /** The client's messages, whole cycles. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** {@linkcode CYCLE_WORDS} words for each cycle. */
  readonly cycles: Uint32Array;
  /** Digests of the primary's replies, STATEMENT_WORDS for each statement. */
  readonly statements: Uint32Array;
  /** The primary's messages, STATEMENT_ANSWER bytes of each statement. */
  readonly answers: Uint8Array<ArrayBuffer>;
  /** What it takes of the queue's budget: the bytes of all four, and what it weighs beyond them. */
  readonly size: number;
  /** Microseconds of the monotonic clock. */
  readonly startUs: number;
  readonly endUs: number;
  /** Shortest round trip of the primary's connection, in microseconds; 0: unknown. */
  readonly roundTripUs: number;
  readonly comparison: Comparison;
}

/** Cycles in `transaction`. */
export function cycleCount(transaction: Transaction): number {
  return transaction.cycles.length / CYCLE_WORDS;
}
