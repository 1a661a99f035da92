/**
 * Every bound of what travels from a proxy worker to the mirror worker, in one
 * place: they hold together only as a whole. What one transaction may take is
 * bounded by `mirror_max_transaction_bytes`, what waits by `mirror_queue_bytes`.
 *
 * @module
 */

import { CYCLE_WORDS, FRAGMENT_WORDS, STATEMENT_WORDS } from "./record.ts";

/** See {@linkcode BOUNDS}; sizes in bytes. */
export interface Bounds {
  /** Shared memory between a proxy worker and the mirror worker; it is drained all the time, so it need not hold a queue. */
  readonly ringBytes: number;
  /** One record takes so many cycles at most … */
  readonly recordCycles: number;
  /** … so many statements … */
  readonly recordStatements: number;
  /** … and so many of the client's bytes. What is more goes in several, while the transaction runs. */
  readonly fragmentBytes: number;
  /** Answers of so many bytes go on their way; a read and an error's text may come on top. */
  readonly answerBytes: number;
  /** A proxy worker's read: large enough that a large result costs few calls, small enough to stay in cache. */
  readonly readBytes: number;
  /** The two sizes of buffers for a client's bytes that are not in the ring. */
  readonly smallBufferBytes: number;
  readonly largeBufferBytes: number;
  /** What a session keeps at rest of the room for its cycles, and of that for its statements. */
  readonly restBytes: number;
}

export const BOUNDS: Bounds = {
  ringBytes: 4 * 1024 * 1024,
  recordCycles: 512,
  recordStatements: 512,
  fragmentBytes: 256 * 1024,
  answerBytes: 64 * 1024,
  readBytes: 128 * 1024,
  smallBufferBytes: 8 * 1024,
  largeBufferBytes: 256 * 1024,
  restBytes: 1536,
};

/**
 * What a transaction weighs in the mirror worker while it waits, beyond its
 * bytes and digests: the objects around them, its plan, its place among the
 * writers; and for each of its cycles. Measured with full collections: 2,700
 * bytes for a SELECT of 86; of each of 2,500 cycles 270 for an UPDATE of any row,
 * 570 for an INSERT that two values are known of.
 */
export const WAITING_BYTES = 2304;
export const WAITING_CYCLE_BYTES = 224;

/** An ErrorResponse is kept up to this length, in bytes. */
export const ERROR_BYTES = 4096;
const HEADER_BYTES = 5;

/** A ring holds at least so many of the largest records: one is read while others are written. */
const RECORDS_IN_RING = 8;

/** Payload of the largest FRAGMENT. */
export function largestRecordBytes(bounds: Bounds): number {
  return 4 * FRAGMENT_WORDS + 4 * CYCLE_WORDS * bounds.recordCycles +
    4 * STATEMENT_WORDS * bounds.recordStatements + bounds.fragmentBytes +
    bounds.answerBytes + bounds.readBytes + ERROR_BYTES + 2 * HEADER_BYTES;
}

/** The room for the larger of a record's two lists. */
export function listBytes(bounds: Bounds): number {
  return 4 * Math.max(
    CYCLE_WORDS * bounds.recordCycles,
    STATEMENT_WORDS * bounds.recordStatements,
  );
}

/** What does not fit together, in words; empty: all does. */
export function boundProblems(bounds: Bounds): string[] {
  const { ringBytes, readBytes, smallBufferBytes, largeBufferBytes } = bounds;
  const record = largestRecordBytes(bounds);
  const list = listBytes(bounds);
  const rules: readonly (readonly [holds: boolean, problem: string])[] = [
    [
      RECORDS_IN_RING * record <= ringBytes,
      `A ring of ${ringBytes} bytes does not hold ${RECORDS_IN_RING} records of ${record}`,
    ],
    [
      readBytes <= largeBufferBytes,
      `A read of ${readBytes} bytes does not fit into a buffer of ${largeBufferBytes}`,
    ],
    [
      smallBufferBytes < largeBufferBytes,
      `A small buffer of ${smallBufferBytes} bytes is not smaller than a large one of ${largeBufferBytes}`,
    ],
    [
      bounds.restBytes < list,
      `At rest ${bounds.restBytes} bytes are kept, ${list} are the most in use`,
    ],
  ];
  return rules.flatMap(([holds, problem]) => holds ? [] : [problem]);
}

const [problem] = boundProblems(BOUNDS);
if (problem !== undefined) throw new RangeError(problem);
