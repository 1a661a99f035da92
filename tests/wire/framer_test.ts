import assert from "node:assert/strict";
import { Collector, Framer } from "../../src/wire/mod.ts";

const STREAM = new Uint8Array([
  ...[0x51, 0, 0, 0, 6, 0x78, 0], // Query "x"
  ...[0x53, 0, 0, 0, 4], // Sync, no body
  ...[0x64, 0, 0, 0, 9, 1, 2, 3, 4, 5], // CopyData of five bytes
]);

/** The messages that a framer finds in a stream cut at every `size` bytes: type and body. */
function cut(stream: Uint8Array, size: number): string[] {
  const framer = new Framer();
  const messages: string[] = [];
  let body: number[] = [];
  for (let from = 0; from < stream.length; from += size) {
    const chunk = stream.subarray(from, from + size);
    for (let at = 0; at < chunk.length;) {
      at = framer.step(chunk, at, chunk.length);
      body.push(...chunk.subarray(framer.bodyStart, at));
      if (!framer.finished) continue;
      messages.push(`${String.fromCharCode(framer.type)}:${body}`);
      assert.equal(framer.bodyLength, body.length);
      body = [];
    }
  }
  assert.ok(framer.atBoundary);
  return messages;
}

Deno.test("Framer: messages are the same however the stream is cut", () => {
  const whole = ["Q:120,0", "S:", "d:1,2,3,4,5"];
  for (let size = 1; size <= STREAM.length; size++) {
    assert.deepEqual(cut(STREAM, size), whole, `chunks of ${size}`);
  }
});

Deno.test("Framer: a length below 4 breaks it for good, and it never reads past the chunk", () => {
  for (const length of [0, 3, -1, -2147483648]) {
    const bytes = new Uint8Array(20);
    bytes[0] = 0x51;
    new DataView(bytes.buffer).setInt32(1, length);
    const framer = new Framer();
    assert.equal(framer.step(bytes, 0, bytes.length), bytes.length);
    assert.ok(framer.broken, `${length}`);
    assert.equal(framer.step(bytes, 0, bytes.length), bytes.length);
    assert.ok(!framer.finished);
  }
});

Deno.test("Framer: a length of 2^31 - 1 is counted down, not believed with memory", () => {
  const bytes = new Uint8Array([0x44, 0x7f, 0xff, 0xff, 0xff, 1, 2, 3]);
  const framer = new Framer();
  assert.equal(framer.step(bytes, 0, bytes.length), bytes.length);
  assert.ok(!framer.broken && !framer.finished);
  assert.equal(framer.remaining, 2 ** 31 - 1 - 4 - 3);
});

Deno.test("Framer.reset: a new stream may begin in the middle of a message", () => {
  const framer = new Framer();
  framer.step(STREAM, 0, 3);
  framer.reset();
  assert.equal(framer.step(STREAM, 7, 12), 12);
  assert.equal(framer.type, 0x53);
  assert.ok(framer.finished);
});

Deno.test("Collector: a body in pieces is put together, one in a chunk is not copied", () => {
  const collector = new Collector();
  const chunk = new Uint8Array([1, 2, 3, 4]);
  collector.take(chunk, 1, 3, true, true);
  assert.equal(collector.bytes.buffer, chunk.buffer);
  assert.deepEqual([...collector.bytes], [2, 3]);
  collector.take(chunk, 0, 2, true, false);
  collector.take(chunk, 2, 4, false, true);
  assert.deepEqual([...collector.bytes], [1, 2, 3, 4]);
  assert.ok(!collector.truncated);
});

Deno.test("Collector.rest: the memory of a body in pieces goes back", () => {
  const collector = new Collector();
  const body = new Uint8Array(100).fill(7);
  for (const last of [true, false]) {
    collector.take(body, 0, 50, true, false);
    collector.take(body, 50, 100, false, last);
    assert.equal(collector.heldBytes, Collector.MAX_BYTES);
    collector.rest();
    assert.equal(collector.heldBytes, 0);
    assert.equal(collector.length, 0);
  }
});

Deno.test("Collector: what exceeds the bound is cut off, and said", () => {
  const collector = new Collector();
  const chunk = new Uint8Array(Collector.MAX_BYTES);
  collector.take(chunk, 0, chunk.length, true, false);
  collector.take(chunk, 0, 10, false, true);
  assert.equal(collector.length, Collector.MAX_BYTES);
  assert.ok(collector.truncated);
  // In one piece as in two.
  const whole = new Uint8Array(Collector.MAX_BYTES + 1);
  collector.take(whole, 0, whole.length, true, true);
  assert.equal(collector.bytes.length, Collector.MAX_BYTES);
  assert.ok(collector.truncated);
  collector.take(whole, 0, Collector.MAX_BYTES, true, true);
  assert.ok(!collector.truncated);
});
