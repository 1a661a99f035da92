import assert from "node:assert/strict";
import { startCluster } from "../support/cluster.ts";
import { prepare, run } from "../support/judged.ts";
import { hasPythonModule } from "../support/programs.ts";
import { type ProxyOptions, TestProxy } from "../support/proxy.ts";
import { seenResults } from "../support/seen_results.ts";
import { stagedScript } from "../support/staged_script.ts";
import { waitFor } from "../support/wait.ts";
import { isMismatch } from "../../src/stats/mod.ts";

const TEST = {
  ignore: !await hasPythonModule("psycopg2"),
  sanitizeOps: false,
  sanitizeResources: false,
};

const SCHEMA = "create table file (id int primary key, object oid)";
/** The mirror's next OIDs are others. */
const SHIFT = "select lo_unlink(lo_create(0)) from generate_series(1, 20)";

/** Large objects are made, and read again. @param between what happens on the mirror meanwhile. */
async function mismatches(
  general: ProxyOptions["general"] = {},
  between?: string,
): Promise<readonly string[]> {
  await using primary = await startCluster({ version: "15" });
  await using mirror = await startCluster({ version: "18" });
  await prepare(primary, SCHEMA);
  await prepare(mirror, `${SHIFT}; ${SCHEMA}`);
  await using proxy = await TestProxy.start({ primary, mirror, general });
  const script = "large_objects/psycopg2_objects.py";
  await stagedScript(script, proxy.port, async () => {
    await waitFor(
      "the replays",
      () => proxy.ledger().pending === 0 && proxy.ledger().replayed > 2,
      30_000,
    );
    if (between !== undefined) await run(mirror, between);
  });
  const { dropped, failed } = await proxy.settled();
  assert.deepEqual([dropped, failed], [{}, {}]);
  const seen = await seenResults(proxy, isMismatch, 5_000);
  return seen.map(({ result, text }) => `${result} ${text}`);
}

Deno.test({
  ...TEST,
  name:
    "large objects: the mirror's have the primary's OIDs, by which they are found",
  async fn() {
    assert.deepEqual(await mismatches(), []);
  },
});

Deno.test({
  ...TEST,
  name:
    "large objects: one that has other bytes, and one that is not there, is found",
  async fn() {
    const seen = await mismatches(
      {},
      `select lo_put(object, 0, 'Large') from file where id = 1;
       select lo_unlink(object) from file where id = 2`,
    );
    for (
      const expected of [
        "mismatch_rows select lo_get(object) from file where id = $1",
        "mismatch_error_on_mirror (function call) lo_open",
      ]
    ) assert.ok(seen.includes(expected), `${expected}: ${seen.join("\n")}`);
  },
});

Deno.test({
  ...TEST,
  name: "large objects: with mirror_values = own the mirror chooses their OIDs",
  async fn() {
    const seen = await mismatches({ mirror_values: "own" });
    assert.ok(
      seen.includes("mismatch_error_on_mirror (function call) lo_open"),
      seen.join("\n"),
    );
  },
});
