import assert from "node:assert/strict";
import * as d from "../../src/digest/mod.ts";
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
