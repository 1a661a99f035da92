import assert from "node:assert/strict";
import { loadModule, parseSync } from "libpg-query";
import { constantColumns } from "../../src/sql/constant_rows.ts";

/** Queries, and how many columns of rows in one order they have. */
const QUERIES: readonly [query: string, columns: number | undefined][] = [
  [
    "select p0::int, upper(p1) from (values (1, 'a', 0)) v (p0, p1, n) order by n",
    2,
  ],
  [
    "select a + 0 from (values ($1, 0), ($2, 1)) v (a, n) order by v.n desc",
    1,
  ],
  ["select * from (values (1, 'a'), (2, 'b')) v", 2],
  ["select * from unnest($1::int[], $2::text[])", 2],
  ["select i from generate_series(1, 3) i", 1],
  ["select a, b from json_to_recordset($1) as x (a int, b text)", 2],
  ["select upper($1), now()", 2],
  ["select unnest($1::int[])", 1],
  // What they read, or how many there are, may differ.
  ["select a from t", undefined],
  ["select * from (select a from t) x", undefined],
  ["select (select a from t limit 1), upper('a')", undefined],
  ["select a from unnest($1::int[]) a, t", undefined],
  ["select a from unnest($1::int[]) a, unnest($2::int[]) b", undefined],
  ["select a from unnest($1::int[]) a union select 2", undefined],
  ["select distinct a from unnest($1::int[]) a", undefined],
  ["select a from unnest($1::int[]) a limit 1", undefined],
  ["with x as (select 1 as a) select a from x", undefined],
  ["select a from rows_of_mine() a", undefined],
  ["select a from unnest($1::int[]) a order by random()", undefined],
  ["select a from unnest($1::text[]) a order by a", undefined],
  [
    "select a + 0 from (values ($1, 0), ($2, 0)) v (a, n) order by n",
    undefined,
  ],
  [
    "select a + 0 from (values (1, 'a'), (2, 'b')) v (a, n) order by n",
    undefined,
  ],
  [
    "select a + 0 from (values (1, $1), (2, $2)) v (a, n) order by n",
    undefined,
  ],
  [
    "select a + 0 from (values (1, 2), (2, 3)) v (a, n) order by n, a",
    undefined,
  ],
  ["select value_of_mine(a) from unnest($1::int[]) a", undefined],
  // How many columns there are is not said.
  ["select * from json_to_recordset($1) as x (a int, b text)", undefined],
  ["select * from unnest($1::int[]) with ordinality", undefined],
  ["select *, 1 + 1 from unnest($1::int[])", undefined],
  // Of no type: in a subquery it would be text.
  ["select 'a', a from unnest($1::int[]) a", undefined],
  ["select $2, a from unnest($1::int[]) a", undefined],
  ["values (1)", undefined],
];

Deno.test("constantColumns: queries that make their rows of literals and parameters in one order", async () => {
  await loadModule();
  for (const [query, expected] of QUERIES) {
    const { stmts: [only] } = parseSync(query) as {
      stmts: { stmt: unknown }[];
    };
    assert.equal(constantColumns(only?.stmt), expected, query);
  }
});
