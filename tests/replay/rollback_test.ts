import assert from "node:assert/strict";
import { loadModule } from "libpg-query";
import { planTransaction } from "../../src/replay/plan.ts";
import { SessionStatements } from "../../src/replay/session_statements.ts";
import { ShapeCache } from "../../src/sql/shape_cache.ts";
import { TappedSession } from "../support/tapped_session.ts";
import {
  concat,
  extended,
  message,
  query,
  sync,
} from "../support/wire_client.ts";

/** A cycle, and how the primary ends it: with how many statements, with which error, in which status. */
type Cycle = readonly [
  Uint8Array,
  done: number,
  code: string,
  status: string,
  copyIn?: Uint8Array,
];

async function rollbackOf(...cycles: readonly Cycle[]) {
  await loadModule();
  const shapes = new ShapeCache(100);
  const session = new TappedSession(shapes);
  for (const [bytes, done, code, status, copyIn] of cycles) {
    session.client(bytes);
    session.server(concat([
      ...Array.from({ length: done }, () => message("C", "UPDATE 1\0")),
      ...(copyIn ? [copyIn] : []),
      ...(code === ""
        ? []
        : [message("E", `SERROR\0VERROR\0C${code}\0Mno\0\0`)]),
      message("Z", status),
    ]));
  }
  const [transaction] = session.transactions;
  assert.ok(transaction);
  const { rollback } = planTransaction(
    transaction,
    new SessionStatements(shapes),
  );
  return [rollback.by, ...rollback.failed];
}

const BEGIN: Cycle = [query("begin"), 1, "", "T"];
const UPDATE = "update t set a = 1";
const pipeline = (...texts: string[]) =>
  concat([...texts.map(extended), sync()]);

Deno.test("rollbackOf: without an error nothing is to be rolled back", async () => {
  assert.deepEqual(await rollbackOf([query(UPDATE), 1, "", "I"]), ["client"]);
  assert.deepEqual(
    await rollbackOf(BEGIN, [query(UPDATE), 1, "", "T"], [
      query("commit"),
      1,
      "",
      "I",
    ]),
    ["client"],
  );
});

Deno.test("rollbackOf: one statement by itself is put into a block, whatever it failed with", async () => {
  for (const code of ["40001", "55P03", "23505", "53200"]) {
    for (const bytes of [query(UPDATE), pipeline(UPDATE)]) {
      assert.deepEqual(await rollbackOf([bytes, 0, code, "I"]), ["block"]);
    }
  }
});

Deno.test("rollbackOf: what runs by itself only, or several, is not replayed if chance had a hand in it", async () => {
  const scripts = [
    query("alter table t add column a int"),
    query("vacuum t"),
    query(`${UPDATE}; ${UPDATE}`),
    query("do $$ begin end $$"),
  ];
  for (const bytes of scripts) {
    assert.deepEqual(await rollbackOf([bytes, 0, "55P03", "I"]), ["none"]);
    assert.deepEqual(await rollbackOf([bytes, 0, "42P01", "I"]), ["client"]);
  }
  // The client's own CopyFail.
  const copy = concat([
    query(`${UPDATE}; copy t from stdin`),
    message("f", "no\0"),
  ]);
  assert.deepEqual(
    await rollbackOf([copy, 1, "57014", "I", message("G", "\0\0\0")]),
    ["client"],
  );
  // It needs a block, which is its error.
  assert.deepEqual(
    await rollbackOf([query("select 1"), 0, "25P01", "I"]),
    ["client"],
  );
});

Deno.test("rollbackOf: a block that has failed fails before its next cycle", async () => {
  for (const code of ["40001", "23505"]) {
    assert.deepEqual(
      await rollbackOf(
        BEGIN,
        [query(UPDATE), 0, code, "E"],
        [query("commit"), 1, "", "I"],
      ),
      ["client", 2],
    );
  }
});

Deno.test("rollbackOf: a COMMIT that fails by chance fails in a block that has failed, a refused one does not", async () => {
  const commit = (code: string, bytes: Uint8Array, done = 0): Cycle[] => [
    BEGIN,
    [query(UPDATE), 1, "", "T"],
    [bytes, done, code, "I"],
  ];
  const alone = query("commit");
  assert.deepEqual(await rollbackOf(...commit("40001", alone)), ["client", 2]);
  assert.deepEqual(await rollbackOf(...commit("23505", alone)), ["client"]);
  const last = pipeline(UPDATE, "commit");
  assert.deepEqual(await rollbackOf(...commit("40001", last, 1)), ["none"]);
});

Deno.test("rollbackOf: a COMMIT that the primary has skipped can't be kept from the mirror", async () => {
  const fails = (code: string): Cycle[] => [
    [pipeline("begin", UPDATE, "commit"), 1, code, "E"],
    [query("rollback"), 1, "", "I"],
  ];
  assert.deepEqual(await rollbackOf(...fails("40P01")), ["none", 1]);
  assert.deepEqual(await rollbackOf(...fails("23505")), ["client", 1]);
});
