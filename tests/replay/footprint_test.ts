import assert from "node:assert/strict";
import { loadModule } from "libpg-query";
import { Catalog } from "../../src/catalog/mod.ts";
import { Footprints, type Relations } from "../../src/replay/footprint.ts";
import { analyze } from "../../src/sql/analyze.ts";
import { OTHER_SHAPE, type Shape } from "../../src/sql/shape.ts";

await loadModule();

/** As the catalog's question gives it: columns are number, name, type, flags, default. */
const columns = (oid: string, ...defaults: string[]) => [
  "columns",
  oid,
  JSON.stringify(
    defaults.map((text, i) => [i + 1, `c${i}`, 23, "", text]),
  ),
];

const SCHEMA = [
  ["relation", "shop", "1"],
  ["relation", "orders", "2"],
  ["relation", "item", "3"],
  ["relation", "audit", "4"],
  ["relation", "report", "5"],
  ["relation", "part", "6"],
  ["relation", "log", "7"],
  ["relation", "counter", "8"],
  ["relation", "open_orders", "9"],
  ["relation", "invoice", "10"],
  ["relation", "credit", "11"],
  ["relation", "dynamic", "12"],
  ["reference", "orders", "shop", ""],
  ["reference", "item", "orders", "cascade"],
  ["child", "part", "report", "6 5"],
  ["trigger", "item", "begin insert into audit values (new.id); end"],
  ["trigger", "dynamic", "begin execute format('…'); end"],
  ["function", "writes_any", "begin execute 'insert into ' || t; end"],
  ["function", "reads_any", "begin execute 'select from ' || t; end"],
  ["view", "open_orders", "SELECT id FROM orders"],
  ["function", "tally", "begin update counter set n = n + 1; end"],
  ["function", "count_all", "begin return (select count(*) from log); end"],
  ["volatile", "tally", "plpgsql"],
  ["volatile", "remote", "plpython3u"],
  ["volatile", "uuid_generate_v4", "c"],
  ["stable", "looks", "plpython3u"],
  columns("10", "nextval('public.numbers'::regclass)"),
  columns("11", "nextval('public.numbers'::regclass)"),
  columns("2", "nextval('public.orders_id_seq'::regclass)"),
  columns("7", "tally()"),
  [
    "functions",
    "",
    "tally\nwrites_any\ncount\ngenerate_series\npg_sleep",
    "",
  ],
];
const CATALOG = new Catalog(SCHEMA);
const footprints = new Footprints();

function shape(sql: string): Shape {
  const { shapes } = analyze(sql) ?? assert.fail(sql);
  return shapes[0] as Shape;
}

function footprint(sql: string) {
  const { touched, written } = footprints.of(shape(sql), CATALOG, true);
  return { touched: names(touched), written: names(written) };
}

function names(relations: Relations): string {
  return relations === "all"
    ? "all"
    : relations.toSorted().join(" ").replaceAll("\0", ":");
}

function assertFootprint(sql: string, touched: string, written: string): void {
  assert.deepEqual(footprint(sql), { touched, written }, sql);
}

Deno.test("Footprints: a read touches its relations, those behind a view and a function too", () => {
  assertFootprint("select * from shop", "shop", "");
  assertFootprint("select 1", "", "");
  assertFootprint("select * from open_orders", "open_orders orders", "");
  assertFootprint("select count_all()", "log", "");
  assertFootprint("select now(), uuid_generate_v4()", "", "");
  assertFootprint("select relname from pg_class", "catalogs:", "");
  assertFootprint(
    "select * from information_schema.columns, shop",
    "catalogs: shop",
    "",
  );
});

Deno.test("Footprints: a write reaches through foreign keys, cascades, triggers, partitions and defaults", () => {
  assertFootprint("insert into shop values (1)", "orders shop", "shop");
  assertFootprint(
    "insert into orders values (1)",
    "audit item orders shop",
    "audit item orders",
  );
  assertFootprint("insert into part values (1)", "part report", "part report");
  assertFootprint("update log set c0 = 1", "counter log", "counter log");
  assertFootprint(
    "delete from open_orders",
    "audit item open_orders orders shop",
    "audit item open_orders orders",
  );
  assertFootprint(
    "with gone as (delete from shop returning *) select * from gone, log",
    "log orders shop",
    "shop",
  );
});

Deno.test("Footprints: a function that writes makes its caller a writer, and locks count as writes", () => {
  assertFootprint("select tally()", "counter", "counter");
  assertFootprint("select * from shop for update", "shop", "shop");
  assertFootprint("lock table shop", "shop", "shop");
  assertFootprint(
    "select pg_advisory_xact_lock(1)",
    "advisory:",
    "advisory:",
  );
});

Deno.test("Footprints: a sequence counts where two relations draw from it", () => {
  assertFootprint(
    "insert into invoice values (default)",
    "invoice sequence:public.numbers",
    "invoice sequence:public.numbers",
  );
  assertFootprint("select nextval('numbers')", "sequences:", "");
  assertFootprint("select nextval('numbers') from shop", "all", "");
  assertFootprint("select setval('numbers', 7)", "all", "all");
  assertFootprint("insert into shop values (nextval('n'))", "all", "all");
});

Deno.test("Footprints: what is not told may be anywhere", () => {
  for (
    const sql of [
      "create table t ()",
      "truncate shop",
      "grant select on shop to public",
      "do $$ begin end $$",
      "insert into unknown values (1)",
      "insert into dynamic values (1)",
      "call remote()",
      "insert into shop values (looks())",
    ]
  ) assertFootprint(sql, "all", "all");
  assertFootprint("select * from unknown", "all", "");
  assertFootprint("select looks()", "all", "");
  const of = (one: Shape, holds = false) => footprints.of(one, CATALOG, holds);
  assert.equal(of(OTHER_SHAPE, true).written, "all");
  assert.equal(of(shape("insert into shop values (1)")).written, "all");
  assert.deepEqual(of(shape("set a = 1")).touched, []);
});

function behind(sql: string, catalog = CATALOG, holds = true): string {
  return names(footprints.of(shape(sql), catalog, holds).behind);
}

Deno.test("Footprints: what functions and blocks write is told apart from what the text names", () => {
  assert.equal(behind("update counter set n = 1"), "");
  assert.equal(behind("select tally()"), "counter");
  assert.equal(behind("create table made as select tally()"), "counter");
  assert.equal(behind("create table made as select writes_any('t')"), "all");
  assert.equal(behind("drop table part"), "report");
  assert.equal(behind("drop table shop"), "");
  assert.equal(behind("insert into unknown select tally()"), "counter");
  assert.equal(behind("insert into shop values (nextval('n'))"), "");
  assert.equal(behind("do $$ begin end $$"), "all");
  assert.equal(behind("call remote()"), "all");
  assert.equal(behind("select reads_any('t')"), "");
  assertFootprint("select reads_any('t')", "all", "");
  assert.equal(behind("select writes_any('t')"), "all");
  assertFootprint("select writes_any('t')", "all", "all");
});

Deno.test("Footprints: while the schema may be another one, what is written behind a text is as it was last", () => {
  const of = (sql: string) => {
    const { touched, written, behind } = footprints.of(
      shape(sql),
      CATALOG,
      false,
    );
    assert.deepEqual([touched, written], ["all", "all"], sql);
    return names(behind);
  };
  for (
    const sql of [
      "update counter set n = 1",
      "select count(*) from shop",
      "insert into temporary select generate_series(1, 50)",
      "select count(*), pg_sleep(0.03) from temporary",
      "lock table shop",
      "lock table temporary",
      "create temp table temporary as select count(*) from shop",
    ]
  ) assert.equal(of(sql), "", sql);
  assert.equal(of("select tally()"), "counter");
  assert.equal(of("create table made as select tally()"), "counter");
  assert.equal(of("select writes_any('t')"), "all");
  assert.equal(of("select just_created()"), "all", "nobody has read its text");
  assert.equal(of("do $$ begin end $$"), "all");
  assert.equal(of("call just_created()"), "all");
  assert.equal(
    names(footprints.of(OTHER_SHAPE, CATALOG, false).behind),
    "all",
  );
});

Deno.test("Footprints: without a catalog a function or a block may hide writes, a plain statement none", () => {
  const of = (sql: string) => behind(sql, new Catalog(), false);
  assert.equal(of("update counter set n = 1"), "");
  assert.equal(of("select tally()"), "all");
  assert.equal(of("select count(*) from shop"), "all");
  assert.equal(of("do $$ begin end $$"), "all");
});

Deno.test("Footprints: what only lets go of locks is told", () => {
  const releases = (sql: string) =>
    [true, false].map((holds) =>
      footprints.of(shape(sql), CATALOG, holds).releases
    );
  for (
    const sql of [
      "select pg_advisory_unlock(1)",
      "select pg_advisory_unlock_shared(1), pg_advisory_unlock_all()",
      "commit prepared 'x'",
      "rollback prepared 'x'",
    ]
  ) assert.deepEqual(releases(sql), [true, true], sql);
  for (
    const sql of [
      "select pg_advisory_lock(1)",
      "select pg_advisory_unlock(1), pg_advisory_lock(2)",
      "select pg_advisory_unlock(id) from shop",
      "commit",
    ]
  ) assert.deepEqual(releases(sql), [false, false], sql);
});
