import assert from "node:assert/strict";
import { type Answer, readCells } from "../../src/judge/answer.ts";
import { splitCopy } from "../../src/judge/copy_rows.ts";
import { concat, int16, int32 } from "../support/wire_client.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

function cells(
  row: string | Uint8Array,
  format: Parameters<typeof splitCopy>[1],
): (string | null)[] {
  const answer: Answer = {
    rows: [typeof row === "string" ? bytes(row) : row],
    hasCells: false,
    error: undefined,
  };
  const { rows: [first], hasCells } = splitCopy(answer, format);
  assert.ok(hasCells && first);
  return readCells(first).map((cell) =>
    cell === undefined ? null : new TextDecoder().decode(cell)
  );
}

Deno.test("splitCopy: lines of text are cut at their tabs", () => {
  assert.deepEqual(cells("1\ta b\t\\N\t\n", "text"), ["1", "a b", null, ""]);
  assert.deepEqual(cells("a\\tb\\n\n", "text"), ["a\\tb\\n"]);
  assert.deepEqual(cells("\n", "text"), [""]);
});

Deno.test("splitCopy: lines of CSV are cut at commas out of quotes", () => {
  assert.deepEqual(cells('1,"a,""b""\nc",,""\n', "csv"), [
    "1",
    '"a,""b""\nc"',
    null,
    '""',
  ]);
  assert.deepEqual(cells("1,\n", "csv"), ["1", null]);
});

Deno.test("splitCopy: tuples in binary are what they are", () => {
  const tuple = concat([int16(2), int32(1), bytes("x"), int32(-1)]);
  assert.deepEqual(cells(tuple, "binary"), ["x", null]);
});

Deno.test("splitCopy: what ends the binary form is no row", () => {
  const rows = [concat([int16(1), int32(-1)]), int16(-1)];
  const answer: Answer = { rows, hasCells: false, error: undefined };
  assert.deepEqual(splitCopy(answer, "binary").rows, rows.slice(0, 1));
});
