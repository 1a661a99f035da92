import assert from "node:assert/strict";
import { Catalog } from "../../src/catalog/mod.ts";

const NOTHING = { reads: [], writes: [], calls: [] };

Deno.test("Catalog: nothing is known before the server has answered", () => {
  const catalog = new Catalog();
  assert.equal(catalog.isUnique("t", ["id"]), false);
  assert.equal(catalog.isVolatile({ ...NOTHING, reads: ["t"] }), false);
  assert.deepEqual(catalog.writersOf({ ...NOTHING, reads: ["t"] }), ["t"]);
});

Deno.test("Catalog: a key counts if all relations of the name have it", () => {
  const rows = [["relation", "t", "1"], ["key", "1", "a\nb"]];
  const one = new Catalog(rows);
  assert.equal(one.isUnique("t", ["b", "c", "a"]), true);
  assert.equal(one.isUnique("t", ["a"]), false);
  assert.equal(one.isUnique("u", ["a", "b"]), false);
  const two = new Catalog([...rows, ["relation", "t", "2"]]);
  assert.equal(two.isUnique("t", ["a", "b"]), false);
  const both = new Catalog([
    ...rows,
    ["relation", "t", "2"],
    ["key", "2", "b"],
  ]);
  assert.equal(both.isUnique("t", ["a", "b"]), true);
  assert.equal(both.isUnique("t", ["b"]), false);
});

Deno.test("Catalog: what mentions the moment or chance is volatile, through all that it mentions", () => {
  const catalog = new Catalog([
    ["relation", "t", "1"],
    ["relation", "v", "2"],
    ["view", "v", "SELECT t.a, f(t.b) FROM t"],
    ["relation", "w", "3"],
    ["view", "w", "SELECT 'now'::timestamp without time zone"],
    ["relation", "x", "4"],
    ["view", "x", "SELECT t.now, t.version FROM t"],
    ["function", "f", "begin return g($1); end"],
    ["function", "g", "select Random()"],
    ["function", "h", "select $1"],
    ["trigger", "t", "begin new.a := CURRENT_TIMESTAMP; return new; end"],
  ]);
  const reads = (name: string) =>
    catalog.isVolatile({ ...NOTHING, reads: [name] });
  assert.deepEqual(["t", "v", "w", "x"].map(reads), [false, true, true, false]);
  const calls = (name: string) =>
    catalog.isVolatile({ ...NOTHING, calls: [name] });
  assert.deepEqual(["f", "g", "h"].map(calls), [true, true, false]);
  assert.equal(catalog.isVolatile({ ...NOTHING, writes: ["t"] }), true);
});

Deno.test("Catalog: a trigger that executes a text may write anything", () => {
  const rows = (body: string) => [
    ["relation", "t", "1"],
    ["relation", "u", "2"],
    ["trigger", "t", body],
  ];
  const writers = (body: string) =>
    new Catalog(rows(body)).writersOf({ ...NOTHING, reads: ["u"] });
  assert.deepEqual(writers("execute format('…')"), ["u", "t"]);
  assert.deepEqual(writers("insert into U values (1)"), ["u", "t"]);
  assert.deepEqual(writers("perform 1"), ["u"]);
});

Deno.test("Catalog: a definition may come in parts", () => {
  const catalog = new Catalog([
    ["relation", "t", "1"],
    ["relation", "v", "2"],
    ["view", "v", "SELECT a FR"],
    ["view", "v", "FROM t"],
  ]);
  const writers = catalog.writersOf({ ...NOTHING, reads: ["v"] });
  assert.deepEqual([...writers].sort(), ["t", "v"]);
});

Deno.test("Catalog.keepsRows: not where a trigger, a cascade, a rule, a view or a partition may lead elsewhere", () => {
  const table = [["relation", "t", "1"], ["columns", "1", COLUMNS]];
  const keeps = (...more: string[][]) =>
    new Catalog([...table, ...more]).keepsRows("t", ["id"]);
  assert.equal(keeps(), true);
  assert.equal(new Catalog(table).columnType("t", "id"), 23);
  assert.equal(new Catalog().keepsRows("t", ["id"]), false);
  const trigger = (body: string, language = "plpgsql"): string[][] => [
    ["trigger", "t", "create trigger x execute function f()"],
    ["function", "f", body],
    ["volatile", "f", language],
  ];
  assert.equal(keeps(...trigger("new.updated_at := now();")), true);
  assert.equal(keeps(...trigger("new.id := 5;")), false);
  assert.equal(keeps(...trigger("update t set a = 1;")), false);
  assert.equal(keeps(...trigger("execute 'update ' || x;")), false);
  assert.equal(keeps(...trigger("", "c")), false);
  assert.equal(keeps(["cascade", "t", "t"]), false);
  assert.equal(keeps(["child", "t", "t_2026"]), false);
  assert.equal(keeps(["view", "t", "select 1"]), false);
});

const COLUMNS = JSON.stringify([[1, "id", 23, "", null]]);
