import assert from "node:assert/strict";
import { loadModule } from "libpg-query";
import { atMoment } from "../../src/replay/moment_text.ts";

await loadModule();

const encoder = new TextEncoder();

function moved(sql: string): string | undefined {
  const bytes = atMoment(encoder.encode(sql), -1_500_000);
  return bytes && new TextDecoder().decode(bytes);
}

const MOVED =
  "((pg_catalog.now() OPERATOR(pg_catalog.+) pg_catalog.make_interval(secs => -1500000 / 1e6)))";

Deno.test("atMoment: each word and call of the moment is moved, and nothing else", () => {
  assert.equal(
    moved("select a from t where b > NOW ( ) -- now()\n and c = 'é'"),
    `select a from t where b > ${MOVED} -- now()\n and c = 'é'`,
  );
  assert.equal(
    moved("select 1 from t where b > current_timestamp and now < $1"),
    `select 1 from t where b > ${MOVED} and now < $1`,
  );
  assert.equal(
    moved("select 1 from t where d = current_date or e < localtimestamp"),
    `select 1 from t where d = ${MOVED.slice(0, -1)}::pg_catalog.date) or e < ${
      MOVED.slice(0, -1)
    }::pg_catalog.timestamp)`,
  );
  assert.match(
    moved("select 1 where clock_timestamp() > statement_timestamp()") ?? "",
    /clock_timestamp\(\) OPERATOR.*statement_timestamp\(\) OPERATOR/,
  );
});

for (
  const sql of [
    "select 1 from t where b > $1",
    "select 1 from t where b > now() and c < 'now'::timestamptz",
    "select 1 from t where b > now() and c = 'today 10:00'",
    "select 1 from t where b > now() and c > current_timestamp(3)",
    "select 1 from t where b > now() and c > current_time",
    "select 1 from t where b > now() and age(c) > '1 day'",
    "select 1 from t where b > now() and c > timeofday()::timestamptz",
    "select 1 from t where b > pg_catalog.now()",
    'select 1 from t where b > "now"()',
    "select 1 from t where b > now() and random() < 0.5",
    "select 1 from t where b > now() and id = lastval()",
    "select 1 from t where b > now(); select 2",
    "select 1 from t where b > now() and",
  ]
) {
  Deno.test(`atMoment: left as it is: ${sql}`, () => {
    assert.equal(moved(sql), undefined);
  });
}
