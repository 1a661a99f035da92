import assert from "node:assert/strict";
import { AnswerBuffer } from "../../src/record/answer_buffer.ts";
import { ViewedBytes } from "../../src/record/viewed_bytes.ts";
import { randomOf } from "../support/mutation.ts";

function copyOf(answer: AnswerBuffer): Uint8Array {
  const to = new ViewedBytes(new Uint8Array(answer.length + 3));
  answer.copyTo(to, 3);
  assert.deepEqual(to.bytes.subarray(0, 3), new Uint8Array(3));
  return to.bytes.subarray(3);
}

Deno.test("AnswerBuffer: holds what was added, from whatever chunks and in whatever pieces", () => {
  const random = randomOf(7);
  const upTo = (count: number) => Math.floor(random() * count);
  const answer = new AnswerBuffer();
  const chunks = [new Uint8Array(20_000), new Uint8Array(500)];
  let chunk = chunks[0] as Uint8Array<ArrayBuffer>;
  let at = 0;
  let model: number[] = [];
  for (let i = 0; i < 5_000; i++) {
    const choice = upTo(20);
    if (choice === 0) {
      // The next read: what came before must not be in the chunk any more.
      answer.settle();
      chunk = chunks[upTo(2)] as Uint8Array<ArrayBuffer>;
      chunk.forEach((_, j) => chunk[j] = upTo(256));
      at = 0;
    } else if (choice === 1) {
      const length = upTo(70_000);
      answer.header(0x54, length);
      model.push(0x54, 0, ...bytesOf(length + 4));
    } else if (choice === 2) {
      assert.deepEqual(copyOf(answer), Uint8Array.from(model));
      if (random() < 0.5) answer.clear();
      else answer.rest();
      model = [];
    } else if (choice === 3) {
      // Another chunk, and this one stays as it is.
      chunk = chunks[1 - chunks.indexOf(chunk)] as Uint8Array<ArrayBuffer>;
      at = Math.min(at, chunk.length);
    } else {
      // Often it goes on where the last piece ended.
      const from = random() < 0.3 ? upTo(chunk.length) : at;
      at = Math.min(chunk.length, from + upTo(random() < 0.1 ? 9_000 : 60));
      answer.add(chunk, from, at);
      model.push(...chunk.subarray(from, at));
    }
    answer.check();
    assert.equal(answer.length, model.length);
    if (choice > 16) {
      assert.deepEqual(copyOf(answer), Uint8Array.from(model));
    }
  }
  assert.deepEqual(
    answer.bytes.subarray(0, answer.length),
    Uint8Array.from(model),
  );
  answer.rest();
  assert.equal(answer.heldBytes, 0);
});

/** The three low bytes of a number. */
function bytesOf(value: number): number[] {
  return [value >>> 16 & 255, value >>> 8 & 255, value & 255];
}

Deno.test("AnswerBuffer.check: a chunk that has shrunk under its run is found", () => {
  const memory = new ArrayBuffer(64, { maxByteLength: 64 });
  const answer = new AnswerBuffer();
  answer.add(new Uint8Array(memory), 10, 40);
  answer.check();
  memory.resize(20);
  assert.throws(() => answer.check(), /the run is 30 from 10 of 20/);
});
