import assert from "node:assert/strict";
import { loadModule } from "libpg-query";
import { analyze } from "../../src/sql/analyze.ts";

await loadModule();

function bounds(sql: string): string | undefined {
  return analyze(sql)?.shapes[0]?.momentBounds?.map(
    ({ output, isLater, isMoment }) =>
      `${output} ${isLater ? "later" : "earlier"}${isMoment ? "" : ", moved"}`,
  ).join("; ");
}

const HELD: Readonly<Record<string, string>> = {
  "select * from s where token = $1 and expires_at > now()": "at later",
  "select * from s where expires_at is null or expires_at > now() limit $2":
    "at later",
  "select id, expires_at from s where now() >= expires_at": "at earlier",
  "select expires_at as due from s where expires_at > current_timestamp":
    "due later",
  "select s.*, u.name from s join u on u.id = s.u where s.expires_at > localtimestamp":
    "at later",
  "select expires_at from s join u on u.id = s.u where s.expires_at > now() at time zone 'utc'":
    "at later, moved",
  "select * from s where expires_at > now()::timestamp": "at later",
  "select * from p where now() between since and until":
    "since earlier; until later",
  "select * from s where at between now() - interval '1 hour' and now()":
    "at later, moved; at earlier",
  "select * from s where at between '2026-01-01' and now()": "at earlier",
  "select * from s where now() - at < interval '1 hour'": "at later, moved",
  "select * from s where at > now() - $1 * interval '1 second'":
    "at later, moved",
  "select * from s where at > now() - make_interval(mins => $1)":
    "at later, moved",
  "select *, now() - at as age from s where at > now()": "at later",
};

Deno.test("moment bounds: a column of the answer that WHERE holds against the moment", () => {
  for (const [sql, expected] of Object.entries(HELD)) {
    assert.equal(bounds(sql)?.replaceAll("expires_at", "at"), expected, sql);
  }
});

const NOT_HELD = [
  "select * from s",
  "select *, now() from s",
  "select id from s where at > now()",
  "select at + interval '1 s' as at from s where at > now()",
  "select u.* from s join u on u.id = s.u where s.at > now()",
  "select u.at from s join u on u.id = s.u where s.at > now()",
  "select u.* from s join u on u.id = s.u where at > now()",
  "select * from s where at > current_date",
  "select * from s where at > 'now'::timestamptz",
  "select * from s where at > date_trunc('day', now())",
  "select * from s where at > now() or a = 1",
  "select * from s where at > now() or b is null",
  "select * from s where not at > now()",
  "select * from s where at = now()",
  "select * from s where at > now() and a in (select a from t where at < now())",
  "select * from s where at > now() and a in (select a from t where d = 'today'::date)",
  "select * from s where at > now() and a < age(b)",
  "select * from s where at - now() > b - a",
  "select * from s where -at > now()",
  "select * from s left join u on u.id = s.u and u.at > now()",
  "select * from s where at > now() offset 1",
  "select distinct on (a) * from s where at > now()",
  "select count(*) as at from s where at > now()",
  "select at, count(*) from s where at > now() group by at",
  "select at, row_number() over (order by id) from s where at > now()",
  "select at, array_agg(a order by a) from s where at > now()",
  "select at from s where at > now() union select at from u",
  "select id, at, generate_series(at, now(), '1 min') from s where at > now()",
  "select * from s where at > now() at time zone 'x' at time zone 'y'",
  "delete from s where at < now()",
  "delete from s where at < now() returning *",
  "update s set a = 1 where at < now() returning id, at",
];

Deno.test("moment bounds: none where the moment decides in other ways, or nobody sees by what", () => {
  for (const sql of NOT_HELD) assert.equal(bounds(sql), undefined, sql);
});

Deno.test("moment bounds: calls within calls are read once each", () => {
  const call = Array.from({ length: 60 }).reduce<string>(
    (inner) => `timezone(${inner}, 'x')`,
    "'utc'",
  );
  const sql = `select at from s where at > now() + ${call}`;
  assert.equal(bounds(sql), "at later, moved");
});
