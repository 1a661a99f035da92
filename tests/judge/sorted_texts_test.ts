import assert from "node:assert/strict";
import { loadModule } from "libpg-query";
import { Catalog, CollationPair } from "../../src/catalog/mod.ts";
import { DrawnColumns } from "../../src/judge/drawn_columns.ts";
import { OutputMasks } from "../../src/judge/output_masks.ts";
import { analyze } from "../../src/sql/analyze.ts";
import { OTHER_SHAPE, type Shape } from "../../src/sql/shape.ts";

await loadModule();

const [INT, TEXT] = [23, 25];

/** A table of a number, a text by default, one by C and one by en; and a view. */
const SCHEMA = [
  ["path", "public"],
  ...["t", "v"].flatMap((name, i) => [
    ["relation", name, `${i + 1}`, "public"],
    [
      "columns",
      `${i + 1}`,
      JSON.stringify([
        [1, "id", INT, "", null],
        [2, "k", INT, "", null],
        [3, "plain", TEXT, "t", null],
        [4, "c", TEXT, "t", null],
        [5, "en", TEXT, "t", null],
      ]),
      "",
    ],
  ]),
  ["key", "1", "id", ""],
  ["view", "v", "SELECT id, k, plain, c, en FROM public.t", "2"],
  ["relation", "list", "3", "public"],
  ["columns", "3", JSON.stringify([[1, "ids", 1007, "", null]]), ""],
  [
    "view",
    "list",
    "SELECT array_agg(t.id ORDER BY t.en) AS ids FROM public.t",
    "3",
  ],
];

const columns = ["t", "v"].flatMap((name) => [
  ["column", "public", name, "c", "950"],
  ["column", "public", name, "en", "16400"],
]);

/** How one server sorts: by its default, and by en. */
const server = (byDefault: string, byEn: string) => [
  ["texts", "61", "", "", ""],
  ["collation", "100", byDefault, "pg_catalog.default", ""],
  ["collation", "950", "1,2", "pg_catalog.C", ""],
  ["collation", "16400", byEn, "public.en", ""],
  ...columns,
];

const TWIN = server("1,2", "2,1");

function masksBeside(mirror: string[][]): OutputMasks {
  const collations = new CollationPair();
  collations.learn(TWIN, mirror);
  return new OutputMasks(new Catalog(SCHEMA, undefined, collations));
}

const twin = masksBeside(TWIN);
const otherEn = masksBeside(server("1,2", "1,2"));
const otherDefault = masksBeside(server("2,1", "2,1"));

function shapeOf(sql: string): Shape {
  return analyze(sql)?.shapes[0] ?? OTHER_SHAPE;
}

/** Which mirror sorts a key otherwise: none of them, the one of another en, or that of another default. */
const KEYS: readonly [key: string, by: "none" | "en" | "default"][] = [
  ["en", "en"],
  ["k, lower(en)", "en"],
  ["en || plain", "en"],
  ["plain || c", "none"],
  ["plain", "default"],
  ["coalesce(plain, 'x')", "default"],
  ["k::text", "default"],
  ["to_char(k, '000')", "default"],
  ["case when k = 1 then 'a' else 'b' end", "default"],
  ["coalesce(k, '1')", "none"],
  ["c", "none"],
  ["c::varchar", "none"],
  ["k, id", "none"],
  ["length(en)", "none"],
  ['en collate "C"', "none"],
  ["c collate en", "en"],
  ["unknown_column", "none"],
];

Deno.test("sortsOtherwise: a key's collation decides, and a number has none", () => {
  for (const relation of ["t", "v"]) {
    for (const [key, by] of KEYS) {
      const shape = shapeOf(`select 1 from ${relation} order by ${key}`);
      const found = [twin, otherEn, otherDefault].map((masks) =>
        masks.isSortedOtherwise(shape)
      );
      const expected = [false, by === "en", by === "default"];
      assert.deepEqual(found, expected, `${relation}: ${key}`);
    }
  }
  const unknown = shapeOf("select 1 from nowhere order by en");
  assert.ok(!otherEn.isSortedOtherwise(unknown));
});

/** The mask of an output on equal servers, and where the mirror sorts en otherwise. */
const MASKS: readonly [sql: string, twin: string, otherwise: string][] = [
  ["select array_agg(id order by en) as x from t", "ties", ""],
  ["select array_agg(id order by k) as x from t", "ties", "ties"],
  ["select array_agg(id order by c) as x from t", "ties", "ties"],
  ["select array_agg(id) as x from t", "permuted", "permuted"],
  ["select row_number() over (order by en) as x from t", "numbered", ""],
  ["select row_number() over (order by k) as x from t", "numbered", "numbered"],
  ["select lag(k) over (order by en) as x from t", "choice", ""],
  ["select lag(k) over (order by k, id) as x from t", "", ""],
  ["select x from (select k as x from t order by en limit 1) s", "choice", ""],
  ["select distinct on (k) id as x from t order by k, en", "choice", ""],
  ["select distinct on (en) id as x from t order by en", "choice", "choice"],
  ["select ids as x from list", "ties", ""],
  ["select ids[1] as x from list", "choice", ""],
];

Deno.test("OutputMasks: ties are no excuse where the mirror sorts the order's text otherwise", () => {
  for (const [sql, ...expected] of MASKS) {
    const found = [twin, otherEn].map((masks) => {
      const columns = [{ name: "x", typeOid: TEXT, isBinary: false }];
      return masks.rules(shapeOf(sql), columns)[0]?.mask ?? "";
    });
    assert.deepEqual(found, expected, sql);
  }
});

Deno.test("OutputMasks: a window's keys that are selected tell which rows are equal", () => {
  const shape = shapeOf(
    "select en, row_number() over (order by en) as x from t",
  );
  const columns = ["en", "x"].map((name) => ({
    name,
    typeOid: TEXT,
    isBinary: false,
  }));
  const rule = otherEn.rules(shape, columns)[1];
  assert.equal(rule?.mask, "numbered");
  assert.deepEqual(rule?.within, [0]);
});

Deno.test("OutputMasks: what a LIMIT keeps decides a count, and is no choice where the order is another", () => {
  const count = (key: string) =>
    shapeOf(
      `select count(*) from (select k from t order by ${key} limit 3) s where k > 1`,
    );
  assert.equal(twin.counts(count("en")), "choice");
  assert.equal(otherEn.counts(count("en")), undefined);
  assert.equal(otherEn.counts(count("k")), "choice");
});

Deno.test("OutputMasks: what is learnt of collations later holds from then on", () => {
  const collations = new CollationPair();
  const catalog = new Catalog(SCHEMA, undefined, collations);
  const masks = new OutputMasks(catalog, new DrawnColumns());
  const columns = [{ name: "ids", typeOid: TEXT, isBinary: false }];
  const shape = shapeOf("select ids from list");
  const mask = () => masks.rules(shape, columns)[0]?.mask;
  assert.equal(mask(), "ties");
  collations.learn(TWIN, server("1,2", "1,2"));
  assert.equal(mask(), undefined);
  collations.forget();
  assert.equal(mask(), "ties");
});
