import assert from "node:assert/strict";
import { LateCloses } from "../../src/proxy/late_closes.ts";
import {
  abandonRing,
  createRing,
  RECORD_CLOSE,
  RingConsumer,
  RingProducer,
} from "../../src/record/mod.ts";

/** A ring with no room at all. */
function full() {
  const memory = createRing(4096);
  const producer = new RingProducer(memory);
  while (producer.reserve(8) >= 0) producer.commit();
  const consumer = new RingConsumer(memory);
  return { memory, producer, consumer };
}

/** What a consumer finds, and takes: kinds and streams. */
function taken(consumer: RingConsumer): (readonly [number, number])[] {
  const found: (readonly [number, number])[] = [];
  for (let at = consumer.next(); at >= 0; at = consumer.next()) {
    const [kind = -1, stream = -1] = consumer.words.subarray(at >> 2);
    found.push([kind, stream]);
    consumer.release();
  }
  return found;
}

Deno.test("LateCloses: what the ring had no room for is told in order once it has", () => {
  const { producer, consumer } = full();
  const closes = new LateCloses(producer);
  for (const stream of [5, 6, 7]) closes.add(stream);
  closes.retry();
  assert.equal(closes.waiting, 3);
  taken(consumer);
  closes.retry();
  assert.equal(closes.waiting, 0);
  assert.deepEqual(
    taken(consumer),
    [5, 6, 7].map((stream) => [RECORD_CLOSE, stream]),
  );
});

Deno.test("LateCloses: the first that waits says so, and no more wait than the bound", () => {
  const closes = new LateCloses(full().producer);
  assert.equal(closes.add(1), true);
  for (let i = 2; i < LateCloses.MAX + 3; i++) {
    assert.equal(closes.add(i), false);
  }
  assert.equal(closes.waiting, LateCloses.MAX);
  assert.equal(closes.lost, 2);
});

Deno.test("LateCloses: a mirror worker that has died is told nothing more", () => {
  const { memory, producer } = full();
  const closes = new LateCloses(producer);
  closes.add(1);
  abandonRing(memory);
  closes.retry();
  assert.equal(closes.waiting, 0);
  assert.equal(closes.add(2), false);
  assert.equal(closes.waiting, 0);
});
