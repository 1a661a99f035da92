/**
 * The way of transactions from the proxy workers to the mirror worker.
 *
 * @module
 */

export { boundProblems, BOUNDS, type Bounds } from "./bounds.ts";
export * from "./record.ts";
export { RecordList } from "./record_list.ts";
export {
  abandonRing,
  checkRing,
  createRing,
  RingConsumer,
  type RingMemory,
  RingProducer,
} from "./ring.ts";
