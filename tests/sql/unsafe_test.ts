import assert from "node:assert/strict";
import { loadModule } from "libpg-query";
import { analyze } from "../../src/sql/analyze.ts";
import {
  dangerOfDefinition,
  dangerOfWords,
  dangersOfText,
} from "../../src/sql/unsafe_code.ts";
import { kindOfFunctionOid, UNSAFE_KINDS } from "../../src/sql/unsafe_kinds.ts";

await loadModule();

/** What a statement is known to do by its tree, and by the code in its literals. */
function kindsOf(sql: string): readonly string[] {
  const { shapes = [] } = analyze(sql) ?? {};
  const texts = dangersOfText(sql);
  const found = shapes.flatMap(({ danger }, i) => [
    ...danger?.kinds ?? [],
    ...danger?.hasCode ? texts[i]?.kinds ?? [] : [],
  ]);
  return [...new Set(found)].sort();
}

const KINDS: readonly [sql: string, ...kinds: string[]][] = [
  ["select pg_terminate_backend(1)", "pg_terminate_backend"],
  ["select pg_catalog.pg_cancel_backend(a) from t", "pg_cancel_backend"],
  ["select 1 where (select pg_promote())", "pg_promote"],
  ["with x as (select pg_switch_wal()) select * from x", "pg_switch_wal"],
  [
    "select * from pg_logical_slot_get_changes('s', null, null)",
    "pg_logical_slot_get_changes",
  ],
  [
    "insert into t select pg_create_physical_replication_slot('s')",
    "pg_create_physical_replication_slot",
  ],
  ["update t set a = lo_import('/x')", "lo_import"],
  ["select ext.dblink_exec('c', 'delete from t')", "dblink"],
  ["select * from dblink('c', 'select 1') as t (a int)", "dblink"],
  ["copy t to '/x'", "copy_file"],
  ["copy t from program 'x'", "copy_program"],
  ["alter system reset all", "alter_system"],
  ["drop database x", "drop_database"],
  ["create tablespace x location '/x'", "create_tablespace"],
  ["alter subscription s disable", "alter_subscription"],
  ["explain select pg_reload_conf()", "pg_reload_conf"],
  ["create materialized view m as select pg_reload_conf()", "pg_reload_conf"],
  ["call pg_catalog.pg_switch_wal()", "pg_switch_wal"],
  ["do 'begin perform pg_reload_conf(); end'", "pg_reload_conf"],
  ["do $$ begin execute 'alter system reset all'; end $$", "alter_system"],
  [
    "do $$ begin execute format('drop database %I', 'x'); end $$",
    "drop_database",
  ],
  ["do $$ begin execute 'copy t to program ''x'''; end $$", "copy_program"],
  [
    "do $$ declare c cursor for select pg_promote(); begin open c; end $$",
    "pg_promote",
  ],
  [
    "do $$ begin return query select pg_promote(); x.y := pg_switch_wal(); end $$",
    "pg_promote",
    "pg_switch_wal",
  ],
  [
    "do $$ begin for r in select pg_promote() loop null; end loop; end $$",
    "pg_promote",
  ],
  ["do $$ begin this is no code, pg_promote() end $$", "pg_promote"],
  [
    "do language plperl 'spi_exec_query(\"select pg_promote()\")'",
    "pg_promote",
  ],
  ["select query_to_xml('select pg_promote()', true, true, '')", "pg_promote"],
  // The same words, and nothing of it.
  ["select my_pg_terminate_backend(1), app.pg_reload_conf()"],
  ['select "PG_RELOAD_CONF"()'],
  ["select pg_terminate_backend from t as pg_switch_wal"],
  ["select 'pg_reload_conf()' /* pg_reload_conf() */ -- pg_reload_conf()"],
  ["copy t from stdin"],
  ["copy (select 1) to stdout"],
  ["select dblink_get_connections()"],
  ["select pg_stat_get_activity(1), pg_replication_origin_progress('x', true)"],
  ["do $$ begin perform 1; /* pg_reload_conf() */ raise notice 'pg_reload_conf()'; end $$"],
  ["create view v as select pg_reload_conf()"],
  ["create function f() returns bool language sql as 'select pg_reload_conf()'"],
  ["create table t (a bool default pg_reload_conf())"],
  ["prepare p as select pg_reload_conf()"],
  ["alter database x set work_mem = 1"],
  [
    "create subscription s connection 'c' publication p with (connect = false)",
  ],
  ["create server s foreign data wrapper postgres_fdw"],
];

Deno.test("unsafe: a statement is what its tree and its code say, not its words", () => {
  for (const [sql, ...kinds] of KINDS) {
    assert.deepEqual(kindsOf(sql), kinds, sql);
  }
});

Deno.test("unsafe: each name of a function and of a statement is found", () => {
  const others = [
    "dblink",
    "copy_file",
    "copy_program",
    "foreign_write",
    "function_call",
    "unknown_statement",
  ];
  for (const kind of UNSAFE_KINDS) {
    if (others.includes(kind)) continue;
    const isCall = /^(?:pg|lo)_/.test(kind);
    const rest: Readonly<Record<string, string>> = {
      alter_system: "reset all",
      create_tablespace: "x location '/x'",
      create_subscription: "x connection 'c' publication p",
      alter_subscription: "x disable",
    };
    const sql = isCall
      ? `select ${kind}()`
      : `${kind.replace("_", " ")} ${rest[kind] ?? "x"}`;
    assert.deepEqual(kindsOf(sql), [kind], sql);
  }
});

Deno.test("unsafe: what a definition does comes with what it defines", () => {
  const definedBy = (sql: string) => {
    const [danger] = dangersOfText(sql);
    const { shapes: [shape] = [] } = analyze(sql) ?? {};
    return (danger?.defines ?? shape?.danger?.defines) as
      | { name: string; does: { kinds: string[]; calls: string[] } }
      | undefined;
  };
  const sql = definedBy(
    "create function app.f() returns bool language sql as 'select pg_reload_conf()'",
  );
  assert.deepEqual([sql?.name, sql?.does.kinds], ["f", ["pg_reload_conf"]]);
  const alias = definedBy(
    "create function g(text) returns oid language internal as 'be_lo_import'",
  );
  assert.deepEqual(alias?.does.kinds, ["lo_import"]);
  const trigger = definedBy(
    "create trigger x before insert on t for each row execute function kill()",
  );
  assert.deepEqual([trigger?.name, trigger?.does.calls], ["t", ["kill"]]);
  const view = definedBy("create view v as select kill()");
  assert.deepEqual([view?.name, view?.does.calls], ["v", ["kill"]]);
});

Deno.test("unsafe: texts of a catalog", () => {
  const of = (text: string) => dangerOfDefinition(text)?.kinds ?? [];
  assert.deepEqual(of(" SELECT pg_terminate_backend(1) AS done;"), [
    "pg_terminate_backend",
  ]);
  assert.deepEqual(of("begin perform pg_promote(); return new; end"), [
    "pg_promote",
  ]);
  assert.deepEqual(of("begin return new; /* pg_promote() */ end"), []);
  assert.deepEqual(of("(a = 1) AND pg_reload_conf()"), ["pg_reload_conf"]);
  assert.deepEqual(
    of("CREATE RULE r AS ON INSERT TO t DO ALSO SELECT pg_promote()"),
    ["pg_promote"],
  );
  assert.deepEqual(dangerOfDefinition("insert into far values (1)")?.writes, [
    "far",
  ]);
});

Deno.test("unsafe: of a text that is not parsed its words count, literals and comments do not", () => {
  const of = (text: string) => dangerOfWords(text)?.kinds ?? [];
  assert.deepEqual(of("select 1 frobnicate; select pg_promote()"), [
    "pg_promote",
  ]);
  assert.deepEqual(of("frobnicate 'pg_promote()' -- pg_promote()"), []);
  assert.deepEqual(of("frobnicate; do 'begin perform pg_promote(); end'"), [
    "pg_promote",
  ]);
  assert.deepEqual(of("frobnicate; copy t from '/x'"), ["copy_file"]);
  assert.deepEqual(of("frobnicate; copy t from program 'x'"), ["copy_program"]);
  assert.deepEqual(of("frobnicate; copy t from stdin; copy u to stdout"), []);
  assert.deepEqual(of("frobnicate; alter system reset all"), ["alter_system"]);
});

Deno.test("unsafe: a FunctionCall by its OID", () => {
  assert.equal(kindOfFunctionOid(2096), "pg_terminate_backend");
  assert.equal(kindOfFunctionOid(765), "lo_export");
  // Of libpq's large objects, and of integers.
  for (const oid of [952, 954, 957, 177]) {
    assert.equal(kindOfFunctionOid(oid), undefined);
  }
  assert.equal(kindOfFunctionOid(16_400), "function_call");
});
