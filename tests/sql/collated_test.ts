import assert from "node:assert/strict";
import { loadModule } from "libpg-query";
import { analyze } from "../../src/sql/analyze.ts";
import type { Collated } from "../../src/sql/trait.ts";

await loadModule();

/** `t.a+t.b text`: the columns of a key, and what it is made into. */
function textOf({ columns, made, named }: Collated): string {
  const names = columns.map(({ relation, column }) => `${relation}.${column}`);
  return [names.join("+"), made, named].filter(Boolean).join(" ");
}

function keysOf(sql: string): readonly string[] {
  const [shape] = analyze(sql)?.shapes ?? [];
  assert.ok(shape?.isParsed, sql);
  return shape.sortedBy.map(textOf);
}

/** Behind `select id from t order by`: each key's texts. */
const KEYS: readonly [key: string, ...texts: string[]][] = [
  ["name", "t.name"],
  ["t.name desc nulls last, lower(u)", "t.name", "t.u"],
  ["id % 2, name", "t.name"],
  ["name || ''", "t.name text"],
  ["a || b", "t.a+t.b"],
  ["nullif(name, 'a')", "t.name"],
  ["coalesce(a, b, '')", "t.a+t.b literal"],
  ["case when k > 1 then a else 'x' end", "t.a literal"],
  ["case when name > 'b' then 1 else 2 end"],
  ["greatest(a, b)", "t.a+t.b"],
  ["k::text", "t.k text"],
  ["(k + 1)::varchar(10)", "text"],
  ["name::int, name::date"],
  ["length(name), name = 'a', name like 'b%', position('a' in name)"],
  ["date_trunc('day', at), extract(year from at), k + 1, $1"],
  ["to_char(at, 'YYYY')", "t.at text"],
  ["data->>'name'", "text"],
  ["data->'name', (data->>'n')::int"],
  ['name collate "C"'],
  ['lower(name collate "POSIX") || a'],
  ['name collate pg_catalog."C", a', "t.a"],
  ["name collate en", "t.name en"],
  ["(select max(name) from s where s.id = t.id)", "s.name"],
  ["(select count(*) from s), exists (select name from s)"],
  ["1", "t.id"],
  ["names[1]", "t.names"],
  ["(a, name)", "t.a+t.name"],
  ["max(name) over (order by k), row_number() over (order by name)", "t.name"],
];

Deno.test("textKeys: the texts that ORDER BY sorts by", () => {
  for (const [key, ...texts] of KEYS) {
    assert.deepEqual(keysOf(`select id from t order by ${key}`), texts, key);
  }
});

const STATEMENTS: readonly [sql: string, ...texts: string[]][] = [
  ["select id from t"],
  ["select lower(name) as k from t order by k", "t.name"],
  ["select length(name) as name from t order by name"],
  ["select id from (select id, name as n from t) s order by n", "t.name"],
  ["select id from (select id, length(name) as n from t) s order by n"],
  [
    "with s as (select id, name from app.t) select id from s order by name",
    "app\0t.name",
  ],
  [
    "with s (a, b) as (select id, name from t) select a from s order by b",
    "t.name",
  ],
  ["select 1 from a join b using (id) order by b.name", "b.name"],
  ["select 1 from a, b order by name", "a.name+b.name"],
  [
    "select 1 from (select a from t union all select b from u) s order by a",
    "t.a+u.b",
  ],
  ["select 1 from (values ('a'), ('b')) v (x) order by x", "literal"],
  ["select 1 from (values (1), (2)) v (x) order by x"],
  ["select 1 from unnest(array['a', 'b']) x order by x", "literal"],
  ["select 1 from unnest(array[1, 2]) x order by x"],
  [
    "select 1 from unnest(array['a']) with ordinality o (x, n) order by x",
    "literal",
  ],
  ["select 1 from unnest(array['a']) with ordinality o (x, n) order by n"],
  ["select 1 from unnest(array['a']) with ordinality x order by ordinality"],
  ["select 1 from generate_series(1, 2) x order by x"],
  ["select 1 from regexp_split_to_table($1, ',') x order by x", "literal"],
  [
    "select 1 from t, jsonb_object_keys(t.data) x order by x",
    "t.x+t.data text",
  ],
  ["select count(*) from t group by name order by name", "t.name"],
  ["select t.* from t order by t.name", "t.name"],
];

Deno.test("textKeys: names lead through queries to columns", () => {
  for (const [sql, ...texts] of STATEMENTS) {
    assert.deepEqual(keysOf(sql), texts, sql);
  }
});

/** What ties of an output's mask are by. */
const MASKS: readonly [output: string, ...texts: string[]][] = [
  ["array_agg(id order by name)", "t.name"],
  ["array_agg(id order by k, lower(name))", "t.k", "t.name"],
  ["array_agg(id order by k + 1)"],
  ["array_agg(id)"],
  ["row_number() over (order by name)", "t.name"],
  ["lag(id) over (partition by name order by k)", "t.k"],
  ["lag(id) over w", "t.name"],
  ["(select id from s order by u limit 1)", "s.u"],
  ["(select array_agg(id) from (select id from s order by u) s)", "s.u"],
];

Deno.test("Part: a mask knows by which texts its order is", () => {
  for (const [output, ...texts] of MASKS) {
    const sql = `select ${output} as x from t window w as (order by name)`;
    const [one] = analyze(sql)?.shapes[0]?.outputs ?? [];
    const found = one?.trait.parts.flatMap(({ sortedBy = [] }) => sortedBy);
    assert.deepEqual(found?.map(textOf), texts, output);
  }
});

Deno.test("Part: of rows that are equal in DISTINCT ON its own keys choose none", () => {
  const texts = (sql: string) => {
    const outputs = analyze(sql)?.shapes[0]?.outputs ?? [];
    return outputs.flatMap(({ trait }) =>
      trait.parts.flatMap(({ sortedBy = [] }) => sortedBy.map(textOf))
    );
  };
  const distinct = "select distinct on (name) id from t order by name";
  assert.deepEqual(texts(distinct), []);
  assert.deepEqual(texts(`${distinct}, u`), ["t.u"]);
  const computed = distinct.replaceAll("name", "coalesce(name, '')");
  assert.deepEqual(texts(`${computed}, k + 1`), []);
});
