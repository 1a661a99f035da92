import assert from "node:assert/strict";
import { loadModule } from "libpg-query";
import { analyze } from "../../src/sql/analyze.ts";
import type { Output } from "../../src/sql/trait.ts";

await loadModule();

/** Masks of an output: those with a `?` go where a unique key is in the order. */
function text(output: Output): string {
  const masks = output.trait.parts.map(({ mask, unlessUnique }) =>
    unlessUnique === undefined
      ? mask
      : `${mask}?${unlessUnique.columns.join("+")}`
  );
  return `${"star" in output ? `${output.star ?? ""}*` : ""}${
    masks.toSorted().join(" ")
  }`;
}

const CASES: readonly [sql: string, masks: readonly string[]][] = [
  ["select a, now() from t", ["", "time"]],
  ["select current_timestamp, current_user", ["time", "chance"]],
  ["select 'now'::timestamptz, '2024-01-01'::date, 'now'", ["time", "", ""]],
  ["select nextval('s'), gen_random_uuid(), random()", [
    "sequence",
    "chance",
    "chance",
  ]],
  ["select now() + interval '1 day', now() - at from t", ["time", "time"]],
  ["select now() - now(), extract(year from now())", ["moment", "moment"]],
  [
    "select extract(epoch from now() - at), floor(extract(epoch from age(at)))::int - 7",
    [
      "age",
      "age",
    ],
  ],
  ["select extract(epoch from now()) * 1000, extract(epoch from at) from t", [
    "moment",
    "",
  ]],
  ["select age(now(), at), extract(epoch from now()) > 7 from t", [
    "time",
    "boundary",
  ]],
  ["select to_char(now(), 'YYYY'), now()::text", ["moment", "moment"]],
  ["select now()::date, greatest(at, now()) from t", ["time", "time"]],
  ["select at > now(), at between now() and b from t", [
    "boundary",
    "boundary",
  ]],
  ["select case when at > now() then 1 else 2 end from t", ["boundary"]],
  ["select coalesce(at, now()), now() is null from t", ["time", "boundary"]],
  ["select t.*, now(), * from t", ["t*", "time", "t*"]],
  ["select ctid, 't'::regclass::oid from t", ["chance", "chance"]],
  ["select 't'::regclass from t", [""]],
  ["select to_regclass($1)::oid, $1::oid::regtype, pg_typeof(a)::oid from t", [
    "chance",
    "chance",
    "chance",
  ]],
  // Names of inner queries
  ["select n, a from (select now() as n, a from t) s", ["time", ""]],
  ["with s as (select now() as n, a from t) select s.* from s", ["time", ""]],
  ["with s (x, y) as (select now(), a from t) select y, x from s", [
    "",
    "time",
  ]],
  ["select s.n from (select a as n from t) s, (select now() as n) u", [""]],
  ["select (select now()), (select max(a) from u) from t", ["time", ""]],
  ["select (select a from u where b > now()) from t", ["boundary"]],
  ["select exists (select 1 from u where b > now()) from t", ["boundary"]],
  ["select row_to_json(s) from (select now() as n) s", ["moment"]],
  ["select x from (values (1, now()), (2, null)) v (x, y)", [""]],
  ["select y from (values (1, now()), (2, null)) v (x, y)", ["time"]],
  ["select a from t union all select now()", ["time"]],
  ["select 1 as a, now() as b union select 2, null", ["", "time"]],
  ["select g from generate_series(1, 3) g", [""]],
  // Lists
  ["select array_agg(a), string_agg(b, ',') from t", ["permuted", "permuted"]],
  ["select g, json_agg(a) from t group by g", ["", "permuted"]],
  ["select array_agg(a order by a), array_agg(a order by b) from t", [
    "",
    "ties?b",
  ]],
  ["select array_agg(a) from (select a from t order by a) s", [""]],
  ["select array_agg(a) from (select a, b from t order by b) s", ["ties?b"]],
  ["select array(select a from u), array(select a from u order by a)", [
    "permuted",
    "",
  ]],
  ["select coalesce(json_agg(a), '[]'), array_agg(a)::text from t", [
    "permuted",
    "permuted",
  ]],
  ["select json_build_object('a', json_agg(a)) from t", ["permuted"]],
  ["select cardinality(array_agg(a)), (array_agg(a))[1] from t", [
    "",
    "choice",
  ]],
  ["select md5(string_agg(a, ',')) from t", ["choice"]],
  ["select sum(a), avg(a), max(a), count(*) from t", [
    "float",
    "float",
    "",
    "",
  ]],
  ["select count(now()), max(now()), sum(random())", [
    "",
    "time",
    "chance float",
  ]],
  // Windows
  ["select a, row_number() over (order by b) from t", ["", "numbered?b"]],
  [
    "select rank() over (order by b), ntile(4) over w from t window w as (order by c)",
    [
      "",
      "numbered?c",
    ],
  ],
  ["select lag(a) over (order by b), lag(b) over (order by b) from t", [
    "choice?b",
    "",
  ]],
  ["select sum(a) over (order by b) from t", ["float"]],
  ["select count(*) over (order by b rows 1 preceding) from t", ["choice?b"]],
  [
    "select a from (select a, row_number() over (partition by b order by c) as n from t) s where n = 1",
    [
      "choice?c+b",
    ],
  ],
  // Choices
  ["select a, b from t limit 5", ["", ""]],
  ["select a, b from (select a, b from t limit 5) s", ["choice?", "choice?"]],
  ["select a, b from (select a, b from t order by b limit 5) s", [
    "choice?b",
    "",
  ]],
  ["select (select a from u where u.id = $1 limit 1) from t", ["choice?id"]],
  ["select distinct on (g) g, at, id from t order by g, at desc", [
    "",
    "",
    "choice?g+at",
  ]],
  ["select a from t where id in (select id from u limit 5)", ["choice?"]],
  ["select sum(a) from (select a from t limit 5) s", ["choice? float"]],
  ["select exists (select 1 from (select a from t limit 5) s where s.a = 1)", [
    "choice?",
  ]],
  // Writes
  ["delete from t where id in (select id from u limit 5) returning a", [
    "choice?",
  ]],
  [
    "update t set a = 1 from (select id from u limit 1) s where t.id = s.id returning a",
    [
      "choice?",
    ],
  ],
  ["delete from t where a = 1 returning a, now()", ["", "time"]],
  ["with w as (update t set a = 1 returning now() as n) select n from w", [
    "time",
  ]],
];

for (const [sql, masks] of CASES) {
  Deno.test(`outputsOf: ${sql}`, () => {
    const outputs = analyze(sql)?.shapes[0]?.outputs;
    assert.deepEqual(outputs?.map(text), masks);
  });
}

Deno.test("outputsOf: what a statement writes shows in what it returns", () => {
  const written = (sql: string) => {
    const [output] = analyze(sql)?.shapes[0]?.outputs ?? [];
    const write = output !== undefined && "star" in output
      ? output.write
      : output?.trait.columns[0]?.write;
    const named = Object.entries(write?.named ?? {}).map(([name, trait]) =>
      `${name}:${trait.parts.map(({ mask }) => mask).join(" ")}${
        trait.isDefault ? "default" : ""
      }`
    );
    return [write?.inserts, ...named, write?.positional.length];
  };
  assert.deepEqual(
    written("insert into t (a, b) values (1, now()), (2, null) returning *"),
    [true, "a:", "b:time", 0],
  );
  assert.deepEqual(written("insert into t values (1, 2) returning id"), [
    true,
    2,
  ]);
  assert.deepEqual(
    written(
      "insert into t (a, b) values (1, default) on conflict (a) do update set c = now() returning c",
    ),
    [true, "a:", "b:default", "c:timedefault", 0],
  );
  assert.deepEqual(
    written("update t set a = 1, b = random() where c = 1 returning t.*"),
    [false, "a:", "b:chance", 0],
  );
  assert.deepEqual(written("select a from t"), [undefined, undefined]);
});

Deno.test("outputsOf: numbered rows name the columns of their window, as far as they are selected", () => {
  const within = (sql: string) =>
    analyze(sql)?.shapes[0]?.outputs?.flatMap(({ trait }) => trait.parts)
      .find(({ mask }) => mask === "numbered")?.within;
  const number = "row_number() over (partition by p order by g) as n";
  assert.deepEqual(within(`select p as x, g, ${number} from t`), ["g", "x"]);
  assert.deepEqual(within(`select *, ${number} from t`), ["g", "p"]);
  assert.deepEqual(within(`select t.*, ${number} from t`), ["g", "p"]);
  assert.deepEqual(within(`select p, ${number} from t`), undefined);
  assert.deepEqual(within(`select *, ${number} from t, u`), undefined);
  assert.deepEqual(within(`select g, p, ${number} from t, u`), ["g", "p"]);
  // Another table's p.
  assert.deepEqual(within(`select u.p, g, ${number} from t, u`), undefined);
  assert.deepEqual(
    within(`select * from (select p, g, ${number} from t) s`),
    undefined,
  );
  assert.deepEqual(
    within(
      "select g, count(*) as c, row_number() over (order by count(*) desc) from t group by g",
    ),
    ["c"],
  );
  assert.deepEqual(within("select a, row_number() over () from t"), []);
});
