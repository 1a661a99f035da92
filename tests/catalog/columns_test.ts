import assert from "node:assert/strict";
import { Catalog } from "../../src/catalog/mod.ts";

const TYPES = [
  ["type", "23", "int4", "0"],
  ["type", "25", "text", "0"],
  ["type", "16400", "ext.citext", "0"],
  ["type", "16401", "address", "16400"],
  ["type", "16402", "app.token", "25"],
  ["domain", "16402", "gen_random_uuid()"],
];
const FUNCTIONS = [
  ["function", "stamp", "create function stamp() … select now()", "1"],
  ["volatile", "stamp", "sql"],
  ["function", "lazy", "begin return 1; end", "2"],
  ["volatile", "lazy", "plpgsql"],
  ["function", "careful", "begin return 1; end", "3"],
  ["volatile", "in_c", "c"],
];

type Given = [number, string, number, string, string | null];

function catalogOf(...columns: Given[]): Catalog {
  return new Catalog([
    ...TYPES,
    ...FUNCTIONS,
    ["relation", "t", "1"],
    ["columns", "1", JSON.stringify(columns)],
  ]);
}

/** The nature of a default, as the catalog tells it. */
function natureOf(expression: string, type = 25): string | undefined {
  const [column] = catalogOf([1, "a", type, "", expression]).columns("t") ?? [];
  return column?.default?.nature;
}

Deno.test("Catalog: a column has its type's name, and is case-free by type, domain or collation", () => {
  const catalog = catalogOf(
    [1, "id", 23, "", null],
    [3, "mail", 16400, "", null],
    [4, "home", 16401, "", null],
    [5, "word", 25, "n", null],
    [6, "odd", 99_999, "", null],
  );
  assert.deepEqual(
    catalog.columns("t")?.map(({ name, typeOid, type, isCaseFree }) =>
      `${name} ${typeOid} ${type} ${isCaseFree}`
    ),
    [
      "id 23 int4 false",
      "mail 16400 ext.citext true",
      "home 16401 address true",
      "word 25 text true",
      "odd 99999 type 99999 false",
    ],
  );
  assert.equal(catalog.columns("u"), undefined);
});

Deno.test("Catalog: a column that is first asked for while the types are asked for again is case-free, too", () => {
  const catalog = catalogOf([1, "mail", 16400, "", null]);
  catalog.types.mirror.forget();
  assert.equal(catalog.columns("t")?.[0]?.isCaseFree, true);
});

Deno.test("Catalog: a default tells whether equal servers may differ in it, and how far", () => {
  const natures: Readonly<Record<string, string>> = {
    "0": "fixed",
    "'now() is a text'::text": "fixed",
    "lower('X'::text)": "fixed",
    "now()": "time",
    "CURRENT_TIMESTAMP": "time",
    "('now'::text)::date": "time",
    "(now() + '01:00:00'::interval)": "time",
    "nextval('t_id_seq'::regclass)": "sequence",
    "('A'::text || nextval('app.\"S\"'::regclass))": "sequence",
    "(nextval('s'::regclass) + random())": "chance",
    "gen_random_uuid()": "chance",
    "public.uuid_generate_v1mc()": "chance",
    "(now() || random())": "chance",
    "CURRENT_USER": "chance",
    "stamp()": "time",
    "lazy()": "chance",
    "careful()": "fixed",
    "app.in_c(1)": "chance",
    [`'${"x".repeat(1_000)}'`.slice(0, 1_000)]: "chance",
  };
  for (const [expression, nature] of Object.entries(natures)) {
    assert.equal(natureOf(expression), nature, expression);
  }
});

Deno.test("Catalog: identities are sequences, a domain's default counts, a generated column says from what", () => {
  const catalog = catalogOf(
    [1, "id", 23, "a", null],
    [2, "plain", 25, "", null],
    [3, "token", 16402, "", null],
    [4, "fixed", 16402, "", "'x'::text"],
    [5, "Sum", 23, "s", `(("id" + length(plain)) + 1)`],
  );
  assert.deepEqual(
    catalog.columns("t")?.map((column) => column.default),
    [
      { nature: "sequence", from: [] },
      undefined,
      { nature: "chance", from: [] },
      { nature: "fixed", from: [] },
      { nature: "fixed", from: ["id", "plain"] },
    ],
  );
});

Deno.test("Catalog: of several relations of a name the least certain default counts, if their columns are the same", () => {
  const rows = (second: Given) => [
    ...TYPES,
    ["relation", "t", "1"],
    ["relation", "t", "2"],
    ["columns", "1", JSON.stringify([[1, "a", 25, "", "'x'::text"]])],
    ["columns", "2", JSON.stringify([second])],
  ];
  const both = new Catalog(rows([1, "a", 25, "n", "now()"])).columns("t");
  assert.equal(both?.[0]?.default?.nature, "time");
  assert.equal(both?.[0]?.isCaseFree, true);
  const others: Given[] = [
    [1, "b", 25, "", null],
    [1, "a", 23, "", null],
  ];
  for (const other of others) {
    assert.equal(new Catalog(rows(other)).columns("t"), undefined);
  }
  const unread = new Catalog(rows([1, "a", 25, "", null]).slice(0, -1));
  assert.equal(unread.columns("t"), undefined);
});

Deno.test("Catalog: columns that are not what was asked for are not known", () => {
  for (const text of ["", "[", "{}", "[1]", '[[1, "a", 23]]', "[[]]", "null"]) {
    const catalog = new Catalog([["relation", "t", "1"], [
      "columns",
      "1",
      text,
    ]]);
    assert.equal(catalog.columns("t"), undefined, text);
    assert.equal(catalog.columnsOf("1"), undefined, text);
  }
});

Deno.test("Catalog: columns and definitions may come in parts", () => {
  const catalog = new Catalog([
    ["relation", "t", "1"],
    ["columns", "1", '[[1, "a", 2', ""],
    ["relation", "v", "2"],
    ["view", "v", "SELECT a FR", "2"],
    ["columns", "1", '3, "", null]]', ""],
    ["view", "v", "OM t", "2"],
  ]);
  assert.equal(catalog.columns("t")?.[0]?.typeOid, 23);
  assert.equal(catalog.viewText("2"), "SELECT a FROM t");
  const writers = catalog.writersOf({ reads: ["v"], calls: [] });
  assert.deepEqual([...writers].sort(), ["t", "v"]);
});

Deno.test("Catalog: a view's text is its own, and known if it is not endless", () => {
  const catalog = new Catalog([
    ["view", "v", "SELECT 1", "1"],
    ["view", "v", "SELECT 2", "2"],
    ["view", "x", "x".repeat(65_537), "4"],
  ]);
  const texts = ["1", "2", "4", "5"].map((oid) => catalog.viewText(oid));
  assert.deepEqual(texts, ["SELECT 1", "SELECT 2", undefined, undefined]);
});

Deno.test("Catalog: a function's nature is what its text mentions, and chance where there is no text", () => {
  const catalog = new Catalog([
    ...FUNCTIONS,
    ["function", "deep", "select stamp()", "4"],
    ["function", "deeper", "begin return in_c(1); end", "5"],
    ["function", "dynamic", "begin execute 'select 1'; end", "6"],
  ]);
  const natures: Readonly<Record<string, string | undefined>> = {
    stamp: "time",
    lazy: undefined,
    careful: undefined,
    in_c: "chance",
    deep: "time",
    deeper: "chance",
    dynamic: "chance",
    unknown: undefined,
  };
  for (const [name, nature] of Object.entries(natures)) {
    assert.equal(catalog.functionNature(name), nature, name);
  }
});

Deno.test("Catalog: a definition of any size is read in little time", () => {
  const start = performance.now();
  for (const text of ["x", "x ", "'", '"', "x(", "execute "]) {
    const rows = [["view", "v", text.repeat(60_000), "1"]];
    new Catalog(rows).functionNature("v");
  }
  const tookMs = performance.now() - start;
  assert.ok(tookMs < 3_000, `${tookMs} ms`);
});
