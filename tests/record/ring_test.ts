import assert from "node:assert/strict";
import { collected } from "../support/collected.ts";
import {
  abandonRing,
  checkRing,
  createRing,
  RingConsumer,
  RingProducer,
} from "../../src/record/mod.ts";

function push(producer: RingProducer, bytes: Uint8Array): boolean {
  const at = producer.reserve(bytes.length);
  if (at < 0) return false;
  producer.bytes.set(bytes, at);
  producer.commit();
  return true;
}

function pop(consumer: RingConsumer): Uint8Array | undefined {
  const at = consumer.next();
  if (at < 0) return undefined;
  const bytes = consumer.bytes.slice(at, at + consumer.length);
  consumer.release();
  return bytes;
}

Deno.test("ring: records of all sizes come out as they went in, over many turns", () => {
  const memory = createRing(4096);
  const producer = new RingProducer(memory);
  const consumer = new RingConsumer(memory);
  const waiting: Uint8Array[] = [];
  let pushed = 0;
  for (let i = 0; i < 20_000; i++) {
    const size = (i * 7919) % 1_000;
    const bytes = new Uint8Array(size).fill(i);
    if (push(producer, bytes)) {
      waiting.push(bytes);
      pushed++;
    } else {
      assert.ok(waiting.length > 0, "full although empty");
      assert.deepEqual(pop(consumer), waiting.shift());
    }
    if (i % 3 === 0 && waiting.length > 0) {
      assert.deepEqual(pop(consumer), waiting.shift());
    }
    assert.equal(checkRing(memory), waiting.length);
  }
  while (waiting.length > 0) assert.deepEqual(pop(consumer), waiting.shift());
  assert.equal(pop(consumer), undefined);
  assert.ok(consumer.isEmpty && pushed > 10_000);
});

Deno.test("ring: nothing is seen before it is published, and the full ring refuses", () => {
  const memory = createRing(4096);
  const producer = new RingProducer(memory);
  const consumer = new RingConsumer(memory);
  assert.ok(producer.reserve(100) >= 0);
  assert.equal(consumer.next(), -1);
  producer.commit();
  assert.ok(consumer.next() >= 0);
  assert.equal(producer.reserve(producer.maxPayload + 1), -1);
  let count = 0;
  while (push(producer, new Uint8Array(1_000))) count++;
  assert.equal(count, 3);
});

Deno.test("ring: what it has no room for waits outside, in order, within its bound", () => {
  const memory = createRing(4096);
  const producer = new RingProducer(memory, 100_000);
  const consumer = new RingConsumer(memory);
  const record = (i: number) => new Uint8Array(200 + i % 50).fill(i);
  let pushed = 0;
  while (push(producer, record(pushed))) pushed++;
  // 4 KiB hold 15 to 20 of them, the bound about 135 more.
  assert.ok(pushed > 140 && pushed < 165, `${pushed}`);
  assert.ok(producer.waiting > 120);
  assert.ok(producer.waitingBytes > 99_000 && producer.waitingBytes <= 100_000);
  for (let i = 0; i < 10_000; i++) {
    assert.deepEqual(pop(consumer), record(i));
    producer.flush();
    if (push(producer, record(pushed))) pushed++;
  }
  for (let i = 10_000; i < pushed; i++) {
    assert.deepEqual(pop(consumer), record(i));
    producer.flush();
  }
  assert.equal(pop(consumer), undefined);
  assert.equal(producer.waiting, 0);
  assert.equal(producer.waitingBytes, 0);
  let again = 0;
  while (push(producer, record(again))) again++;
  assert.ok(again > 140, `the bound is whole again: ${again}`);
});

Deno.test("ring: a reservation that is never committed does not spoil the next record, wherever the two are", () => {
  for (const inRing of [0, 3]) {
    for (const [lost, next] of [[100, 60], [60, 100], [1_000, 700]] as const) {
      const memory = createRing(4096);
      const producer = new RingProducer(memory, 100_000);
      const consumer = new RingConsumer(memory);
      const before = Array.from(
        { length: inRing },
        (_, i) => new Uint8Array(1_200).fill(i + 1),
      );
      for (const bytes of before) assert.ok(push(producer, bytes));
      // What was to be written threw.
      const at = producer.reserve(lost);
      producer.bytes.fill(0xee, at, at + lost);
      if (inRing > 0) {
        // There is room again, so that the next one is not where this one was.
        assert.deepEqual(pop(consumer), before.shift());
      }
      assert.ok(push(producer, new Uint8Array(next).fill(7)));
      producer.flush();
      for (const bytes of before) assert.deepEqual(pop(consumer), bytes);
      producer.flush();
      checkRing(memory);
      assert.deepEqual(pop(consumer), new Uint8Array(next).fill(7));
      assert.equal(pop(consumer), undefined);
      assert.equal(producer.waitingBytes, 0);
    }
  }
});

Deno.test("ring: a record that waited outside is let go of as soon as it is no longer in the bound", async () => {
  const memory = createRing(4096);
  const producer = new RingProducer(memory, 100_000);
  const consumer = new RingConsumer(memory);
  const waiting: WeakRef<object>[] = [];
  const fill = () => {
    while (producer.reserve(1_000) >= 0) {
      if (producer.bytes.buffer !== memory.buffer) {
        waiting.push(new WeakRef(producer.bytes));
      }
      producer.commit();
    }
  };
  fill();
  for (let i = 0; i < 3 + 20; i++) {
    pop(consumer);
    producer.flush();
  }
  await collected();
  const held = waiting.filter((record) => record.deref() !== undefined);
  assert.equal(held.length, producer.waiting);
  assert.ok(held.length <= waiting.length - 20);
});

Deno.test("ring: with its consumer dead nothing waits, and nothing more is taken", () => {
  const memory = createRing(4096);
  const producer = new RingProducer(memory, 100_000);
  while (push(producer, new Uint8Array(1_000)));
  assert.ok(producer.waitingBytes > 90_000);
  assert.ok(!producer.isAbandoned);
  abandonRing(memory);
  assert.ok(producer.isAbandoned);
  producer.flush();
  assert.equal(producer.waiting, 0);
  assert.equal(producer.waitingBytes, 0);
  assert.equal(producer.reserve(8), -1);
});

Deno.test("checkRing: an end that is none of a record's is found", () => {
  const memory = createRing(4096);
  const producer = new RingProducer(memory);
  push(producer, new Uint8Array(100));
  push(producer, new Uint8Array(100));
  assert.equal(checkRing(memory), 2);
  // The length of the first record.
  new Uint32Array(memory.buffer, 64)[0] = 300;
  assert.throws(
    () => checkRing(memory),
    /records end at 312; head 0, tail 224/,
  );
  new Uint32Array(memory.buffer)[1] = 221;
  assert.throws(() => checkRing(memory), /no multiple of 8/);
});

Deno.test("ring: a sleeping consumer is woken once", () => {
  const memory = createRing(4096);
  const producer = new RingProducer(memory);
  const consumer = new RingConsumer(memory);
  assert.equal(producer.takeSleeping(), false);
  consumer.setSleeping(true);
  assert.equal(producer.takeSleeping(), true);
  assert.equal(producer.takeSleeping(), false);
});

Deno.test("ring: two threads pass 100,000 records", async () => {
  const memory = createRing(64 * 1024);
  const source = `
    import { RingProducer } from ${
    JSON.stringify(new URL("../../src/record/mod.ts", import.meta.url).href)
  };
    self.onmessage = ({ data }) => {
      const producer = new RingProducer(data);
      for (let i = 0; i < 100_000;) {
        const size = 8 + (i * 31) % 200;
        const at = producer.reserve(size);
        if (at < 0) continue;
        producer.words[at >> 2] = i;
        producer.bytes.fill(i, at + 4, at + size);
        producer.commit();
        i++;
      }
      self.postMessage("done");
    };`;
  const url = URL.createObjectURL(
    new Blob([source], { type: "application/typescript" }),
  );
  const worker = new Worker(url, { type: "module" });
  const consumer = new RingConsumer(memory);
  worker.postMessage(memory);
  for (let i = 0; i < 100_000;) {
    const at = consumer.next();
    if (at < 0) {
      await new Promise((resolve) => setTimeout(resolve, 0));
      continue;
    }
    assert.equal(consumer.words[at >> 2], i);
    assert.equal(consumer.length, 8 + (i * 31) % 200);
    assert.equal(consumer.bytes[at + consumer.length - 1], i & 0xff);
    consumer.release();
    i++;
  }
  worker.terminate();
  URL.revokeObjectURL(url);
});
