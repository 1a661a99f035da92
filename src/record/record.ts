/**
 * The records that a proxy worker sends to the mirror worker, as words and
 * bytes in the ring. Offsets are in 32-bit words from the payload's begin.
 *
 * A session's transactions travel as a *stream* of client bytes cut into
 * *cycles*: a cycle is what one ReadyForQuery answers. Large transactions are
 * sent in fragments while they run, their bytes, statements and cycles alike
 * (`bounds.ts`), so that neither end needs room for a whole one. Statements may
 * come in an earlier fragment than their cycle. END in a fragment closes the
 * transaction that the cycles since the last END make up. Bytes beyond those cycles belong to the next one (the client
 * was ahead). An OPEN for a stream that is open already says who mirrors it,
 * and what is compared, from its next transaction on.
 *
 * ```
 * OPEN      0 kind | 1 stream | 2 mirrors | 3 bytes | 4 compare mode | 5 compare bytes
 *           then a mirror's number in each word, then the startup parameters, name\0value\0…
 * CLOSE     0 kind | 1 stream
 * FRAGMENT  0 kind+flags | 1 stream | 2 cycles | 3 statements | 4 bytes | 5 round trip (µs)
 *           6,7 transaction start (f64, µs) | 8,9 transaction end (f64, µs; with END)
 *           10 bytes of the answers | 11 RECORD_VERSION
 *           then per cycle CYCLE_WORDS, per statement STATEMENT_WORDS, then the answers, then the bytes
 * ```
 *
 * The answers are the primary's messages as they stood on the wire, statement
 * by statement (STATEMENT_ANSWER of each): descriptions, rows and errors. They
 * may come in an earlier fragment than their statement. A FRAGMENT points to
 * nothing outside of its stream.
 *
 * @module
 */

export const RECORD_OPEN = 1;
export const RECORD_CLOSE = 2;
export const RECORD_FRAGMENT = 3;
export const RECORD_KIND_MASK = 0xff;

/** Closes a transaction. */
export const FLAG_END = 0x100;
/** With END: the transaction has its outcome already (excluded); forget its bytes. */
export const FLAG_DISCARD = 0x200;
/** Records were lost before this one: forget all bytes and cycles not yet closed. */
export const FLAG_RESET = 0x400;
/** What was lost, or discarded, may have changed the session's state. */
export const FLAG_STATE_LOST = 0x800;

export const OPEN_WORDS = 6;
export const FRAGMENT_WORDS = 12;
/** Of a FRAGMENT's layout: a reader refuses any other. */
export const RECORD_VERSION = 1;

/** What is compared of a transaction, by position in an OPEN: settled when it is captured. */
export const COMPARE_MODES = ["rows", "shape", "off"] as const;
export type CompareMode = typeof COMPARE_MODES[number];

/**
 * Per cycle: its bytes, its start after the transaction's (µs, 64 bits: low word
 * first; the moment when its last byte went on, or its first if the primary
 * answered before that), its latency (µs), its statements, and how long of the latency its
 * predecessors were not answered yet (µs). Latencies stop at 2^32 - 1.
 */
export const CYCLE_WORDS = 6;
export const CYCLE_BYTES = 0;
export const CYCLE_START = 1;
export const CYCLE_START_HIGH = 2;
export const CYCLE_LATENCY = 3;
export const CYCLE_STATEMENTS = 4;
export const CYCLE_QUEUED = 5;

/** Per statement: see `src/record/statement.ts`. */
export const STATEMENT_WORDS = 16;

const TWO_32 = 0x1_0000_0000;
/** The largest that a word holds. */
export const MAX_WORD = 0xffff_ffff;

/** Microseconds from the transaction's start to that of the cycle whose words begin at `at`. */
export function cycleStart(cycles: Uint32Array, at: number): number {
  return (cycles[at + CYCLE_START_HIGH] as number) * TWO_32 +
    (cycles[at + CYCLE_START] as number);
}

/** Writes what {@linkcode cycleStart} reads. */
export function setCycleStart(
  cycles: Uint32Array,
  at: number,
  startUs: number,
): void {
  // Storing takes it modulo 2^32 by itself; `%` on such numbers is a call into C.
  cycles[at + CYCLE_START] = startUs;
  cycles[at + CYCLE_START_HIGH] = startUs / TWO_32;
}

/**
 * In CYCLE_STATEMENTS: a statement was cancelled, and all that the cycle did
 * was rolled back. What the transaction does without the cycle is the same.
 */
export const CYCLE_CANCELLED = 0x8000_0000;
