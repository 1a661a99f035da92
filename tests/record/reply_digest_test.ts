import assert from "node:assert/strict";
import fc from "fast-check";
import * as d from "../../src/record/mod.ts";
import { Framer } from "../../src/wire/mod.ts";
import { concat, int16, int32, message } from "../support/wire_client.ts";

const row = (text: string) => message("D", int16(1), int32(text.length), text);
const complete = (tag: string) => message("C", `${tag}\0`);

/**
 * The first statement of a reply that comes in pieces of `size`, kept up to
 * `maxBytes`; what can be taken whole is, if `isWhole`.
 */
function played(
  maxBytes: number,
  size: number,
  messages: readonly Uint8Array[],
  isWhole: boolean,
) {
  const bytes = concat(messages);
  const framer = new Framer();
  const reply = new d.ReplyDigest(maxBytes);
  for (let from = 0; from < bytes.length; from += size) {
    const chunk = bytes.slice(from, from + size);
    for (let at = 0; at < chunk.length;) {
      if (isWhole && framer.atBoundary) {
        at = reply.whole(chunk, at, chunk.length);
        if (at === chunk.length) break;
      }
      at = framer.step(chunk, at, chunk.length);
      reply.step(framer, chunk, framer.bodyStart, at, 1);
    }
    reply.settle();
    chunk.fill(0xee);
  }
  assert.equal(reply.statements, 1);
  return {
    words: reply.words.slice(0, d.STATEMENT_WORDS),
    answer: reply.answer.slice(0, reply.answerLength),
  };
}

/** The same, which must not depend on what was taken whole. */
function statementOf(
  maxBytes: number,
  size: number,
  ...messages: Uint8Array[]
) {
  const stepped = played(maxBytes, size, messages, false);
  const whole = played(maxBytes, size, messages, true);
  assert.deepEqual(whole, stepped, `pieces of ${size}, up to ${maxBytes}`);
  return whole;
}

/** The counts of a reply's first statement. */
function digest(maxBytes: number, ...messages: Uint8Array[]) {
  const { words, answer } = statementOf(maxBytes, 1_000, ...messages);
  const word = (offset: number) => words[offset] as number;
  assert.equal(word(d.STATEMENT_ANSWER), answer.length);
  return {
    rows: word(d.STATEMENT_ROWS),
    kept: word(d.STATEMENT_KEPT_ROWS),
    hashed: word(d.STATEMENT_HASHED_ROWS),
    bytes: word(d.STATEMENT_ROW_BYTES),
    hasRows: (word(d.STATEMENT_KIND) & d.FLAG_ROWS) !== 0,
    cut: (word(d.STATEMENT_KIND) & d.FLAG_CUT) !== 0,
  };
}

Deno.test("ReplyDigest: rows behind the bound are hashed up to the same bound, then counted", () => {
  const messages = [
    row("aaaa"),
    row("bbbb"),
    row("cccc"),
    complete("SELECT 3"),
  ];
  // A row of four bytes has a body of ten, and a header of five.
  const all = { rows: 3, bytes: 30, hasRows: true };
  for (
    const [maxBytes, kept, hashed] of [
      [45, 3, 0],
      [44, 2, 1],
      [30, 2, 1],
      [29, 1, 2],
      [15, 1, 1],
      [14, 0, 1],
      [0, 0, 0],
    ] as const
  ) {
    const cut = kept < 3;
    const expected = { ...all, kept, hashed, cut };
    assert.deepEqual(digest(maxBytes, ...messages), expected, `${maxBytes}`);
  }
});

Deno.test("ReplyDigest: behind a row that does not fit none is kept", () => {
  const messages = [row("aaaa"), row("b".repeat(90)), row("c")];
  const { kept, cut } = digest(50, ...messages, complete("SELECT 3"));
  assert.deepEqual({ kept, cut }, { kept: 1, cut: true });
});

Deno.test("ReplyDigest: a count without rows is cut off from nothing", () => {
  assert.deepEqual(digest(0, complete("INSERT 0 7")), {
    rows: 7,
    kept: 0,
    hashed: 0,
    bytes: 0,
    hasRows: false,
    cut: false,
  });
});

Deno.test("ReplyDigest: the answer is what came, in whatever pieces", () => {
  const error = message("E", "SERROR\0C22012\0Mdivision by zero\0\0");
  const kept = [
    describe({ name: "a" }),
    row("one"),
    row("x".repeat(9_000)),
    error,
  ];
  for (const size of SIZES) {
    const { answer } = statementOf(100_000, size, ...kept);
    assert.deepEqual(answer, concat(kept), `pieces of ${size}`);
  }
});

Deno.test("ReplyDigest: an error is kept behind rows that filled the bound; none is where nothing is", () => {
  const error = message("E", "SERROR\0C22012\0Mdivision by zero\0\0");
  const { answer } = statementOf(15, 7, row("aaaa"), error);
  assert.deepEqual(answer, concat([row("aaaa"), error]));
  assert.equal(statementOf(0, 7, error).answer.length, 0);
});

Deno.test("ReplyDigest: drained in the middle of a row, it goes on with the rest", () => {
  const reply = new d.ReplyDigest(1_000_000);
  const framer = new Framer();
  const bytes = concat([row("x".repeat(300)), complete("SELECT 1")]);
  const taken: Uint8Array[] = [];
  for (let from = 0; from < bytes.length; from += 50) {
    const chunk = bytes.slice(from, from + 50);
    for (let at = 0; at < chunk.length;) {
      at = framer.step(chunk, at, chunk.length);
      reply.step(framer, chunk, framer.bodyStart, at, 1);
    }
    taken.push(reply.answer.slice(0, reply.answerLength));
    if (reply.statements === 0) reply.drain();
  }
  assert.deepEqual(concat(taken), row("x".repeat(300)));
  assert.equal(reply.words[d.STATEMENT_ANSWER], row("x".repeat(300)).length);
  reply.rest();
  assert.equal(reply.answer.length, 0, "nothing is held at rest");
});

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
    statementOf(0, 5, describe(column), complete("SELECT 0"))
      .words[d.STATEMENT_COLUMNS];
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
    statementOf(0, size, wide(last), complete("SELECT 0"))
      .words[d.STATEMENT_COLUMNS];
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
  const bytesOf = (format: number, maxBytes: number, size: number) => {
    const { words } = statementOf(
      maxBytes,
      size,
      copyOut(format),
      message("d", COPY_HEADER, "one"),
      message("d", "three"),
      message("d", int16(-1)),
      complete("COPY 2"),
    );
    return [d.STATEMENT_ROWS, d.STATEMENT_ROW_BYTES].map((at) => words[at]);
  };
  for (const maxBytes of [0, 20, 1_000]) {
    for (const size of SIZES) {
      assert.deepEqual(bytesOf(1, maxBytes, size), [3, 10]); // with the end's mark
      assert.deepEqual(bytesOf(0, maxBytes, size), [3, 29], "in text");
    }
  }
});

Deno.test("ReplyDigest: a description and rows taken whole are those taken step by step", () => {
  const texts = fc.array(fc.string({ maxLength: 40 }), { maxLength: 12 });
  fc.assert(
    fc.property(
      fc.nat(2),
      texts,
      fc.constantFrom(0, 1, 30, 60, 200, 10_000),
      fc.integer({ min: 1, max: 300 }),
      (descriptions, rows, maxBytes, size) => {
        statementOf(
          maxBytes,
          size,
          ...Array.from(
            { length: descriptions },
            () => describe({ name: "a" }),
          ),
          ...rows.map((text) => row(text.replaceAll(/[^ -~]/g, "?"))),
          complete(`SELECT ${rows.length}`),
        );
      },
    ),
    { numRuns: 2_000, seed: 3 },
  );
});
