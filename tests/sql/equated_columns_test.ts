import assert from "node:assert/strict";
import { loadModule } from "libpg-query";
import { analyze } from "../../src/sql/analyze.ts";

await loadModule();

const EQUATED: Readonly<Record<string, string>> = {
  "select 1 from s where at > now()": "",
  "select 1 from s join u on s.id = u.id where at > now() and a > 1": "",
  "select 1 from s where token = $1 and at > now()": "token",
  "select 1 from s where 't' = lower(token) and at > now()": "token",
  "select 1 from s where token in ('a', 'b') and at > now()": "token",
  "select 1 from s where token = any($1) and at > now()": "token",
  "select 1 from s where token = concat('a', $1) and at > now()": "token",
  "select 1 from u where id = (select u from s where token = 'a' and at > now())":
    "id, token",
  "select 1 from u where id in (select u from s where at > now())": "id",
  "select 1 from u join s on s.u = u.id and s.token = $1 and s.at > now()":
    "token",
  "with s as (select u from t where token = $1 and at > now()) select 1 from s":
    "token",
  "delete from s where state = 'over' and at < now()": "state",
};

Deno.test("equated columns: those that a statement compares with values, wherever it does", () => {
  for (const [sql, equated] of Object.entries(EQUATED)) {
    assert.equal(analyze(sql)?.shapes[0]?.equated?.join(", "), equated, sql);
  }
});
