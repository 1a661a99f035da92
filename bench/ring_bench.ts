/**
 * The way of a record from a proxy worker to the mirror worker (`src/record`):
 * pushed and popped in one thread, one record at a time and a hundred. Beside
 * it what any transport does at least, a copy, and a plain array as a queue.
 *
 * Not measured: the other thread, and waking it.
 *
 * ```
 * deno bench -A --no-check bench/ring_bench.ts
 * ```
 *
 * @module
 */

import { createRing, RingConsumer, RingProducer } from "../src/record/mod.ts";

const TIMES = 1_000;
const CAPACITY = 4 * 1024 * 1024;
/** What `pgbench -S` makes: ten words, a cycle, a statement, 62 bytes of SQL. */
const SMALL = 4 * (10 + 6 + 12) + 62;
/** The first fragment of a COPY may be as large as this. */
const LARGE = 256 * 1024;

function ringOf() {
  const memory = createRing(CAPACITY);
  return {
    producer: new RingProducer(memory),
    consumer: new RingConsumer(memory),
  };
}

function push(producer: RingProducer, bytes: Uint8Array): void {
  const at = producer.reserve(bytes.length);
  if (at < 0) throw new Error("The ring is full");
  producer.bytes.set(bytes, at);
  producer.commit();
}

function pop(consumer: RingConsumer): void {
  if (consumer.next() < 0) throw new Error("The ring is empty");
  consumer.release();
}

/** @param batch records in the ring at once. */
function compare(
  name: string,
  payload: number,
  times: number,
  batch: number,
): void {
  const group = `ring: ${name}`;
  const bytes = new Uint8Array(payload).fill(1);
  const memory = new Uint8Array(batch * payload);
  const queue: Uint8Array[] = [];
  const { producer, consumer } = ringOf();
  Deno.bench({
    name: "Uint8Array.set alone",
    group,
    baseline: true,
    fn() {
      for (let i = 0; i < times; i += batch) {
        for (let j = 0; j < batch; j++) memory.set(bytes, j * payload);
      }
    },
  });
  Deno.bench("a plain array of copies", { group }, () => {
    for (let i = 0; i < times; i += batch) {
      for (let j = 0; j < batch; j++) queue.push(bytes.slice());
      for (let j = 0; j < batch; j++) queue.shift();
    }
  });
  Deno.bench("ring", { group }, () => {
    for (let i = 0; i < times; i += batch) {
      for (let j = 0; j < batch; j++) push(producer, bytes);
      for (let j = 0; j < batch; j++) pop(consumer);
    }
  });
}

compare(`a record of ${SMALL} bytes × 1000`, SMALL, TIMES, 1);
compare(`a record of ${SMALL} bytes, 100 at once × 1000`, SMALL, TIMES, 100);
compare("a fragment of 256 KiB × 8", LARGE, 8, 1);
