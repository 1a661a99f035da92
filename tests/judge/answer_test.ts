import assert from "node:assert/strict";
import { readAnswer } from "../../src/judge/answer.ts";
import { concat, int16, int32, message } from "../support/wire_client.ts";

const COPY_HEADER = concat([
  new Uint8Array([0x50, 0x47, 0x43, 0x4f, 0x50, 0x59, 10, 0xff, 13, 10, 0]),
  int32(0),
  int32(0),
]);
const rowsOf = (...messages: Uint8Array[]) =>
  readAnswer(concat(messages)).rows.map((row) => new TextDecoder().decode(row));

Deno.test("readAnswer: the header of a binary COPY is no row, and no part of one", () => {
  assert.deepEqual(
    rowsOf(message("d", COPY_HEADER, "one"), message("d", "two")),
    ["one", "two"],
  );
  assert.deepEqual(rowsOf(message("d", COPY_HEADER), message("d", "one")), [
    "one",
  ]);
  assert.deepEqual(rowsOf(message("d", "PGCOPY"), message("d")), [
    "PGCOPY",
    "",
  ]);
});

Deno.test("readAnswer: what is cut off, or lies about its length, is left out", () => {
  const row = message("D", int16(1), int32(1), "a");
  assert.equal(rowsOf(row, row.subarray(0, -1)).length, 1);
  const liar = concat([new Uint8Array([0x44]), int32(0x7fff_ffff), row]);
  assert.equal(rowsOf(row, liar).length, 1);
});
