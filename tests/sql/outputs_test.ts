import assert from "node:assert/strict";
import { loadModule, parseSync } from "libpg-query";
import { analyze } from "../../src/sql/analyze.ts";
import { Budget, TooLargeError } from "../../src/sql/budget.ts";
import { outputsOf } from "../../src/sql/outputs.ts";
import type { Output } from "../../src/sql/trait.ts";
import type { Node } from "../../src/sql/tree.ts";

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
  ["select distinct on (1) g, at from t order by g, at", ["", ""]],
  ["select a, b from t order by random() limit 5", ["chance", "chance"]],
  ["select a from t order by md5(a || random()) limit $1", ["chance"]],
  ["select a, random() as r from t order by r limit 1", [
    "chance",
    "chance",
  ]],
  ["select a from (select a, random() as r from t) s order by r limit 1", [
    "chance",
  ]],
  ["select a from (select a from t order by random() limit 1) s", ["chance"]],
  ["select a from t order by random()", [""]],
  ["select a from t order by a, random() limit 5", [""]],
  ["select a from t order by a = current_setting('x') limit 5", [""]],
  // What WITHIN GROUP sorts
  [
    "select percentile_cont(0.5) within group (order by random()), mode() within group (order by a) from t",
    ["chance", ""],
  ],
  [
    "select percentile_disc(0.5) within group (order by now()), rank(1) within group (order by now() - at) from t",
    ["time", "boundary"],
  ],
  [
    "select percentile_cont(0.5) within group (order by s) from (select sum(a) as s from t group by g) x",
    ["float"],
  ],
  ["select percentile_cont(array[0.1, 0.9]) within group (order by a) from t", [
    "",
  ]],
  // Keys of several relations, and literals that a shape does not hold
  ["select array_agg(o.id order by c.id) from o, c", ["ties"]],
  ["select array_agg(o.id order by o.id) from o, c", [""]],
  ["select array_agg(t.id order by id) from t", [""]],
  ["select array_agg(a + 1 order by a + 2) from t", ["ties?"]],
  ["select array_agg(lower(a) order by lower(a)) from t", [""]],
  ["select lag(a + 1) over (order by a + 1) from t", ["choice?"]],
  ["select distinct on (a + 1) a + 2, b from t", ["choice?", "choice?"]],
  ["select array_agg(a) from (select a from t order by random()) s", [
    "permuted",
  ]],
  ["select array_agg(a order by random()) from t", ["permuted"]],
  ["select array_agg(x) from (select b as x, a from t order by a) s", [
    "ties?a",
  ]],
  ["select array_agg(x) from (select t.b as x from t, u order by t.b) s", [""]],
  ["select json_object_agg(a, b order by a) from t", ["ties?a"]],
  ["select json_object_agg(a, b order by a, b) from t", [""]],
  ["select json_arrayagg(a order by a), json_arrayagg(a order by b) from t", [
    "",
    "ties?b",
  ]],
  [
    "select (select a from u where t.id = 5 order by t.b limit 1) from t",
    ["choice?"],
  ],
  [
    "select (select a from u x where x.id = 5 order by x.b limit 1) from t",
    ["choice?id+b"],
  ],
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
  [
    "with w as (delete from t where at < now() returning a) select exists (select from w), a from w",
    ["boundary", ""],
  ],
  [
    "merge into t using (select id from u limit 1) s on t.id = s.id when matched then delete returning t.a",
    ["choice?"],
  ],
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

/** Statements, and which of their columns show one of equal values. */
const KEPT: readonly [sql: string, kept: readonly boolean[]][] = [
  ["select n, sum(n), max(n), count(*) from t group by n", [
    true,
    false,
    true,
    false,
  ]],
  ["select lower(n) as k, n2, sum(n) + 1 from t group by lower(n), 2", [
    true,
    true,
    false,
  ]],
  ["select n * 2, coalesce(n, 0) from t group by n, coalesce(n, 1)", [
    true,
    true,
  ]],
  ["select n, t.m from t group by t.n, m", [true, true]],
  ["select a, b, c from t group by rollup (a), (b, c)", [true, true, true]],
  ["select distinct n, m from t", [true, true]],
  ["select distinct t.* from t", [true]],
  ["select distinct on (n) n, m from t order by n, m", [true, true]],
  ["select distinct on (n) n, m from t order by n, o", [true, false]],
  ["select n from t union select n from u", [true]],
  ["select n from t union all select n from u", [false]],
  ["select n from t intersect all select n from u", [true]],
  ["select n from t where due >= current_date", [false]],
  ["select greatest(n, m), n from t", [false, false]],
  ["select sum(n), sum(distinct n), avg(m) from t", [false, true, false]],
  ["select n, total from (select n, sum(m) as total from t group by n) s", [
    true,
    false,
  ]],
  ["select s.n + 1 from (select distinct n from t) s", [true]],
  ["select x.* from (select n, m from t limit 5) x", [false, false]],
  ["select n, m from (select n, m from t order by n limit 5) s", [
    true,
    false,
  ]],
  ["select mode() within group (order by n), min(n) over () from t", [
    true,
    true,
  ]],
  ["select lag(n) over (order by n), lag(m) over (order by n) from t", [
    true,
    false,
  ]],
  ["with s as (select max(n) as n from t) select n, (select n from s) from s", [
    true,
    true,
  ]],
  ["insert into t (n) select distinct n from u returning n", [false]],
];
for (const [sql, kept] of KEPT) {
  Deno.test(`outputsOf: of equal values one is kept where they are joined: ${sql}`, () => {
    const outputs = analyze(sql)?.shapes[0]?.outputs;
    assert.deepEqual(
      outputs?.map(({ trait }) => trait.isKept === true),
      kept,
    );
  });
}

/** Steps that looking at a statement takes. */
function stepsOf(sql: string): number {
  const { stmts } = parseSync(sql) as { stmts: { stmt: Node }[] };
  class Counting extends Budget {
    steps = 0;
    override spend(steps: number): void {
      this.steps += steps;
      super.spend(steps);
    }
  }
  const budget = new Counting();
  outputsOf(stmts[0]?.stmt ?? {}, budget);
  return budget.steps;
}

/** A query within a query, so many times. */
const NESTS: Readonly<Record<string, (inner: string, i: number) => string>> = {
  "in": (inner, i) => `select id from t${i} where id in (${inner})`,
  exists: (inner, i) =>
    `select id from t${i} where exists (select 1 from (${inner}) s where s.id = t${i}.id)`,
  "one value": (inner, i) => `select id from t${i} where a = (${inner})`,
  from: (inner) => `select id from (${inner}) s where id > 1`,
  "both, in a condition and in FROM": (inner, i) =>
    `select id from (select id from t${i} where id in (${inner})) s where a > 1`,
  join: (inner, i) => `select id from t${i} join (${inner}) s using (id)`,
  union: (inner, i) => `select id from t${i} union select id from (${inner}) s`,
  having: (inner, i) =>
    `select id from t${i} group by id having max(a) > any (${inner})`,
  "with recursive": (inner) =>
    `with recursive s as (${inner} union all select id + 1 from s) select id from s`,
  list: (inner, i) => `select (${inner}) as id from t${i} order by id`,
};
for (const [how, nest] of Object.entries(NESTS)) {
  Deno.test(`outputsOf: a query within queries is looked at once (${how})`, () => {
    const nested = (depth: number) => {
      let sql = "select id from t where a > now()";
      for (let i = 0; i < depth; i++) sql = nest(sql, i);
      return stepsOf(sql);
    };
    const [some, twice] = [nested(30), nested(60)];
    assert.ok(twice < 5 * some, `${some} steps, then ${twice}`);
    assert.ok(twice < 20_000, `${twice} steps`);
  });
}

Deno.test("outputsOf: the keys of groups are written out once, and are no part of what is free", () => {
  const grouped = (columns: number) => {
    const names = Array.from({ length: columns }, (_, i) => `a${i}`);
    return stepsOf(`select ${names} from t group by ${names}`);
  };
  const [some, twice] = [grouped(5_000), grouped(10_000)];
  assert.ok(twice < 3 * some, `${some} steps, then ${twice}`);
  const key = `f(${Array(1_000).fill("a")})`;
  const steps = stepsOf(`select 1 from t group by ${key}`);
  assert.ok(steps > 10_000, `${steps} steps`);
  // The same key is one, however often it is named.
  const ordinals = Array(10_000).fill(1);
  const again = stepsOf(`select ${key} from t group by ${ordinals}`);
  assert.ok(again < 4 * steps, `${again} steps`);
});

Deno.test("outputsOf: beyond its budget a statement is not looked at, and what it may do is known all the same", () => {
  const columns = Array.from({ length: 1_000 }, (_, i) => `a${i}`);
  const sql = `insert into t with s as (select greatest(${columns}) as x from u)
    select ${Array(1_100).fill("x")} from s returning a`;
  assert.throws(() => stepsOf(sql), TooLargeError);
  const [shape] = analyze(sql)?.shapes ?? [];
  assert.deepEqual(
    [shape?.isParsed, shape?.outputs, shape?.kind, shape?.writes],
    [false, undefined, "dml", ["t"]],
  );
  const [small] = analyze("insert into t select a from u")?.shapes ?? [];
  assert.equal(small?.isParsed, true);
});

Deno.test("outputsOf: what decides an inner query's rows reaches what is made of it", () => {
  const masks = (sql: string) => analyze(sql)?.shapes[0]?.outputs?.map(text);
  const cases: readonly [sql: string, mask: string][] = [
    ["select exists (select 1 from (select now() as n from t) s)", ""],
    [
      "select exists (select 1 from (select n from t where n > now()) s)",
      "boundary",
    ],
    [
      "select exists (select 1 from (select random() as r from t) s where r < 1)",
      "chance",
    ],
    [
      "select exists (select 1 from t where at > now() union all select 2)",
      "boundary",
    ],
    [
      "select exists (with s as (select a from t where at > now()) select a from s)",
      "boundary",
    ],
    [
      "select exists (with s as (select a from t where at > now()) select a from t)",
      "",
    ],
    ["select exists (select a from t tablesample system (1))", "chance"],
    ["select exists (select a from t join u on u.at > now())", "boundary"],
  ];
  for (const [sql, mask] of cases) assert.deepEqual(masks(sql), [mask], sql);
});

Deno.test("outputsOf: a recursive query is made of its first part", () => {
  const sql =
    "with recursive s (n, at) as (select 1, now() union all select n + 1, at from s where n < 5) select at, n from s";
  assert.deepEqual(analyze(sql)?.shapes[0]?.outputs?.map(text), ["time", ""]);
});

Deno.test("outputsOf: the columns of a relation with its schema, and of a row", () => {
  const masks = (sql: string) => analyze(sql)?.shapes[0]?.outputs?.map(text);
  assert.deepEqual(
    masks("select s.t.* from s.t")?.map((m) => m.replace("\0", ".")),
    ["s.t*"],
  );
  assert.deepEqual(masks("select (now_and_then(now())).*, a from t"), [
    "*moment",
    "",
  ]);
  assert.deepEqual(masks("select x.t.n, y.t.n from (select 1) x, y.t"), [
    "",
    "",
  ]);
});

Deno.test("outputsOf: what a statement writes shows in what it returns", () => {
  const written = (sql: string) => {
    const [output] = analyze(sql)?.shapes[0]?.outputs ?? [];
    const write = output !== undefined && "star" in output
      ? output.write
      : output?.trait.columns[0]?.write;
    const named = [...write?.named ?? []].map(([name, trait]) =>
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
  assert.deepEqual(
    written("update t set (a, b) = (now(), 1) returning *"),
    [false, "a:time", "b:", 0],
  );
  assert.deepEqual(
    written(
      "merge into t using u on t.a = u.a when not matched then insert values (1, random()) returning t.*",
    ),
    [true, 2],
  );
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
  // The next text of the shape may have another literal in one place of both.
  assert.deepEqual(
    within("select a + 1 as b, row_number() over (order by a + 1) from t"),
    undefined,
  );
  assert.deepEqual(
    within(
      "select lower(a) as b, row_number() over (order by lower(a)) from t",
    ),
    ["b"],
  );
});
