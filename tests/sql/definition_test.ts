import assert from "node:assert/strict";
import { loadModule } from "libpg-query";
import { analyze } from "../../src/sql/analyze.ts";

await loadModule();

const NOTHING = { rows: [], relations: [] };
const ANYTHING = { rows: "all", relations: "all" };
const of = (...names: string[]) => ({ rows: names, relations: names });
/** They are there already, and named without a schema, or not. */
const present = (isPlain: boolean, ...names: string[]) => ({
  ...of(...names),
  isPlain,
});

function assertDefinition(expected: unknown, ...statements: string[]): void {
  for (const sql of statements) {
    const { shapes: [shape] } = analyze(sql) ?? assert.fail(sql);
    assert.equal(shape?.kind, "ddl", sql);
    assert.deepEqual(shape?.definition, expected, sql);
  }
}

Deno.test("definitionOf: what its own session alone sees changes nothing for others", () => {
  assertDefinition(
    NOTHING,
    "create temp view v as select * from post",
    "create temp sequence s",
    "create function pg_temp.f() returns int language sql as 'select 1'",
  );
  const table = (isLasting: boolean) => ({
    ...NOTHING,
    temporary: { name: "t", isLasting },
  });
  assertDefinition(
    table(false),
    "create temp table t (at timestamptz default now()) on commit drop",
    "create temp table t on commit drop as select count(*) from post",
  );
  assertDefinition(
    table(true),
    "create local temporary table if not exists t (i int)",
    "create temp table t (i int) on commit delete rows",
    "create table pg_temp.t (i int)",
    "create temp table t as select count(*) from post",
  );
});

Deno.test("definitionOf: a relation that is made, altered or emptied is named", () => {
  assertDefinition(
    of("t"),
    "create table app.t (id int references post, like old)",
    "create unlogged table if not exists t (i int)",
    "create table t as select count(*) from post",
    "create materialized view t as select * from post",
    "create or replace view t as select * from post",
    "create foreign table t () server far",
    "create sequence t",
    "alter sequence t restart",
    "alter table t rename a to b",
    "alter table t rename constraint a to b",
    "alter table t set schema app",
    "create unique index on t (a)",
    "create trigger one after insert on t execute function f()",
    "create rule one as on insert to t do nothing",
    "create policy one on t",
    "alter policy one on t using (true)",
    "drop trigger one on app.t",
    "drop policy one on t",
    "drop rule one on t",
    "refresh materialized view t",
  );
  assertDefinition(
    present(true, "t"),
    "alter table t add b int default 1, drop c",
    "alter table t add foreign key (a) references post",
    "drop materialized view t",
    "truncate only t restart identity",
  );
  assertDefinition(
    present(false, "t"),
    "alter table app.t alter a type int using a * 2",
    "drop table if exists app.t",
  );
  assertDefinition(present(false, "a", "b"), "truncate a, app.b");
  assertDefinition(present(true, "a", "b"), "drop view a, b");
  assertDefinition(
    of("t", "u"),
    "alter table t rename to u",
    "alter view t rename to u",
    "create table t partition of u for values in (1)",
    "create table t () inherits (u)",
  );
  assertDefinition(
    present(true, "t", "u"),
    "alter table t attach partition u for values in (1)",
    "alter table t detach partition u",
    "alter table t no inherit u",
  );
});

Deno.test("definitionOf: what no reader sees names nothing", () => {
  assertDefinition(
    NOTHING,
    "create index concurrently on t (lower(a))",
    "alter index i rename to j",
    "drop index i",
    "reindex table t",
    "vacuum t",
    "analyze",
    "cluster t",
    "comment on table t is 'x'",
    "grant select on t to public",
    "create schema app",
    "create statistics on a, b from t",
    "set constraints all deferred",
  );
});

Deno.test("definitionOf: by CASCADE any other relation may be gone, and no row of it", () => {
  const cascade = { rows: ["t"], relations: "all", isPlain: true };
  assertDefinition(
    cascade,
    "drop table if exists t cascade",
    "drop view t cascade",
  );
  assertDefinition(
    { rows: [], relations: "all" },
    "create type mood as enum ('a')",
    "create type pair as (a int)",
    "create domain d as int",
  );
});

Deno.test("definitionOf: what its text does not name may be anything", () => {
  assertDefinition(
    ANYTHING,
    "create or replace function f() returns int language sql as 'select 1'",
    "drop function f",
    "drop schema app cascade",
    "create schema app create table t (i int)",
    "truncate t cascade",
    "alter type mood rename value 'a' to 'b'",
    "alter type pair add attribute b int",
    "alter type pair rename attribute a to b",
    "alter schema app rename to old",
    "create extension citext",
    "grant boss to worker",
  );
  assert.equal(
    analyze("select 1")?.shapes[0]?.definition,
    undefined,
    "it is none",
  );
});
