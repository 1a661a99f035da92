import assert from "node:assert/strict";
import { Writer, WriterFullError } from "../../src/wire/writer.ts";

Deno.test("Writer: a message has its type, its length and its fields", () => {
  const writer = new Writer({ maxBytes: 1024, initialBytes: 4 });
  writer.begin(0x54);
  writer.byte(1);
  writer.int16(-2);
  writer.int32(65538);
  writer.int64(-1n);
  writer.float64(1);
  writer.cstring("é");
  writer.textValue("ab");
  writer.bytes(Uint8Array.of(9));
  writer.end();
  // deno-fmt-ignore
  assert.deepEqual([...writer.take()], [
    0x54, 0, 0, 0, 37,
    1,
    0xff, 0xfe,
    0, 1, 0, 2,
    255, 255, 255, 255, 255, 255, 255, 255,
    0x3f, 0xf0, 0, 0, 0, 0, 0, 0,
    0xc3, 0xa9, 0,
    0, 0, 0, 2, 0x61, 0x62,
    9,
  ]);
  assert.equal(writer.length, 0);
});

Deno.test("Writer: an open message is not taken, and the next begin drops it", () => {
  const writer = new Writer({ maxBytes: 1024 });
  writer.begin(0x41);
  writer.end();
  writer.begin(0x42);
  writer.int32(7);
  assert.equal(writer.length, 5);
  writer.begin(0x43);
  writer.end();
  assert.deepEqual([...writer.take()], [0x41, 0, 0, 0, 4, 0x43, 0, 0, 0, 4]);
});

Deno.test("Writer: the bound is kept to the byte and what was complete survives", () => {
  const writer = new Writer({ maxBytes: 15, initialBytes: 1 });
  writer.begin(0x41);
  writer.end();
  writer.begin(0x42);
  writer.bytes(new Uint8Array(5));
  assert.throws(() => writer.byte(1), WriterFullError);
  writer.end();
  assert.equal(writer.length, 15);
  assert.throws(() => writer.begin(0x43), WriterFullError);
  assert.equal(writer.take().length, 15);
});

Deno.test("Writer: text is bounded by its bytes, not by its worst case", () => {
  const writer = new Writer({ maxBytes: 16 });
  writer.begin(0x41);
  writer.cstring("0123456789");
  writer.end();
  assert.equal(writer.length, 16);
});

Deno.test("Writer: a zero byte inside a string is refused", () => {
  const writer = new Writer({ maxBytes: 64 });
  writer.begin(0x41);
  assert.throws(() => writer.cstring("a\0b"), RangeError);
});

Deno.test("Writer: text that needs more room than there is arrives whole", () => {
  const text = "aé😀".repeat(20);
  const writer = new Writer({ maxBytes: 1024, initialBytes: 8 });
  writer.begin(0x41);
  writer.cstring(text);
  writer.end();
  const bytes = writer.take();
  assert.equal(new TextDecoder().decode(bytes.subarray(5)), `${text}\0`);
});
