import assert from "node:assert/strict";
import * as d from "../../src/record/mod.ts";
import { Framer } from "../../src/wire/mod.ts";
import { concat, int16, int32, message } from "../support/wire_client.ts";

const row = (text: string) => message("D", int16(1), int32(text.length), text);
const complete = (tag: string) => message("C", `${tag}\0`);

/** The first statement of a reply, its rows hashed up to so many bytes. */
function digest(maxRowBytes: number, ...messages: Uint8Array[]) {
  const bytes = concat(messages);
  const framer = new Framer();
  const reply = new d.ReplyDigest(maxRowBytes);
  for (let at = 0; at < bytes.length;) {
    at = framer.step(bytes, at, bytes.length);
    reply.step(framer, bytes, framer.bodyStart, at, 1);
  }
  assert.equal(reply.statements, 1);
  const word = (offset: number) => reply.words[offset] as number;
  return {
    rows: word(d.STATEMENT_ROWS),
    hashed: word(d.STATEMENT_HASHED_ROWS),
    hasRows: (word(d.STATEMENT_KIND) & d.FLAG_ROWS) !== 0,
    cut: (word(d.STATEMENT_KIND) & d.FLAG_CUT) !== 0,
  };
}

Deno.test("ReplyDigest: rows beyond the bound are counted and said to be cut off", () => {
  const rows = [row("aaaa"), row("bbbb"), row("cccc")];
  const whole = { rows: 3, hashed: 3, hasRows: true, cut: false };
  assert.deepEqual(digest(1_000, ...rows, complete("SELECT 3")), whole);
  // A row of four bytes has a body of ten.
  const cut = { ...whole, hashed: 2, cut: true };
  assert.deepEqual(digest(20, ...rows, complete("SELECT 3")), cut);
  assert.deepEqual(digest(0, row("x"), complete("SELECT 1")), {
    rows: 1,
    hashed: 0,
    hasRows: true,
    cut: true,
  });
});

Deno.test("ReplyDigest: a count without rows is cut off from nothing", () => {
  assert.deepEqual(digest(0, complete("INSERT 0 7")), {
    rows: 7,
    hashed: 0,
    hasRows: false,
    cut: false,
  });
});

/** The words of the one statement of a reply that comes in pieces of `size`. */
function wordsOf(size: number, ...messages: Uint8Array[]): Uint32Array {
  const bytes = concat(messages);
  const framer = new Framer();
  const reply = new d.ReplyDigest(1_000_000);
  for (let from = 0; from < bytes.length; from += size) {
    const chunk = bytes.slice(from, from + size);
    for (let at = 0; at < chunk.length;) {
      at = framer.step(chunk, at, chunk.length);
      reply.step(framer, chunk, framer.bodyStart, at, 1);
    }
  }
  assert.equal(reply.statements, 1);
  return reply.words.slice(0, d.STATEMENT_WORDS);
}

const SIZES = [1, 7, 1_000, 16_384, 1_000_000];

interface Column {
  readonly name: string;
  readonly table?: number;
  readonly type?: number;
  readonly format?: number;
}

const describe = (...columns: Column[]) =>
  message(
    "T",
    int16(columns.length),
    ...columns.map(({ name, table = 0, type = 23, format = 0 }) =>
      concat([
        message("x", `${name}\0`).subarray(5),
        int32(table),
        int16(3),
        int32(type),
        int16(4),
        int32(-1),
        int16(format),
      ])
    ),
  );

Deno.test("ReplyDigest: columns are told by name, type and format, not by what a server numbers itself", () => {
  const columns = (column: Column) =>
    wordsOf(5, describe(column), complete("SELECT 0"))[d.STATEMENT_COLUMNS];
  const one = columns({ name: "a", table: 16_390, type: 16_500 });
  assert.equal(columns({ name: "a", table: 20_001, type: 70_000 }), one);
  for (
    const other of [
      { name: "b", type: 16_500 },
      { name: "a", type: 25 },
      { name: "a", type: 16_500, format: 1 },
    ]
  ) assert.notEqual(columns(other), one);
});

Deno.test("ReplyDigest: the columns of a wide row are compared to the last, however they come", () => {
  const wide = (last: string) =>
    describe(
      ...Array.from({ length: 1_600 }, (_, i) => ({ name: `column_${i}` })),
      { name: last },
    );
  const columns = (size: number, last: string) =>
    wordsOf(size, wide(last), complete("SELECT 0"))[d.STATEMENT_COLUMNS];
  const expected = columns(1_000_000, "last");
  for (const size of SIZES) {
    assert.equal(columns(size, "last"), expected, `pieces of ${size}`);
    assert.notEqual(columns(size, "lost"), expected, `pieces of ${size}`);
  }
});

const COPY_HEADER = concat([
  new Uint8Array([0x50, 0x47, 0x43, 0x4f, 0x50, 0x59, 0x0a, 0xff, 0x0d, 0x0a]),
  new Uint8Array([0]),
  int32(0),
  int32(0),
]);
const copyOut = (format: number) =>
  message("H", new Uint8Array([format]), int16(1), int16(format));

Deno.test("ReplyDigest: the header of a binary COPY is no part of the row that it travels with", () => {
  const rows = ["one", "two", "three"];
  const copy = (size: number, order: readonly string[]) => {
    const [first = "", ...rest] = order;
    return wordsOf(
      size,
      copyOut(1),
      message("d", COPY_HEADER, first),
      ...rest.map((text) => message("d", text)),
      message("d", int16(-1)),
      complete("COPY 3"),
    );
  };
  const hashes = (words: Uint32Array) => [
    ...words.subarray(d.STATEMENT_UNORDERED, d.STATEMENT_UNORDERED + 2),
  ];
  const expected = copy(1_000_000, rows);
  for (const size of SIZES) {
    assert.deepEqual(copy(size, rows), expected, `pieces of ${size}`);
    const other = copy(size, ["three", "one", "two"]);
    assert.deepEqual(hashes(other), hashes(expected), `pieces of ${size}`);
    const changed = copy(size, ["three", "one", "twice"]);
    assert.notDeepEqual(hashes(changed), hashes(expected));
  }
  assert.equal(expected[d.STATEMENT_ROWS], 4); // with the end's mark
});

Deno.test("ReplyDigest: a COPY in text has no header", () => {
  const text = (first: string) =>
    wordsOf(
      9,
      copyOut(0),
      message("d", `${"x".repeat(15)}${first}`),
      complete("COPY 1"),
    );
  assert.notDeepEqual(text("a"), text("b"));
});
