import assert from "node:assert/strict";
import { Catalog } from "../../src/catalog/mod.ts";
import { relationKey } from "../../src/sql/mod.ts";

const NOTHING = { reads: [], calls: [] };

Deno.test("Catalog: nothing is known before the server has answered", () => {
  const catalog = new Catalog();
  assert.deepEqual(catalog.oids("t"), []);
  assert.equal(catalog.functionNature("f"), undefined);
  assert.deepEqual(catalog.writersOf({ ...NOTHING, reads: ["t"] }), ["t"]);
});

Deno.test("Catalog: a name is looked up in the search_path, with its schema in that alone", () => {
  const relations = [
    ["relation", "t", "1", "app"],
    ["relation", "t", "2", "public"],
    ["relation", "t", "3", "other"],
    ["relation", "u", "4", "other"],
    ["relation", "u", "5", "another"],
  ];
  const path = [["path", "none"], ["path", "app"], ["path", "public"]];
  const oids = (rows: string[][], key: string) => new Catalog(rows).oids(key);
  const known = [...path, ...relations];
  assert.deepEqual(oids(known, "t"), ["1"]);
  assert.deepEqual(oids(known, relationKey("other", "t")), ["3"]);
  assert.deepEqual(oids(known, relationKey("none", "t")), []);
  assert.deepEqual(oids(known, "u"), ["4", "5"], "not in the path: any");
  assert.deepEqual(oids(relations, "t"), ["1", "2", "3"], "no path: any");
});

Deno.test("Catalog: a relation's keys are its own", () => {
  const catalog = new Catalog([
    ["relation", "t", "1"],
    ["key", "1", "a\nb"],
    ["relation", "t", "2"],
    ["key", "2", "b"],
  ]);
  assert.equal(catalog.isUnique("1", ["b", "c", "a"]), true);
  assert.equal(catalog.isUnique("1", ["b"]), false);
  assert.equal(catalog.isUnique("2", ["b"]), true);
  assert.equal(catalog.isUnique("3", ["a", "b"]), false);
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
  const policy = ["policy", "t", "(owner = CURRENT_USER)"];
  assert.equal(keeps(policy), true);
  const member = ["policy", "t", "(id IN ( SELECT public.member.id FROM m))"];
  assert.equal(keeps(policy, member), true, "m is no relation");
  assert.equal(keeps(policy, member, ["relation", "m", "2"]), false);
  const own = [["policy", "t", "public.may_see(id)"]];
  assert.equal(keeps(...own), true, "no function of a user");
  assert.equal(keeps(...own, ["function", "may_see", "select 1"]), false);
  assert.equal(keeps(...own, ["volatile", "may_see", "c"]), false);
});

Deno.test("Catalog.writersOf: who sees a row depends on what its table's policies read", () => {
  const catalog = new Catalog([
    ...["t", "free", "seen", "member", "team", "other"]
      .map((name, i) => ["relation", name, String(i)]),
    ["policy", "t", "(team IN ( SELECT m.team FROM public.member m))"],
    ["policy", "t", "public.is_open(team)"],
    ["function", "is_open", "select open from team where id = $1"],
    ["view", "seen", "SELECT id FROM public.t"],
  ]);
  const writers = (read: string) =>
    [...catalog.writersOf({ ...NOTHING, reads: [read] })].sort();
  assert.deepEqual(writers("t"), ["member", "seen", "t", "team"]);
  assert.deepEqual(writers("seen"), ["member", "seen", "t", "team"]);
  assert.deepEqual(writers("free"), ["free"]);
  assert.deepEqual(writers("member"), ["member"], "not the other way round");
});

const COLUMNS = JSON.stringify([[1, "id", 23, "", null]]);
