import assert from "node:assert/strict";
import { ProtocolError } from "../../src/wire/protocol_error.ts";
import { Reader } from "../../src/wire/reader.ts";

function refuses(action: () => unknown, message: RegExp): void {
  assert.throws(action, (error) => {
    assert.ok(error instanceof ProtocolError, String(error));
    assert.equal(error.sqlstate, "08P01");
    assert.match(error.message, message);
    return true;
  });
}

Deno.test("Reader: reads the manual's types in order", () => {
  const reader = new Reader(
    // deno-fmt-ignore
    Uint8Array.of(
      0x53,                    // byte
      0xff, 0xfe,              // int16 -2
      0x00, 0x01, 0x00, 0x02,  // int32 65538
      0xc3, 0xa9, 0x00,        // cstring "é"
      0x07, 0x08,              // bytes
      0x78,                    // text "x"
    ),
    "Test",
  );
  assert.equal(reader.byte("a"), 0x53);
  assert.equal(reader.int16("b"), -2);
  assert.equal(reader.int32("c"), 65538);
  assert.equal(reader.cstring("d", 2), "é");
  assert.deepEqual([...reader.bytes(2, "e")], [7, 8]);
  assert.equal(reader.text("f"), "x");
  assert.equal(reader.remaining, 0);
  reader.end();
});

Deno.test("Reader: a body that lies inside a larger buffer is not left", () => {
  const buffer = Uint8Array.of(1, 2, 3, 0, 5);
  const reader = new Reader(buffer.subarray(1, 3), "Test");
  refuses(() => reader.cstring("name", 10), /name has no zero byte/);
  assert.equal(reader.int16("pair"), 0x0203);
  refuses(() => reader.byte("more"), /more needs 1 bytes, 0 are left/);
});

Deno.test("Reader: short, negative, long and ill-encoded fields are refused by name", () => {
  const of = (...bytes: number[]) => new Reader(Uint8Array.from(bytes), "Bind");
  refuses(() => of(1).int16("format count"), /^Bind message: format count/);
  refuses(() => of(1, 2, 3).int32("row limit"), /needs 4 bytes, 3 are left/);
  refuses(() => of(0xff, 0xff).count("format count"), /is -1/);
  refuses(() => of(1).bytes(-1, "value"), /length of -1/);
  refuses(() => of(1).bytes(0x7fffffff, "value"), /2147483647 bytes, 1/);
  refuses(() => of(65, 66, 0).cstring("name", 1), /has 2 bytes, at most 1/);
  refuses(() => of(0xc3, 0x28, 0).cstring("name", 9), /is not UTF-8/);
  refuses(() => of(1, 2).end(), /followed by 2 bytes/);
});
