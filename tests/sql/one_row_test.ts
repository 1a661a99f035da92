import assert from "node:assert/strict";
import { loadModule } from "libpg-query";
import { analyze } from "../../src/sql/analyze.ts";

await loadModule();

const LIMITED: readonly (readonly [sql: string, isLimited: boolean])[] = [
  ["select count(*) from t limit 1", false],
  ["select coalesce(round(sum(a), 2), 0), max(b) from t limit $1", false],
  ["select count(*) from t having count(*) > 5 limit 1", false],
  ["select count(*) from t offset 1", false],
  ["select exists (select 1 from t) limit 1", false],
  ["select 1 limit 1", false],
  ["select a from t limit 1", true],
  ["select count(*) from t group by a limit 1", true],
  ["select count(*) over () from t limit 1", true],
  ["select count(*), generate_series(1, 3) from t limit 1", true],
  ["select f(1) limit 1", true],
  ["select 1, app.lower(x) limit 1", true],
  ["select app.count(a) from t limit 1", true],
  ["select 1 union select 2 limit 1", true],
  ["values (1), (2) limit 1", true],
  ["select a from t limit null", false],
];

Deno.test("givesOneRow: one row leaves a LIMIT no choice", () => {
  for (const [sql, isLimited] of LIMITED) {
    assert.equal(analyze(sql)?.shapes[0]?.limited, isLimited, sql);
  }
});
