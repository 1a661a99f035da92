import assert from "node:assert/strict";
import { loadModule } from "libpg-query";
import { analyze } from "../../src/sql/analyze.ts";

await loadModule();

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

Deno.test("lockingReadOf: statements whose answers tell what was locked", () => {
  for (const [sql, by] of TOLD) {
    const read = analyze(sql)?.shapes[0]?.lockingRead;
    assert.ok(read, sql);
    assert.equal(read.relation, "jobs", sql);
    assert.equal(read.by, by, sql);
    assert.ok(read.isAlone && read.isOnlyChoice, sql);
  }
});

Deno.test("lockingReadOf: others, whose rows may not be those that were locked", () => {
  for (const sql of UNTOLD) {
    const shape = analyze(sql)?.shapes[0];
    assert.ok(shape, sql);
    assert.equal(shape.lockingRead, undefined, sql);
  }
});

Deno.test("lockingReadOf: what else a statement reads is noticed", () => {
  const read = (sql: string) => analyze(sql)?.shapes[0]?.lockingRead;
  const again =
    `select id from jobs j where not exists (select from jobs where prio > j.prio) limit 1 ${LOCK}`;
  assert.equal(read(again)?.isAlone, false);
  const chosen =
    `select id from jobs where prio = (select prio from users limit 1) ${LOCK}`;
  assert.equal(read(chosen)?.isOnlyChoice, false);
});

Deno.test("lockingReadOf: columns that choose its rows by their order are told", () => {
  const compared = (rest: string) =>
    analyze(`select id, a as b, c from jobs ${rest} ${LOCK}`)?.shapes[0]
      ?.lockingRead?.compared;
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
