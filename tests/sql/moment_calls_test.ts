import assert from "node:assert/strict";
import { loadModule } from "libpg-query";
import { analyze } from "../../src/sql/analyze.ts";

await loadModule();

/** Places in conditions are "c", others "-". */
function calls(sql: string): string | undefined {
  const found = analyze(sql)?.shapes[0]?.momentCalls;
  return found && [
    found.places.map((isFree) => isFree ? "c" : "-").join(""),
    found.of,
    ...found.columns.toSorted(),
  ].join(" ");
}

const FOUND: Readonly<Record<string, string>> = {
  "select * from s where token = $1 and at > now()": "c transaction at",
  "select now(), count(*) from s where at > pg_catalog.now()":
    "-c transaction at",
  "select now() as x, now()::date, at > now() as live from s":
    "--c transaction at",
  "select count(*) filter (where at > now()) from s": "c transaction at",
  "select case when at > now() then 1 end from s": "c transaction at",
  "select exists (select 1 from s where at > now())": "c transaction at",
  "select * from s where d between current_date - 7 and current_date":
    "cc transaction d",
  "select * from s where at > localtimestamp or b < transaction_timestamp()":
    "cc transaction at b",
  "select * from s where at < clock_timestamp() - $1": "c statement at",
  "select * from s join u on s.at < now()": "c transaction at",
  "delete from s where at < now() - interval '1 s' returning now()":
    "c- transaction at",
  "update s set at = now(), a = now() + $1 where b <= now() and a > 1":
    "--c transaction b",
  "insert into a select id, now() + x from s where at < now()":
    "-c transaction at",
  "insert into s values (now() + $1) on conflict (id) do update set at = now() where s.b < now()":
    "--c transaction b",
  "with gone as (delete from s where at < now() returning *) insert into a select * from gone":
    "c transaction at",
};

Deno.test("moment calls: those in conditions, and what stands beside them", () => {
  for (const [sql, expected] of Object.entries(FOUND)) {
    assert.equal(calls(sql), expected, sql);
  }
});

const NONE = [
  "select * from s where at > $1",
  "select now(), now() - at from s group by now() - at",
  "select coalesce(at, now()) from s",
  "insert into s values (now() + $1)",
  "update s set at = now() - interval '1 s' where id = $1",
  "select * from s where at > now() and b < clock_timestamp()",
  "select * from s where at > current_timestamp(3)",
  "select * from s where at > now() and t > current_time",
  "select * from s where at > now() and b = 'today'::date",
  "select * from s where at > now() and age(b) > '1 d'",
  "select * from s where at > app.now()",
  "select distinct at > now() from s order by at > now()",
  "select date_trunc('day', now()), count(*) from s where at > now() group by date_trunc('day', now())",
  "select * from w where (now() - interval '5 s', now()) overlaps (a, b)",
  "select (now() - a, now()) overlaps (a, b) from w",
  "select * from s where in_range(at, now() - a, now(), true, true) and at > now()",
  "select * from generate_series(current_date, b) g where g < current_date",
  "copy (select * from s where at > now()) to stdout",
  "create view v as select * from s where at > now()",
];

Deno.test("moment calls: none where the moment can't be another one", () => {
  for (const sql of NONE) assert.equal(calls(sql), undefined, sql);
});

Deno.test("moment calls: what stands beside many of them is looked at once", () => {
  const many = Array.from({ length: 5_000 }, () => "now() - a").join(", ");
  const found = analyze(`select 1 from s where at in (${many})`)?.shapes[0];
  assert.equal(found?.momentCalls?.places.length, 5_000);
});
