import assert from "node:assert/strict";
import { loadModule } from "libpg-query";
import { analyzeFunction, analyzeView } from "../../src/sql/analyze.ts";

await loadModule();

const define = (language: string, body: string) =>
  `create or replace function public.f() returns int language ${language} stable as $function$${body}$function$`;

/** Relations of each query, and the masks of its values. */
function queriesOf(definition: string): readonly string[] {
  return analyzeFunction(definition).map(({ sources, outputs = [] }) => {
    const masks = outputs.flatMap(({ trait }) =>
      trait.parts.map(({ mask }) => mask)
    );
    return [...sources, ...masks].join(" ");
  });
}

const CASES: readonly [name: string, definition: string, string[]][] = [
  ["the last query of SQL", define("sql", "select 1 from a; select 2 from b"), [
    "b",
  ]],
  [
    "RETURN of SQL",
    "create function f() returns int return (select a from t)",
    [
      "t",
    ],
  ],
  [
    "BEGIN ATOMIC",
    "create function f() returns int language sql begin atomic select 1 from a; select array_agg(b) from b; end",
    ["b permuted"],
  ],
  [
    "RETURN",
    define("plpgsql", "begin return (select sum(a) from t); end"),
    ["t float"],
  ],
  [
    "INTO, with words in comments and literals",
    define(
      "plpgsql",
      "declare s text; begin -- select; into\n perform 'select;'; select a, sum(b) into strict s, x.y from t; return s; end",
    ),
    ["t float", ""],
  ],
  [
    "RETURN QUERY, := and FOR",
    define(
      "plpgsql",
      "begin n := (select a from t); for r in select b from u limit 1 loop return next r; end loop; return query select c from v order by d limit 2; end",
    ),
    ["t", "u choice", "v choice"],
  ],
  [
    "what is written, dynamic, or no query",
    define(
      "plpgsql",
      "begin insert into t select a from u limit 1; return query execute 'select'; execute x into y; if a then return; end if; end",
    ),
    [],
  ],
  ["another language", define("plperl", "select 1"), []],
  ["C", "create function f() returns int language c as 'lib', 'f'", []],
];

for (const [name, definition, queries] of CASES) {
  Deno.test(`functionQueries: ${name}`, () => {
    assert.deepEqual(queriesOf(definition), queries);
  });
}

Deno.test("analyzeView: its LIMIT chooses rows, but for a unique key", () => {
  const [choice] = analyzeView("select a from t order by b limit 3")?.choices ??
    [];
  assert.equal(choice?.rule, "choice");
  assert.deepEqual(choice?.unlessUnique, {
    relation: "t",
    columns: ["b"],
    pinned: [],
  });
  assert.deepEqual(analyzeView("select a from t order by b")?.choices, []);
});
