import assert from "node:assert/strict";
import postgres from "postgres";
import { startCluster } from "../support/cluster.ts";
import { prepare } from "../support/judged.ts";
import { TestProxy } from "../support/proxy.ts";

const TEST = { sanitizeOps: false, sanitizeResources: false };

/** About 100 kB: more than is kept, less than is hashed beside it. */
const TABLE = "create table t (id int primary key, v text, at timestamptz)";
const rows = (order: string, value = "md5(i::text)") => `
  insert into t select i, ${value}, '2026-01-01Z' from generate_series(1, 1500) i
  order by ${order}; analyze t`;

/** A statement, and what comes of it where one value in the last tenth is wrong, and where the rows lie otherwise. */
const CASES: readonly [sql: string, wrong: string, twin: string][] = [
  ["select * from t", "mismatch_rows", "match_unordered"],
  ["select * from t order by id", "mismatch_rows", "match"],
  // In what order equal keys come is chance, and beyond the bound unseen.
  ["select * from t order by at", "mismatch_rows", "skipped_too_large"],
  ["copy (select * from t) to stdout", "mismatch_rows", "match_unordered"],
  ["select id, v, now() from t", "skipped_too_large", "skipped_too_large"],
  ["select * from t limit 1495", "skipped_too_large", "skipped_too_large"],
];

async function resultsOf(mirrorRows: string): Promise<readonly string[]> {
  await using primary = await startCluster({ version: "15" });
  await using mirror = await startCluster({ version: "18" });
  await prepare(primary, `${TABLE}; ${rows("i")}`);
  await prepare(mirror, `${TABLE}; ${mirrorRows}`);
  await using proxy = await TestProxy.start({ primary, mirror });
  const results: string[] = [];
  let before: Readonly<Record<string, number>> = {};
  for (const [text] of CASES) {
    const sql = postgres(proxy.url(), { max: 1, fetch_types: false });
    if (text.startsWith("copy")) {
      for await (const _ of await sql.unsafe(text).readable());
    } else await sql.unsafe(text);
    await sql.end();
    const { statements } = await proxy.settled();
    const changed = Object.keys(statements).filter((result) =>
      statements[result] !== before[result] && result !== "match_control"
    );
    results.push(changed.join(", "));
    before = { ...statements };
  }
  return results;
}

Deno.test(
  "large results: one wrong value behind what is kept is found",
  TEST,
  async () => {
    const wrong = "md5(case i when 1490 then 'x' else i::text end)";
    const found = await resultsOf(rows("i", wrong));
    assert.deepEqual(found, CASES.map(([, result]) => result));
  },
);

Deno.test(
  "large results: the same rows in another order are the same",
  TEST,
  async () => {
    const found = await resultsOf(rows("md5(i::text)"));
    assert.deepEqual(found, CASES.map(([, , result]) => result));
  },
);
