import assert from "node:assert/strict";
import {
  copyBytes,
  viewed,
  ViewedBytes,
} from "../../src/record/viewed_bytes.ts";

Deno.test("copyBytes: as many as asked for, at any place, and none beside them", () => {
  // It does not begin where its memory does, as that of a ring does not.
  const from = new ViewedBytes(new Uint8Array(new ArrayBuffer(700), 64, 600));
  from.bytes.forEach((_, i) => from.bytes[i] = 1 + i % 250);
  for (let count = 0; count <= 300; count++) {
    for (const [start, at] of [[0, 0], [3, 5], [8, 1]] as const) {
      const to = new ViewedBytes(new Uint8Array(new ArrayBuffer(400), 8, 380));
      copyBytes(from, start, count, to, at);
      const expected = new Uint8Array(380);
      expected.set(from.bytes.subarray(start, start + count), at);
      assert.deepEqual(to.bytes, expected, `${count} from ${start} to ${at}`);
    }
  }
});

Deno.test("viewed: one view for each chunk, also where another came between", () => {
  const one = new Uint8Array([1, 2]);
  const two = new Uint8Array([3, 4]);
  assert.equal(viewed(one), viewed(one));
  assert.equal(viewed(one).view.getUint8(1), 2);
  assert.equal(viewed(two).view.getUint8(1), 4);
  assert.equal(viewed(one).view.getUint8(1), 2);
});
