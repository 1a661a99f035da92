import assert from "node:assert/strict";
import { loadModule } from "libpg-query";
import { TemporaryTables } from "../../src/replay/temporary_tables.ts";
import { analyze } from "../../src/sql/analyze.ts";
import type { Shape } from "../../src/sql/shape.ts";

await loadModule();

function shape(sql: string): Shape {
  return analyze(sql)?.shapes[0] ?? assert.fail(sql);
}

/** Whether others may see an INSERT behind these statements; null is an error. */
function isSeen(
  transactions: readonly (readonly (string | null)[])[],
  write = "insert into t values (1)",
): boolean {
  const tables = new TemporaryTables();
  transactions.forEach((statements, i) => {
    for (const sql of statements) {
      if (sql === null) tables.undo();
      else tables.note(shape(sql));
    }
    if (i < transactions.length - 1) tables.end();
  });
  return tables.visible(shape(write)).length > 0;
}

const LASTING = "create temp table t (i int)";
const DROPPED = "create temp table t (i int) on commit drop";

Deno.test("TemporaryTables: what is written to a session's own table nobody else sees", () => {
  assert.ok(isSeen([[]]));
  assert.ok(isSeen([["create table t (i int)"]]));
  assert.ok(isSeen([["create temp view t as select * from u"]]), "it writes u");
  assert.ok(isSeen([[LASTING]], "insert into u values (1)"));
  for (
    const write of ["copy t from stdin", "update t set i = 2", "truncate t"]
  ) {
    const tables = new TemporaryTables();
    tables.note(shape(DROPPED));
    assert.deepEqual(tables.visible(shape(write)), [], write);
  }
  assert.ok(!isSeen([[LASTING], []]));
  assert.ok(!isSeen([[LASTING, "commit", "begin"], ["truncate t"], []]));
  assert.ok(!isSeen([["create temp table t as select 1"], ["analyze t"], []]));
});

Deno.test("TemporaryTables: another lane of the session knows those that stay", () => {
  const tables = new TemporaryTables();
  for (const sql of [LASTING, "create temp table u (i int) on commit drop"]) {
    tables.note(shape(sql));
  }
  tables.end();
  const other = new TemporaryTables(tables);
  assert.deepEqual(other.visible(shape("truncate t, u")), ["u"]);
});

Deno.test("TemporaryTables: in doubt a table is anybody's", () => {
  assert.ok(isSeen([[DROPPED], []]), "it is gone");
  assert.ok(isSeen([[DROPPED, "commit"]]));
  assert.ok(isSeen([[LASTING], ["drop table t"]]));
  assert.ok(isSeen([[LASTING], ["drop table a, t cascade"]]));
  assert.ok(isSeen([[LASTING], ["alter table t rename to u"]]));
  assert.ok(isSeen([[LASTING], ["create table t (i int)"]]));
  assert.ok(isSeen([[LASTING], ["discard all"]]));
  assert.ok(isSeen([[LASTING], ["drop schema app cascade"]]));
  assert.ok(isSeen([[LASTING, null], []]));
  assert.ok(isSeen([["savepoint a", LASTING, "rollback to a"]]));
  assert.ok(isSeen([[LASTING]], "insert into public.t values (1)"));
});

Deno.test("TemporaryTables: a definition is the session's own where it names such tables alone, without a schema", () => {
  const tables = new TemporaryTables();
  tables.note(shape(LASTING));
  const areOwn = (sql: string) => tables.areOwn(shape(sql));
  for (const sql of ["truncate t", "drop table t", "alter table t add a int"]) {
    assert.ok(areOwn(sql), sql);
  }
  for (
    const sql of [
      "truncate t, u",
      "truncate public.t",
      "drop table public.t",
      "drop table t cascade",
      "create table t (i int)",
      "drop function t",
      "select 1",
    ]
  ) assert.ok(!areOwn(sql), sql);
});
