import assert from "node:assert/strict";
import { loadModule } from "libpg-query";
import { Catalog } from "../../src/catalog/mod.ts";
import { OutputMasks } from "../../src/judge/output_masks.ts";
import { analyze } from "../../src/sql/analyze.ts";
import { OTHER_SHAPE, type Shape } from "../../src/sql/shape.ts";

await loadModule();

/** In which a moment is no time: its mask is "moment". */
const TEXT = 25;

/** A column: its name and default. */
type Given = readonly [name: string, expression?: string];

/** Rows as the catalog's question gives them. */
function relation(
  oid: number,
  schema: string,
  name: string,
  columns: readonly Given[],
  view?: string,
): string[][] {
  const given = columns.map(([name, expression = null], i) => [
    i + 1,
    name,
    TEXT,
    "",
    expression,
  ]);
  return [
    ["relation", name, `${oid}`, schema],
    ["columns", `${oid}`, JSON.stringify(given), ""],
    ...(view === undefined ? [] : [["view", name, view, `${oid}`]]),
  ];
}

function shapeOf(sql: string): Shape {
  return analyze(sql)?.shapes[0] ?? OTHER_SHAPE;
}

/** The masks of a statement's columns, by the catalog's rows. */
function masksOf(
  rows: readonly string[][],
  sql: string,
  names: readonly string[],
  catalog = new Catalog(rows),
): readonly string[] {
  const columns = names.map((name) => ({
    name,
    typeOid: TEXT,
    isBinary: false,
  }));
  const rules = new OutputMasks(catalog).rules(shapeOf(sql), columns);
  return rules.map(({ mask }) => mask ?? "");
}

const ID_NAME: readonly Given[] = [["id"], ["name"]];

Deno.test("OutputMasks: a view over a table of its own name in another schema is not that table", () => {
  const rows = (view: string) => [
    ["path", "api"],
    ...relation(1, "private", "users", [["id"], ["name"], ["token"]]),
    ...relation(2, "api", "users", ID_NAME, view),
  ];
  const plain = rows("SELECT users.id, users.name FROM private.users");
  for (const from of ["users", "api.users", "private.users"]) {
    const masks = masksOf(plain, `select * from ${from}`, ["id", "name"]);
    assert.deepEqual(masks, ["", ""], from);
  }
  const random = rows(
    "SELECT users.id, users.name || random() AS name FROM private.users",
  );
  for (const from of ["users", "api.users"]) {
    const masks = masksOf(random, `select * from ${from}`, ["id", "name"]);
    assert.deepEqual(masks, ["", "chance"], from);
  }
  assert.deepEqual(
    masksOf(random, "select id, name from private.users", ["id", "name"]),
    ["", ""],
    "a table of the view's name",
  );
});

Deno.test("OutputMasks: a table that the search_path finds is not a view of its name", () => {
  const rows = [
    ["path", "public"],
    ...relation(1, "public", "t", [["at"]]),
    ...relation(2, "api", "t", [["at"]], "SELECT now() AS at"),
  ];
  assert.deepEqual(masksOf(rows, "select at from t", ["at"]), [""]);
  assert.deepEqual(masksOf(rows, "select at from api.t", ["at"]), ["moment"]);
  const [, ...noPath] = rows;
  assert.deepEqual(masksOf(noPath, "select at from t", ["at"]), ["moment"]);
});

Deno.test("OutputMasks: a view within itself gives no mask", () => {
  // No path: any of both may be meant.
  const rows = [
    ...relation(1, "a", "v", ID_NAME, "SELECT id, name FROM v"),
    ...relation(2, "b", "v", ID_NAME),
  ];
  assert.deepEqual(masksOf(rows, "select * from v", ["id", "name"]), ["", ""]);
});

Deno.test("OutputMasks: views too deep to be looked into are compared strictly", () => {
  const stack = (depth: number) => [
    ...relation(1, "s", "v0", ID_NAME, "SELECT 1 AS id, random() AS name"),
    ...Array.from({ length: depth }, (_, i) =>
      relation(
        i + 2,
        "s",
        `v${i + 1}`,
        ID_NAME,
        `SELECT id, name FROM s.v${i}`,
      )).flat(),
  ];
  const masks = (depth: number) =>
    masksOf(stack(depth), `select * from s.v${depth}`, ["id", "name"]);
  assert.deepEqual(masks(60), ["", "chance"]);
  assert.deepEqual(masks(150), ["", ""]);
});

Deno.test("OutputMasks: each column of stacked views is looked at once", () => {
  class Counting extends Catalog {
    looks = 0;
    override oids(key: string): readonly string[] {
      this.looks++;
      return super.oids(key);
    }
  }
  const depth = 40;
  const three = (from: string) =>
    `SELECT x.a || x.b || x.c AS a, x.b || x.c || x.a AS b, x.a || x.c AS c FROM ${from} x`;
  const columns: readonly Given[] = [["a"], ["b"], ["c"]];
  const catalog = new Counting([
    ...relation(1, "s", "v0", columns),
    ...Array.from(
      { length: depth },
      (_, i) => relation(i + 2, "s", `v${i + 1}`, columns, three(`s.v${i}`)),
    ).flat(),
  ]);
  const masks = masksOf(
    [],
    `select * from s.v${depth}`,
    ["a", "b", "c"],
    catalog,
  );
  assert.deepEqual(masks, ["", "", ""]);
  assert.ok(catalog.looks < 20 * depth, `${catalog.looks} looks`);
});

Deno.test("OutputMasks: what a view inserts has the defaults and triggers of its table", () => {
  const rows = (trigger: string) => [
    ...relation(1, "s", "t", [
      ["id", "nextval('s.t_id_seq'::regclass)"],
      ["name"],
      ["at", "now()"],
    ]),
    ...relation(
      2,
      "s",
      "v",
      [["id"], ["name"], ["made"]],
      "SELECT id, name, at AS made FROM s.t",
    ),
    ["changer", "1", "9", ""],
    ["change", "9", trigger, "plpgsql f"],
  ];
  const names = ["id", "name", "made"];
  const quiet = rows("begin return new; end");
  const inserted = "insert into s.v (name) values ('x') returning *";
  assert.deepEqual(masksOf(quiet, inserted, names), ["sequence", "", "moment"]);
  const updated = "update s.v set name = 'x' returning *";
  assert.deepEqual(masksOf(quiet, updated, names), ["", "", ""]);
  const loud = rows("begin new.at := now(); return new; end");
  assert.deepEqual(masksOf(loud, updated, names), ["", "", "moment"]);
  assert.deepEqual(masksOf(quiet, "select * from s.v", names), ["", "", ""]);
});

Deno.test("OutputMasks: a view has its table's keys where it shows each row once", () => {
  const rows = (view: string) => [
    ...relation(1, "s", "t", [["id"], ["tenant"], ["name"]]),
    ["key", "1", "id\ntenant"],
    ...relation(2, "s", "v", [["key"], ["tenant"], ["name"]], view),
  ];
  const isUnique = (view: string, sql: string) =>
    new OutputMasks(new Catalog(rows(view))).isUnique(shapeOf(sql));
  const plain = "SELECT id AS key, tenant, name FROM s.t WHERE name <> ''";
  const sorted = "select key, name from s.v order by tenant, key limit 3";
  assert.equal(isUnique(plain, sorted), true);
  assert.equal(
    isUnique(plain, "select name from s.v order by tenant limit 3"),
    false,
  );
  assert.equal(
    isUnique(
      "SELECT id AS key, name FROM s.t WHERE tenant = 5",
      "select key from s.v where key = 1 limit 1",
    ),
    true,
  );
  for (
    const view of [
      "SELECT lower(id) AS key, tenant, name FROM s.t",
      "SELECT id % 2 AS key, tenant, name FROM s.t",
      "SELECT id AS key, tenant, unnest(tags) AS name FROM s.t",
      "SELECT t.id AS key, t.tenant, u.name FROM s.t, s.u",
      "SELECT id AS key, tenant, name FROM s.t UNION ALL SELECT id, tenant, name FROM s.t",
    ]
  ) assert.equal(isUnique(view, sorted), false, view);
});

Deno.test("OutputMasks: a view's count is that of the schema it stands in", () => {
  const rows = [
    ["path", "public"],
    ...relation(1, "public", "t", ID_NAME),
    ...relation(
      2,
      "api",
      "t",
      ID_NAME,
      "SELECT id FROM public.t WHERE at < now()",
    ),
  ];
  const counts = (sql: string) =>
    new OutputMasks(new Catalog(rows)).counts(shapeOf(sql));
  assert.equal(counts("select id from t"), undefined);
  assert.equal(counts("select id from api.t"), "boundary");
});

Deno.test("OutputMasks: excluded is the row that was to be inserted", () => {
  const rows = relation(1, "s", "t", [["a"], ["b"], ["at", "now()"]]);
  const masks = (values: string, set: string, ...names: string[]) =>
    masksOf(
      rows,
      `insert into s.t (a, b) values (1, ${values})
        on conflict (a) do update set ${set} returning ${names}`,
      names,
    );
  assert.deepEqual(masks("now()", "b = excluded.b", "b"), ["moment"]);
  assert.deepEqual(masks("'x'", "b = excluded.b", "b"), [""]);
  assert.deepEqual(masks("'x'", "b = excluded.at", "b"), ["moment"]);
  assert.deepEqual(masks("random()", "a = excluded.b", "a"), ["chance"]);
  assert.deepEqual(masks("random()", "a = t.b", "a", "b"), ["", "chance"]);
});

Deno.test("OutputMasks: OLD and NEW are what stood there and what was written", () => {
  const rows = relation(1, "s", "t", [["a"], ["at", "now()"]]);
  const updated = "update s.t set a = random()";
  assert.deepEqual(
    masksOf(rows, `${updated} returning old.a, new.a`, ["a", "a"]),
    ["", "chance"],
  );
  assert.deepEqual(
    masksOf(rows, `${updated} returning old.*, new.*`, ["a", "at", "a", "at"]),
    ["", "", "chance", ""],
  );
  assert.deepEqual(masksOf(rows, `${updated} returning *`, ["a", "at"]), [
    "chance",
    "",
  ]);
  const inserted = "insert into s.t (a) values ('x') returning new.at, old.at";
  assert.deepEqual(masksOf(rows, inserted, ["at", "at"]), ["moment", ""]);
  // A table that is called so.
  assert.deepEqual(
    masksOf(
      rows,
      "update s.t set a = random() from s.u as new returning new.b",
      ["b"],
    ),
    [""],
  );
});

Deno.test("OutputMasks: functions that decide which rows a view has decide its count", () => {
  const rows = (body: string) => [
    ...relation(1, "s", "v", ID_NAME, "SELECT id FROM s.t WHERE f(t.id)"),
    ["function", "f", body, "9"],
  ];
  const counts = (body: string) =>
    new OutputMasks(new Catalog(rows(body))).counts(
      shapeOf("select id from s.v"),
    );
  assert.equal(counts("select now() > $1"), "boundary");
  assert.equal(counts("select $1 > 1"), undefined);
});

Deno.test("OutputMasks: an alias that hides a column is not that column", () => {
  const rows = [
    ...relation(1, "s", "t", [["id"], ["name"]]),
    ["key", "1", "id"],
  ];
  const isUnique = (sql: string) =>
    new OutputMasks(new Catalog(rows)).isUnique(shapeOf(sql));
  assert.equal(isUnique("select id from s.t order by id limit 3"), true);
  assert.equal(
    isUnique("select name as n from s.t order by t.id limit 3"),
    true,
  );
  assert.equal(isUnique("select id as n from s.t order by n limit 3"), true);
  assert.equal(
    isUnique("select name as id from s.t order by id limit 3"),
    false,
  );
  assert.equal(
    isUnique("select lower(id) as id from s.t order by id limit 3"),
    false,
  );
});

Deno.test("OutputMasks: how far a sequence has come may differ", () => {
  const rows = [["sequence", "t_id_seq", "7", "public"]];
  assert.deepEqual(
    masksOf(rows, "select * from t_id_seq", [
      "last_value",
      "log_cnt",
      "is_called",
    ]),
    ["sequence", "sequence", ""],
  );
  const one = "select last_value, is_called from public.t_id_seq";
  assert.deepEqual(masksOf(rows, one, ["last_value", "is_called"]), [
    "sequence",
    "",
  ]);
  assert.deepEqual(
    masksOf(relation(1, "public", "t", [["last_value"]]), "select * from t", [
      "last_value",
    ]),
    [""],
  );
});

Deno.test("OutputMasks: a generated column follows what an UPDATE sets", () => {
  const given = [
    [1, "a", TEXT, "", null],
    [2, "b", TEXT, "s", "lower(a)"],
  ];
  const rows = [
    ["relation", "t", "1", "public"],
    ["columns", "1", JSON.stringify(given), ""],
  ];
  const masks = (value: string) =>
    masksOf(rows, `update t set a = ${value} returning b`, ["b"]);
  assert.deepEqual(masks("random()"), ["chance"]);
  assert.deepEqual(masks("1"), [""]);
});

Deno.test("OutputMasks: a view and a write show which of equal values they kept", () => {
  const rows = [
    ...relation(1, "s", "t", [["n"], ["m"]]),
    ...relation(
      2,
      "s",
      "v",
      [["n"], ["total"]],
      "SELECT n, sum(m) AS total FROM s.t GROUP BY n",
    ),
  ];
  const kept = (sql: string, ...names: string[]) => {
    const columns = names.map((name) => ({
      name,
      typeOid: TEXT,
      isBinary: false,
    }));
    return new OutputMasks(new Catalog(rows)).rules(shapeOf(sql), columns)
      .map(({ isFolded }) => isFolded);
  };
  assert.deepEqual(kept("select * from s.v", "n", "total"), [true, false]);
  assert.deepEqual(kept("select * from s.t", "n", "m"), [false, false]);
  assert.deepEqual(
    kept(
      "insert into s.t (n, m) select distinct n, 1 from s.u returning *",
      "n",
      "m",
    ),
    [true, true],
  );
  assert.deepEqual(
    kept("insert into s.t (n, m) select n, m from s.u returning *", "n", "m"),
    [false, false],
  );
});
