/**
 * The way of transactions from the proxy workers to the mirror worker.
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
export * from "./record.ts";
export { RecordList } from "./record_list.ts";
export {
  abandonRing,
  checkRing,
  createRing,
  type RingMemory,
} from "./memory.ts";
export { RingConsumer, RingProducer } from "./ring.ts";
