/**
 * The record of a transaction: what travels from a proxy worker to the mirror
 * worker, the ring that it travels through, and what reads it back.
 *
 * @module
 */

export {
  boundProblems,
  BOUNDS,
  type Bounds,
  WAITING_BYTES,
  WAITING_CYCLE_BYTES,
} from "./bounds.ts";
export {
  COPY_FAIL_MESSAGE,
  type CycleBytes,
  readCycle,
  SYNC_MESSAGE,
} from "./cycle_bytes.ts";
export {
  abandonRing,
  checkRing,
  createRing,
  type RingMemory,
} from "./memory.ts";
export * from "./record.ts";
export { QueueBudget } from "./queue_budget.ts";
export { RecordList } from "./record_list.ts";
export { ReplyDigest } from "./reply_digest.ts";
export { RingConsumer, RingProducer } from "./ring.ts";
export { RowHash } from "./row_hash.ts";
export * from "./statement.ts";
export { type StateLooker, Stream, type StreamOwner } from "./stream.ts";
export { isWritingTag, tagText } from "./tags.ts";
export {
  type Comparison,
  cycleCount,
  type Transaction,
} from "./transaction.ts";
export { copyBytes, viewed, ViewedBytes } from "./viewed_bytes.ts";
