import assert from "node:assert/strict";
import { loadModule, parseSync } from "libpg-query";
import { Budget } from "../../src/sql/budget.ts";
import { literalFreeKey } from "../../src/sql/literal_free_key.ts";
import { orderKeys } from "../../src/sql/order_keys.ts";
import { ShapeCache } from "../../src/sql/shape_cache.ts";
import {
  type CountRule,
  OTHER_SHAPE,
  type Shape,
} from "../../src/sql/shape.ts";
import type { Node } from "../../src/sql/tree.ts";

await loadModule();
const encoder = new TextEncoder();

function key(sql: string): number {
  const bytes = encoder.encode(sql);
  return literalFreeKey(bytes, 0, bytes.length);
}

function shapes(sql: string, cache = new ShapeCache(100)): readonly Shape[] {
  const bytes = encoder.encode(sql);
  return cache.get(bytes, 0, bytes.length).shapes;
}

Deno.test("literalFreeKey: literals count the same, all else tells", () => {
  const same = [
    ["select 1", "select 22.5e3"],
    ["select 'a'", "select 'it''s; -- \"b\"'"],
    ["select E'\\''", "select E'x'"],
    ["select $$a$$", "select $tag$ b $$ $tag$"],
    ["select  1\n ,2", "select 3 ,4"],
    ["select /* a /* nested */ b */ 1", "select -- c\n 2"],
    ["/* trace 1 */ select a", "/* trace 2 */  select a"],
    ["/* it's */ select a, 1", "/* don't */ select a, 2"],
    ["select a limit 1 offset 2", "select a limit 1 offset 3"],
    ["select 'now, or never'", "select 'x'"],
    ["select a where b in (1, 2)", "select a where b in (3,4, 5)"],
    ["select a where b in ($1)", "select a where b in ($1,$2, $3)"],
    ["insert into t values ('a', 1)", "insert into t values ('b', 2)"],
  ];
  for (const [a = "", b = ""] of same) {
    assert.equal(key(a), key(b), `${a} | ${b}`);
  }
  const different = [
    ["select a1", "select a2"],
    ["select a from t10", "select a from t11"],
    ["select a from t1_20", "select a from t1_21"],
    ["select 1", "select 'a'"],
    ["select a from t", "select a from u"],
    ["select 'a', b", "select 'a, b'"],
    ["select a order by 1", "select a order by 2"],
    ["select a order by 1, 2", "select a order by 1"],
    ["select a order by 10", "select a order by 12"],
    ["select a limit 1", "select a limit 2"],
    ["select a fetch next 1 rows only", "select a fetch next 2 rows only"],
    ["select a limit (5)", "select a limit (10)"],
    [
      "select a fetch first (5) rows only",
      "select a fetch first (6) rows only",
    ],
    ["select date 'now'", "select date '2026'"],
    ["select a order by b, 1", "select a order by b, 2"],
    ["select a order by 1 desc, 2", "select a order by 1 desc, 3"],
    ["select distinct on (1) a, b", "select distinct on (2) a, b"],
    ["select f(1, a)", "select f(1)"],
    ["select f(1, 2)", "select f(1)"],
    ["insert into t values ('a', 1)", "insert into t values ('a', 1, 2)"],
    ["select a - b", "select a"],
    ['select "10"', 'select "11"'],
    [`select "it's 1"`, `select "it's 2"`],
    ["select a / b", "select a"],
  ];
  for (const [a = "", b = ""] of different) {
    assert.notEqual(key(a), key(b), `${a} | ${b}`);
  }
});

const NOTES: readonly [sql: string, note: Shape["note"]][] = [
  ["select a from t", undefined],
  ["select relname from pg_class", "catalog"],
  ["select a from pg_search_documents", undefined],
  ["select a from public.pg_class", undefined],
  ["select a from pg_catalog.whatever", "catalog"],
  ["select a from information_schema.tables", "catalog"],
  ["with pg_class as (select 1 as a) select a from pg_class", undefined],
  ["select pg_get_viewdef($1::oid)", "object"],
  ["select pg_get_viewdef(oid) from pg_class", "catalog"],
  ["select has_table_privilege($1::oid, 'select')", "object"],
  ["select has_table_privilege('t', 'select')", undefined],
  ["select pg_get_serial_sequence('t', 'id')", undefined],
  ["show server_version", "catalog"],
  ["show work_mem", undefined],
  ["explain select 1", "plan"],
];
for (const [sql, note] of NOTES) {
  Deno.test(`ShapeCache: the note of "${sql}" is ${note ?? "none"}`, () => {
    assert.equal(shapes(sql)[0]?.note, note);
  });
}

const COUNTS: readonly [sql: string, counts: CountRule | undefined][] = [
  ["select now(), random(), nextval('s') from t", undefined],
  ["update t set a = now() where id = 1 returning random()", undefined],
  ["insert into t values (now()) on conflict do nothing", undefined],
  ["select a from t order by random() limit 5", undefined],
  ["select a from t limit 5", undefined],
  ["select (select max(b) from u where c > now()) from t", undefined],
  ["select a from (select a, now() as b from t) s", undefined],
  ["select a from t where tenant = current_setting('app.tenant')", undefined],
  ["insert into t select a from u limit 3", undefined],
  ["select a from t where owner = current_user", undefined],
  ["select a from t where owner in (session_user, current_role)", undefined],
  ["select a from t where place = current_schema", undefined],
  ["select a from t where id = currval('s')", "any"],
  ["select a from t where pg_try_advisory_lock(id)", "draw"],
  [
    "select a from t where b < txid_snapshot_xmin(txid_current_snapshot())",
    "draw",
  ],
  ["select a from t where b > now()", "boundary"],
  ["select a from t where b > 'now'::timestamptz", "boundary"],
  ["select a from t join u on u.b < current_date", "boundary"],
  ["select a from t group by a having max(b) < now()", "boundary"],
  [
    "select date_trunc('day', now() - b), count(*) from t group by 1",
    "boundary",
  ],
  ["with r as (select now() as n) select a from t, r where b > n", "boundary"],
  [
    "select a from t where exists (select 1 from u where b > now())",
    "boundary",
  ],
  [
    "merge into t using u on t.a = u.a when matched and u.b < now() then delete",
    "boundary",
  ],
  ["delete from t where id in (select id from t limit 5)", "choice"],
  ["select a from (select a from t limit 5) s where a > 1", "choice"],
  ["select random() union select 1", "draw"],
  ["select a from t where random() < 0.1", "draw"],
  ["select a from t limit (random() * 10)::int", "draw"],
  ["select a from t tablesample system (1)", "draw"],
  ["select a from t where ctid = '(0,1)'", "draw"],
  ["select generate_series(1, (random() * 10)::int)", "draw"],
  ["select relname from pg_class", undefined],
];
for (const [sql, counts] of COUNTS) {
  Deno.test(`ShapeCache: the count of "${sql}" differs by ${counts ?? "nothing"}`, () => {
    const rules = shapes(sql)[0]?.counts.map(({ rule }) => rule);
    assert.deepEqual([...new Set(rules)], counts === undefined ? [] : [counts]);
  });
}

Deno.test("ShapeCache: rows become one by GROUP BY, DISTINCT, a set operation or an aggregate", () => {
  const folds = (sql: string) => shapes(sql)[0]?.folds;
  for (
    const sql of [
      "select a from t group by a",
      "select distinct a from t",
      "select a from t union select a from u",
      "select a from t except select a from u",
      "select sum(a) from t",
      "select a from t where b > (select max(b) from u)",
    ]
  ) assert.equal(folds(sql), true, sql);
  for (
    const sql of [
      "select a from t where b >= current_date",
      "select greatest(a, b) from t",
      "select a from t where b = any ($1)",
      "select a from t union all select a from u",
      "update t set a = current_timestamp where b = least(1, 2)",
    ]
  ) assert.equal(folds(sql), false, sql);
});

Deno.test("ShapeCache: the literal of a LIMIT is known, and makes a shape of its own", () => {
  const cache = new ShapeCache(100);
  const of = (sql: string) => {
    const { limited, limit } = shapes(sql, cache)[0] ?? OTHER_SHAPE;
    return { limited, limit };
  };
  const unknown = { limited: true, limit: undefined };
  const none = { limited: false, limit: undefined };
  for (const limit of [1, 21, 25, 9_999]) {
    assert.deepEqual(of(`select a from t limit ${limit}`), {
      limited: true,
      limit,
    });
    assert.deepEqual(of(`select a from t fetch first ${limit} rows only`), {
      limited: true,
      limit,
    });
  }
  assert.deepEqual(of("select a from t limit 10000"), unknown);
  assert.deepEqual(of("select a from t limit $1"), unknown);
  assert.deepEqual(of("select a from t limit 5 offset 5"), unknown);
  assert.deepEqual(of("select a from t offset 5"), unknown);
  assert.deepEqual(of("select a from t limit null"), none);
  assert.deepEqual(of("select a from t limit all"), none);
  assert.deepEqual(
    of("select a from t order by a fetch first 5 rows with ties"),
    none,
  );
});

Deno.test("ShapeCache: reads, writes, locks and kinds", () => {
  const of = (sql: string) => {
    const shape = shapes(sql)[0] ?? OTHER_SHAPE;
    const { kind, reads, writes, locks } = shape;
    return { kind, reads, writes, locks };
  };
  assert.deepEqual(of("select * from a join s.b on true for update"), {
    kind: "read",
    reads: ["a", "b"],
    writes: [],
    locks: true,
  });
  assert.deepEqual(of("update a set x = (select max(y) from b)"), {
    kind: "dml",
    reads: ["b", "a"],
    writes: ["a"],
    locks: false,
  });
  assert.deepEqual(
    of("with w as (delete from a returning *) select * from w, b"),
    {
      kind: "dml",
      reads: ["b", "a"],
      writes: ["a"],
      locks: false,
    },
  );
  assert.equal(of("create table x (a int)").kind, "ddl");
  assert.equal(of("begin").kind, "transaction");
  assert.equal(of("set x = 1").kind, "other");
  assert.deepEqual(of("copy a from stdin").writes, ["a"]);
  assert.equal(of("copy (select 1) to stdout").kind, "read");
});

Deno.test("ShapeCache: a CTE hides a relation of its name where it is seen", () => {
  const of = (sql: string) => {
    const { reads, writes, sources } = shapes(sql)[0] ?? OTHER_SHAPE;
    return [reads, writes, sources.map((key) => key.replace("\0", "."))];
  };
  assert.deepEqual(of("with t as (select 1 as a) select a from t"), [
    [],
    [],
    [],
  ]);
  assert.deepEqual(of("with t as (select a from t) select a from t"), [
    ["t"],
    [],
    ["t"],
  ]);
  assert.deepEqual(of("with t as (select a from s.t) select a from t"), [
    ["t"],
    [],
    ["s.t"],
  ]);
  assert.deepEqual(
    of(
      "with u as (select 1 as a), t as (select a from u) select (select max(a) from t) from u",
    ),
    [[], [], []],
  );
  assert.deepEqual(
    of(
      "with recursive t as (select 1 as a union all select a + 1 from t) select a from t",
    ),
    [[], [], []],
  );
  assert.deepEqual(
    of("select a from (with t as (select 1 as a) select a from t) x, t"),
    [["t"], [], ["t"]],
  );
  const written = "with t as (update t set a = 1 returning a) select a from t";
  assert.deepEqual(of(written), [["t"], ["t"], []]);
});

Deno.test("ShapeCache: ORDER BY keys are columns by name or ordinal, or unknown", () => {
  assert.equal(shapes("select a from t")[0]?.orderBy, undefined);
  const keys = (sql: string) => shapes(sql)[0]?.orderBy;
  const cases: readonly [sql: string, keys: Shape["orderBy"]][] = [
    ["select a, b from t order by b, 1", ["b", 1]],
    ["select a, b from t order by t.b desc, 1", [2, 1]],
    ["select a from t order by lower(a)", null],
    ["select a, lower(a) from t order by lower(a)", [2]],
    ["select a + 1 from t order by a + 1", null],
    // Shown by another name
    ["select id, at as b from t order by at", [2]],
    ["select t.id, t.at as b from t order by at", [2]],
    ["select x as at, at as b from t order by at", ["at"]],
    ["select o.id as a, c.at as b from o, c order by at", [2]],
    // The answer has no such name: unknown.
    ["select o.at as a from o right join c using (at) order by at", ["at"]],
    // A column that is named with its relation is no output of the name.
    ["select o.id from o, c order by c.id", null],
    ["select o.id, c.id from o, c order by c.id", [2]],
    ["select lower(id) as id from t order by t.id", null],
    ["select lower(id) as id from t order by id", ["id"]],
    ["select id from t order by t.id", [1]],
    ["select id from t join u using (id) order by t.id", null],
    // Stars
    ["select * from o join c on o.c = c.id order by o.id", ["id"]],
    ["select * from o join c on o.c = c.id order by c.id", null],
    ["select o.*, c.* from o, c order by c.id", null],
    ["select c.*, o.* from o, c order by c.id", ["id"]],
    ["select x.*, c.name from o x, c order by c.name, x.id", [-1, "id"]],
    ["select a, o.* from o order by o.a", [1]],
    ["select lower(id) as id, * from t order by t.id", null],
    ["select *, lower(id) as id from t order by t.id", ["id"]],
    ["select s.t.* from s.t order by s.t.id", ["id"]],
    // By chance
    ["select a from t order by random()", undefined],
    ["select a, random() as r from t order by r, a", undefined],
    ["select a from t order by a, random(), b", ["a"]],
  ];
  for (const [sql, expected] of cases) {
    assert.deepEqual(keys(sql), expected, sql);
  }
});

Deno.test("orderKeys: the targets are looked at once, however many keys there are", () => {
  class Counting extends Budget {
    steps = 0;
    override spend(steps: number): void {
      this.steps += steps;
      super.spend(steps);
    }
  }
  const found = (sql: string) => {
    const { stmts: [first] } = parseSync(sql) as {
      stmts: { stmt: { SelectStmt: Node } }[];
    };
    const budget = new Counting();
    const keys = orderKeys(first?.stmt.SelectStmt ?? {}, budget);
    return { keys, steps: budget.steps };
  };
  const columns = (count: number, of: (i: number) => string) =>
    Array.from({ length: count }, (_, i) => of(i));
  const many = (count: number, of: (i: number) => string) =>
    found(`select ${columns(count, of)} from t, u
      order by ${columns(count, of).reverse()}`);
  for (const name of [(i: number) => `t.a${i}`, (i: number) => `f(a${i})`]) {
    const [some, twice] = [many(500, name), many(1_000, name)];
    assert.deepEqual(some.keys?.slice(0, 2), [500, 499]);
    assert.ok(some.steps > 500 && twice.steps < 3 * some.steps);
  }
  const places = many(30_000, (i) => `t.a${i}`).keys;
  assert.deepEqual([places?.[0], places?.length], [30_000, 30_000]);
  // A large expression that many keys name
  const large = `f(${Array(20_000).fill("a")})`;
  const named = found(
    `select ${large} from t order by ${Array(20_000).fill(1)}`,
  );
  assert.equal(named.keys?.length, 20_000);
  // Beyond the budget
  const texts = columns(2_000, (i) => `f(${Array(200).fill("a")}, b${i})`);
  assert.equal(found(`select ${texts} from t order by ${texts}`).keys, null);
});

Deno.test("ShapeCache: the columns that a relation is sorted by are its own", () => {
  const sorted = (sql: string) => shapes(sql)[0]?.only?.sorted;
  assert.deepEqual(sorted("select a from t order by id, t.b"), ["id", "b"]);
  assert.deepEqual(sorted("select lower(id) as id from t order by id"), []);
  assert.deepEqual(sorted("select lower(id) as id from t order by t.id"), [
    "id",
  ]);
  assert.deepEqual(sorted("select a as x from t order by x"), ["a"]);
  assert.equal(sorted("select a from t, u order by id"), undefined);
});

Deno.test("ShapeCache: a LIMIT of a set operation is a choice, of equal rows it is none", () => {
  const counts = (sql: string) =>
    shapes(sql)[0]?.counts.map(({ rule }) => rule);
  const within = (query: string) =>
    counts(`select a from t where a in (${query})`);
  assert.deepEqual(within("(select 1 from u limit 1)"), []);
  assert.deepEqual(
    within("select a from u union all select b from v limit 1"),
    ["choice"],
  );
  assert.deepEqual(within("values (1), (2) limit 1"), ["choice"]);
});

Deno.test("ShapeCache: one shape for each statement of a string, texts without values", () => {
  const found = shapes("select 1; update t set a = 'secret¬' where b = 2;");
  assert.deepEqual(found.map(({ text }) => text), [
    "select $1",
    "update t set a = $1 where b = $2",
  ]);
});

Deno.test("ShapeCache: literals make no new shape, equal ones are one object", () => {
  const cache = new ShapeCache(100);
  assert.equal(
    shapes("select 1 from t", cache)[0],
    shapes("select 2 from t", cache)[0],
  );
  assert.equal(
    shapes("SELECT 1 FROM t", cache)[0],
    shapes("select 2 from t", cache)[0],
  );
});

/** Pairs that are one statement, and pairs that are two. */
const ONE = [
  ["select a from t where b in (1, 2)", "SELECT a FROM t WHERE b IN ($1)"],
  ["insert into t values (1, 'a')", "insert into t values (2,'b'), (3,'c')"],
  ["select a from t limit 5", "select a  from t limit 6"],
  ["prepare p1 as select 1", "prepare p2 as select 2"],
  ["savepoint a", "savepoint b"],
  ["select 5 !", "SELECT  6 ! -- factorial"],
  ["select 1abc, 'x'", "select  2abc, 'it''s'"],
  ["selec a in (1, 2)", "selec a in (1,2,3)"],
];
const TWO = [
  ["select * from orders_2023", "select * from orders_2024"],
  ["select * from a.orders", "select * from b.orders"],
  ["select '1'::int", "select '1'::text"],
  ["select a as x from t", "select a as y from t"],
  ["select a, b from t", "select b, a from t"],
  ["select a, b from t order by 1", "select a, b from t order by 2"],
  ["select a, b from t order by a, 1", "select a, b from t order by a, 2"],
  ["select a, b from t group by 1", "select a, b from t group by 2"],
  ["select round(1.5)", "select round(1.5, 1)"],
  ["select 5 !", "select !! 5"],
  ["select 1abc", "select 1abd"],
  ["create table a (b int) with oids", "create table c (b int) with oids"],
];
Deno.test("ShapeCache: a fingerprint is one statement's own", () => {
  const print = (sql: string) => shapes(sql)[0]?.fingerprint ?? "";
  for (const [a = "", b = ""] of ONE) {
    assert.equal(print(a), print(b), `${a} | ${b}`);
  }
  for (const [a = "", b = ""] of TWO) {
    assert.notEqual(print(a), print(b), `${a} | ${b}`);
  }
  for (const sql of [...ONE, ...TWO].flat()) {
    assert.match(print(sql), /^[0-9a-f]{16}$/, sql);
  }
  // What a cache has seen before must not tell.
  const cache = new ShapeCache(100);
  for (const [a = "", b = ""] of TWO) {
    const [first] = shapes(a, cache);
    const [second] = shapes(b, cache);
    assert.notEqual(first?.fingerprint, second?.fingerprint, `${a} | ${b}`);
  }
});

Deno.test("ShapeCache: what does not parse is known by its tokens, without values", () => {
  const of = (sql: string) => {
    const [shape] = shapes(sql);
    return [shape?.text, shape?.kind, shape?.isParsed];
  };
  assert.deepEqual(of('SELECT 5 !  /* how */ as "It"'), [
    'select $1 ! as "It"',
    "other",
    false,
  ]);
  assert.deepEqual(of("update t set a = E'\\'secret¬' where b = 123abc"), [
    "update t set a = $1 where b = $2abc",
    "dml",
    false,
  ]);
  assert.deepEqual(of("create table t (a int) with oids"), [
    "create table t (a int) with oids",
    "ddl",
    false,
  ]);
});

Deno.test("ShapeCache: a text too large to be parsed is known by its head", () => {
  const rows = (table: string, text: string) =>
    `insert into ${table} values ${`(1, '${text}'), `.repeat(40_000)} (2, 'z')`;
  const [a] = shapes(rows("a", "x"));
  assert.equal(
    a?.text,
    "insert into a values ($1, …) … (too large to be parsed)",
  );
  assert.equal(a?.kind, "dml");
  assert.equal(shapes(rows("a", "another"))[0]?.fingerprint, a?.fingerprint);
  assert.notEqual(shapes(rows("b", "x"))[0]?.fingerprint, a?.fingerprint);
});

Deno.test("ShapeCache: beyond its bound the shapes that were not used are parsed again", () => {
  const cache = new ShapeCache(2);
  const often = shapes("select often", cache)[0];
  for (let i = 0; i < 1_000; i++) {
    assert.equal(shapes(`select a${i}`, cache)[0]?.text, `select a${i}`);
    assert.equal(shapes("select often", cache)[0], often);
  }
});

Deno.test("ShapeCache: what a shape holds is bounded, and so is what all hold", () => {
  const select = (columns: number, times: number, table: string) =>
    `with s as (select greatest(${
      Array.from({ length: columns }, (_, i) => `a${i}`)
    }) as x from ${table}) select ${Array(times).fill("x")} from s`;
  const cache = new ShapeCache(100_000);
  const known = (sql: string) => {
    const [shape] = shapes(sql, cache);
    return [shape?.isParsed, shape?.outputs?.length, shape?.reads];
  };
  // 9 KB of text, whose columns took 56 MB.
  assert.deepEqual(known(select(1_000, 800, "u")), [false, undefined, ["u"]]);
  assert.deepEqual(known(select(100, 100, "u")), [true, 100, ["u"]]);
  const prepared = `prepare p as ${select(1_000, 800, "u")}`;
  const bytes = new TextEncoder().encode(prepared);
  const [link] = cache.get(bytes, 0, bytes.length).links ?? [];
  assert.equal(link?.defines?.outputs, undefined);
  let largest = 0;
  for (let i = 0; i < 300; i++) {
    shapes(select(100, 80, `u${i}`), cache);
    largest = Math.max(largest, cache.bytes);
  }
  assert.ok(largest > 24 * 1024 * 1024, `${largest} bytes`);
  assert.ok(largest <= 32 * 1024 * 1024, `${largest} bytes`);
});

Deno.test("ShapeCache: a shape that joins elements counts with its separators", () => {
  const bytes = (sql: string) => {
    const cache = new ShapeCache(100);
    shapes(sql, cache);
    return cache.bytes;
  };
  const more = bytes("select string_agg(a, ',') from t") -
    bytes("select max(a) from t");
  assert.ok(more > 16_384 && more < 20_000, `${more} bytes`);
});

Deno.test("ShapeCache: texts that come once can't displace those that come often", () => {
  const cache = new ShapeCache(50);
  const often = "select often";
  const parsed = shapes(often, cache)[0];
  for (let i = 0; i < 1_000; i++) {
    shapes(`insert into t values ${"(1, f()), ".repeat(i % 200)} (2)`, cache);
    assert.equal(shapes(often, cache)[0], parsed);
  }
  assert.notEqual(shapes("select new", cache)[0], OTHER_SHAPE);
});

Deno.test("ShapeCache: a tree too deep to be walked is known by its tokens", () => {
  const cache = new ShapeCache(10);
  for (const terms of [1_000, 20_000]) {
    const text = `select ${Array(terms).fill("a").join(" + ")} from t`;
    const [shape] = shapes(text, cache);
    assert.notEqual(shape?.fingerprint, "other");
  }
});
