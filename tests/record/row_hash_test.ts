import assert from "node:assert/strict";
import { RowHash } from "../../src/record/row_hash.ts";

const encoder = new TextEncoder();

function hash(rows: readonly string[], maxBytes = 1_000, cut = 1_000): RowHash {
  const result = new RowHash(maxBytes);
  for (const row of rows) {
    const bytes = encoder.encode(row);
    for (let at = 0; at < bytes.length; at += cut) {
      result.add(bytes, at, Math.min(bytes.length, at + cut));
    }
    result.end(bytes.length);
  }
  return result;
}

const ordered = (h: RowHash) => [h.orderedA, h.orderedB];
const unordered = (h: RowHash) => [h.unorderedA, h.unorderedB];

Deno.test("RowHash: the order tells one hash and not the other", () => {
  const a = hash(["one", "two", "three"]);
  const b = hash(["three", "one", "two"]);
  assert.notDeepEqual(ordered(a), ordered(b));
  assert.deepEqual(unordered(a), unordered(b));
});

Deno.test("RowHash: how a row is cut into chunks does not matter", () => {
  for (const cut of [1, 2, 3, 7]) {
    assert.deepEqual(
      ordered(hash(["some row", "another"], 1_000, cut)),
      ordered(hash(["some row", "another"])),
    );
  }
});

Deno.test("RowHash: a byte, a row, and where a row ends tell both", () => {
  const base = hash(["ab", "c"]);
  for (
    const other of [["aB", "c"], ["ab"], ["a", "bc"], ["ab", "c", "c"], [
      "",
      "abc",
    ]]
  ) {
    assert.notDeepEqual(ordered(hash(other)), ordered(base), other.join());
    assert.notDeepEqual(unordered(hash(other)), unordered(base), other.join());
  }
});

Deno.test("RowHash: beyond the bound no row is hashed, not even in part", () => {
  const short = hash(["12345", "12345"], 10);
  const long = hash(["12345", "12345", "x", "long long row"], 10);
  assert.equal(long.hashedRows, 2);
  assert.deepEqual(ordered(long), ordered(short));
  const cutInRow = hash(["12345", "123456"], 10, 2);
  assert.equal(cutInRow.hashedRows, 1);
  assert.deepEqual(ordered(cutInRow), ordered(hash(["12345"])));
  assert.equal(hash(["a"], 0).hashedRows, 0);
});

Deno.test("RowHash: 100,000 different rows have different hashes", () => {
  const seen = new Set<string>();
  for (let i = 0; i < 100_000; i++) {
    seen.add(unordered(hash([`row ${i}`])).join());
  }
  assert.equal(seen.size, 100_000);
});
