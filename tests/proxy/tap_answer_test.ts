import assert from "node:assert/strict";
import { loadModule } from "libpg-query";
import { ShapeCache } from "../../src/sql/shape_cache.ts";
import { randomOf } from "../support/mutation.ts";
import { TappedSession } from "../support/tapped_session.ts";
import { concat, int16, int32, message } from "../support/wire_client.ts";

const query = (sql: string) => message("Q", `${sql}\0`);
const done = (tag: string, status: string) =>
  concat([message("C", `${tag}\0`), message("Z", status)]);
const DESCRIPTION = message(
  "T",
  int16(1),
  "a\0",
  ...[int32(0), int16(0), int32(25), int16(-1), int32(-1), int16(0)],
);
const row = (text: string) => message("D", int16(1), int32(text.length), text);
const ROWS = [row("one"), row("x".repeat(700)), row(""), row("four")];
const ERROR = message("E", "SERROR\0C22012\0Mdivision by zero\0\0");

/** A transaction: each query and its answer, and what is kept of that. */
const EXCHANGES = [
  { sql: "begin", reply: done("BEGIN", "T"), kept: [] },
  {
    sql: "select a from t",
    reply: concat([DESCRIPTION, ...ROWS, done("SELECT 4", "T")]),
    kept: [DESCRIPTION, ...ROWS],
  },
  {
    sql: "select 1 / 0",
    reply: concat([DESCRIPTION, ERROR, message("Z", "E")]),
    kept: [DESCRIPTION, ERROR],
  },
  { sql: "rollback", reply: done("ROLLBACK", "I"), kept: [] },
];

Deno.test("Tap: an answer outlives the buffer that it was read into, in whatever pieces it came", async () => {
  await loadModule();
  const shapes = new ShapeCache(10);
  const random = randomOf(11);
  const kept = concat(EXCHANGES.flatMap(({ kept }) => kept));
  const replies = concat(EXCHANGES.map(({ reply }) => reply));
  for (let i = 0; i < 300; i++) {
    const session = new TappedSession(shapes);
    // The first comes in single bytes, others in ever larger pieces.
    const most = 1 + i;
    for (const { sql } of EXCHANGES) session.client(query(sql));
    for (let at = 0; at < replies.length;) {
      const to = Math.min(replies.length, at + 1 + Math.floor(random() * most));
      session.server(replies.subarray(at, to));
      at = to;
    }
    assert.equal(session.transactions.length, 1);
    assert.deepEqual(session.transactions[0]?.answers, kept, `up to ${most}`);
    assert.equal(session.end(), 0);
  }
});
