import assert from "node:assert/strict";
import type { Cell } from "../../src/plugin/api.ts";
import {
  BINARY_FORMAT,
  type ResultType,
  TEXT_FORMAT,
  writeCell,
} from "../../src/admin/result_types.ts";
import { Writer } from "../../src/wire/mod.ts";

function bytesOf(value: Cell, type: ResultType, format: number): Uint8Array {
  const writer = new Writer({ maxBytes: 4096 });
  writer.begin(0);
  writeCell(writer, value, { name: "c", type }, format);
  writer.end();
  return writer.take().slice(5);
}

function text(value: Cell, type: ResultType): string {
  return new TextDecoder().decode(bytesOf(value, type, TEXT_FORMAT).slice(4));
}

function hex(value: Cell, type: ResultType): string {
  return [...bytesOf(value, type, BINARY_FORMAT)].map((byte) =>
    byte.toString(16).padStart(2, "0")
  ).join("");
}

Deno.test("writeCell: text format as PostgreSQL writes it", () => {
  assert.equal(text(true, "bool"), "t");
  assert.equal(text(false, "bool"), "f");
  assert.equal(text(2n ** 63n - 1n, "int8"), "9223372036854775807");
  assert.equal(text(-0, "int8"), "0");
  assert.equal(text(1.5, "float8"), "1.5");
  assert.equal(text(NaN, "float8"), "NaN");
  assert.equal(text(-Infinity, "float8"), "-Infinity");
  assert.equal(
    text(new Date("2024-02-29T23:59:59.001Z"), "timestamptz"),
    "2024-02-29 23:59:59.001+00",
  );
  assert.equal(text("a\0b", "text"), "a\ufffdb");
  assert.equal(text(12n, "text"), "12");
});

// Values from a PostgreSQL 15.18: COPY (SELECT …) TO STDOUT (FORMAT binary).
Deno.test("writeCell: binary format, length first", () => {
  assert.equal(hex(null, "text"), "ffffffff");
  assert.equal(hex("é", "text"), "00000002c3a9");
  assert.equal(hex(true, "bool"), "0000000101");
  assert.equal(hex(-2, "int4"), "00000004fffffffe");
  assert.equal(hex(-2n, "int8"), "00000008fffffffffffffffe");
  assert.equal(hex(0.5, "float8"), "000000083fe0000000000000");
  assert.equal(
    hex(new Date("2000-01-01T00:00:01.001Z"), "timestamptz"),
    "0000000800000000000f4628",
  );
  assert.equal(
    hex(new Date("1999-12-31T23:59:59Z"), "timestamptz"),
    "00000008fffffffffff0bdc0",
  );
});

Deno.test("writeCell: a value of another type is refused by the column's name", () => {
  const cases: [Cell, ResultType][] = [
    [1.5, "int8"],
    [NaN, "int8"],
    [2n ** 63n, "int8"],
    ["1", "int8"],
    ["1", "float8"],
    [1, "bool"],
    ["2024-01-01", "timestamptz"],
    [new Date(NaN), "timestamptz"],
  ];
  for (const [value, type] of cases) {
    for (const format of [TEXT_FORMAT, BINARY_FORMAT]) {
      assert.throws(
        () => bytesOf(value, type, format),
        /^TypeError: Column "c"/,
      );
    }
  }
});
