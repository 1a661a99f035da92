/**
 * The way of transactions from the proxy workers to the mirror worker.
 *
 * @module
 */

export * from "./record.ts";
export {
  createRing,
  RingConsumer,
  type RingMemory,
  RingProducer,
} from "./ring.ts";
