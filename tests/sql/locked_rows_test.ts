import assert from "node:assert/strict";
import { loadModule } from "libpg-query";
import { analyze } from "../../src/sql/analyze.ts";

await loadModule();

const lockingOf = (sql: string) => analyze(sql)?.shapes[0]?.rowLocking;
const LOCK = "for update skip locked";

/** Statements whose answers tell which rows were locked, and the column by which others find them. */
const TOLD: readonly (readonly [sql: string, by?: string])[] = [
  [`select id, payload from jobs where state = 'new' limit 1 ${LOCK}`],
  [`select j.* from jobs j order by id limit $1 for share of j skip locked`],
  [
    `update jobs set state = 'run' where id = (select id from jobs where state = 'new' limit 1 ${LOCK}) returning *`,
    "id",
  ],
  [
    `update jobs j set state = 'run' where state = 'new' and (select x.id from jobs x limit 1 ${LOCK}) = j.id returning j.id`,
    "id",
  ],
  [
    `delete from jobs where id in (select id from jobs limit 5 ${LOCK}) returning id`,
    "id",
  ],
  [
    `delete from jobs where id = any (array(select id from jobs limit 5 ${LOCK})) returning id`,
    "id",
  ],
  [
    `with x as materialized (select id as it, prio from jobs limit 1 ${LOCK}) update jobs set state = 'run' from x where jobs.id = x.it returning jobs.*`,
    "id",
  ],
  [
    `with x as (select * from jobs limit 1 ${LOCK}) delete from jobs using x as y where y.id = jobs.id returning jobs.id`,
    "id",
  ],
  [
    `with x as (select id from jobs limit 1 ${LOCK}) delete from jobs where id in (select id from x) returning id`,
    "id",
  ],
  [
    `update jobs set state = 'run' from (select id from jobs limit 1 ${LOCK}) x where x.id = jobs.id returning jobs.id`,
    "id",
  ],
];

/** Statements whose answers do not, for sure. */
const UNTOLD = [
  `select id from jobs limit 1 for update`,
  `select id from jobs limit 1 for update nowait`,
  `select id from jobs offset 1 limit 1 ${LOCK}`,
  `select j.id from jobs j, users u where u.id = j.id ${LOCK}`,
  `select j.id from jobs j join users u using (id) for update of j skip locked`,
  `select id from (select id from jobs) x ${LOCK}`,
  `with x as (select 1) select id from jobs ${LOCK}`,
  `with x as (select id from jobs limit 1 ${LOCK}) select id from x`,
  `update users set state = 'run' where id = (select id from jobs limit 1 ${LOCK}) returning id`,
  `update jobs set id = id + 1 where id = (select id from jobs limit 1 ${LOCK}) returning id`,
  `update jobs set state = 'run' where prio = (select id from jobs limit 1 ${LOCK}) returning id`,
  `update jobs set state = 'run' where id > (select id from jobs limit 1 ${LOCK}) returning id`,
  `update jobs set state = 'run' where id = (select id from jobs limit 1 ${LOCK}) or prio = 1 returning id`,
  `update jobs set state = 'run' where id not in (select id from jobs limit 1 ${LOCK}) returning id`,
  `update jobs set state = 'run' where id in (select j.id from jobs j where j.prio > jobs.prio limit 1 ${LOCK}) returning id`,
  `with x as (select id from jobs limit 1 ${LOCK}) update jobs set state = 'run' from x where jobs.prio = x.id returning jobs.id`,
  `with x as (select prio as id from jobs limit 1 ${LOCK}) update jobs set state = 'run' from x where jobs.id = x.id returning jobs.id`,
  `with x (a) as (select id from jobs limit 1 ${LOCK}) update jobs set state = 'run' from x where jobs.id = x.a returning jobs.id`,
  `with x as (select id from jobs limit 1 ${LOCK}), y as (delete from jobs returning id) update jobs set state = 'run' from x where jobs.id = x.id returning jobs.id`,
  `update jobs set state = 'run' where id in (select id from jobs ${LOCK}) and prio in (select prio from jobs ${LOCK}) returning id`,
];

Deno.test("rowLockingOf: statements whose answers tell what was locked", () => {
  for (const [sql, by] of TOLD) {
    const locking = analyze(sql)?.shapes[0]?.rowLocking;
    assert.ok(locking, sql);
    assert.equal(locking.relation, "jobs", sql);
    assert.equal(locking.by, by, sql);
    assert.ok(locking.isAlone && locking.isOnlyChoice, sql);
  }
});

Deno.test("rowLockingOf: others, whose rows may not be those that were locked", () => {
  for (const sql of UNTOLD) {
    const shape = analyze(sql)?.shapes[0];
    assert.ok(shape, sql);
    assert.equal(shape.rowLocking, undefined, sql);
  }
});

Deno.test("rowLockingOf: what else a statement reads is noticed", () => {
  const locking = (sql: string) => analyze(sql)?.shapes[0]?.rowLocking;
  const again =
    `select id from jobs j where not exists (select from jobs where prio > j.prio) limit 1 ${LOCK}`;
  assert.equal(locking(again)?.isAlone, false);
  const chosen =
    `select id from jobs where prio = (select prio from users limit 1) ${LOCK}`;
  assert.equal(locking(chosen)?.isOnlyChoice, false);
});

Deno.test("rowLockingOf: columns that choose its rows by their order are told", () => {
  const compared = (rest: string) =>
    analyze(`select id, a as b, c from jobs ${rest} ${LOCK}`)?.shapes[0]
      ?.rowLocking?.compared;
  assert.deepEqual(compared("order by a, c limit 1"), ["a", "c"]);
  assert.deepEqual(compared("order by lower(a) || c limit 1"), ["a", "c"]);
  assert.deepEqual(compared("where a = 'x' and c > 'y' limit 1"), ["c"]);
  assert.deepEqual(compared("where a in ('x') order by jobs.id limit 1"), [
    "id",
  ]);
  assert.deepEqual(compared("order by 2 limit 1"), "any");
  assert.deepEqual(compared("order by b limit 1"), "any");
  assert.deepEqual(compared("order by a"), []);
});

Deno.test("rowLockingOf: an UPDATE or DELETE by its own condition", () => {
  const own = (sql: string) => lockingOf(sql)?.own;
  assert.deepEqual(own("update jobs set state = 'run', prio = 1"), {
    sets: ["state", "prio"],
    held: [],
  });
  assert.deepEqual(
    own("delete from jobs j using users u where j.a = $1 and b in (1, 2)"),
    { sets: [], held: ["a", "b"] },
  );
  for (
    const condition of [
      "a = 1 or b = 2",
      "a = b",
      "a = (select max(a) from users)",
      "a in (select a from users)",
      "not a = 1",
      "a > 1",
      "a is null",
    ]
  ) {
    assert.deepEqual(own(`delete from jobs where ${condition}`)?.held, []);
  }
  const joined = "update jobs j set a = u.a from users u where";
  assert.deepEqual(own(`${joined} u.id = 5 and j.b = 1`)?.held, ["b"]);
  assert.deepEqual(own("delete from jobs where 1 = a and b = any ($1)")?.held, [
    "a",
    "b",
  ]);
});

Deno.test("rowLockingOf: by no condition of its own", () => {
  for (
    const sql of [
      "delete from jobs where current of c",
      "with x as (select 1) delete from jobs",
      "delete from jobs where id in (select id from jobs limit 1)",
      `delete from jobs where prio + 1 in (select id from jobs ${LOCK})`,
      "delete from jobs using archive.jobs where archive.jobs.id = 1",
      "update jobs set a = 1 from (select 1) jobs",
      "update jobs j set a = 1 from jobs x join users j on true",
      "insert into jobs values (1)",
      "select * from jobs for update",
    ]
  ) assert.equal(lockingOf(sql), undefined, sql);
});

Deno.test("rowLockingOf: what else an UPDATE reads is noticed", () => {
  const isAlone = (sql: string) => lockingOf(sql)?.isAlone;
  assert.equal(isAlone("update jobs set a = 1 where b = 2"), true);
  const inner = "id in (select id from jobs where b = 2)";
  assert.equal(isAlone(`update jobs set a = 1 where ${inner}`), false);
  const texts = lockingOf("update jobs set a = 1 where n > 'x' and b = 2");
  assert.deepEqual(texts?.compared, ["n"]);
});
