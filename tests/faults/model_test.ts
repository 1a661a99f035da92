import assert from "node:assert/strict";
import { loadModule } from "libpg-query";
import { ShapeCache } from "../../src/sql/shape_cache.ts";
import { startCluster } from "../support/cluster.ts";
import { runCopies } from "../support/model/copy_run.ts";
import { COPY_TABLES } from "../support/model/copy_server.ts";
import { assertEqualServers, runModel } from "../support/model/model_run.ts";

/** Kept: a seed that has found something stays. `FUZZ_SEED` takes another. */
const SEED = 5;
const SCRIPTS = 2_000;
const COPY_SESSIONS = 500;
/** On a slow machine fewer scripts are played than wanted; it is said how many. */
const LIMIT_MS = 40_000;

Deno.test({
  name:
    "proxy: random legal scripts are answered as without it, and match on an equal mirror",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    const seed = Number(Deno.env.get("FUZZ_SEED") ?? SEED);
    const run = await runModel({
      scripts: SCRIPTS,
      seed,
      limitMs: LIMIT_MS,
    });
    const { scripts, ledger } = run;
    console.log(
      `seed ${seed}: ${scripts} of ${SCRIPTS} scripts, ${ledger.seen} transactions`,
    );
    assertEqualServers(run);
    assert.ok(scripts >= 100, `only ${scripts} scripts`);
    assert.ok(ledger.replayed > 5 * scripts, JSON.stringify(ledger));
  },
});

Deno.test({
  name:
    "Tap: sessions full of COPYs with a real server are cut as their model says",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    await loadModule();
    await using cluster = await startCluster({
      version: "15",
      initSql: COPY_TABLES,
    });
    const seed = Number(Deno.env.get("FUZZ_SEED") ?? SEED);
    const sessions = await runCopies(cluster.port, new ShapeCache(1_000), {
      sessions: COPY_SESSIONS,
      seed,
      limitMs: LIMIT_MS,
    });
    console.log(`seed ${seed}: ${sessions} of ${COPY_SESSIONS} sessions`);
    assert.ok(sessions >= 50, `only ${sessions} sessions`);
  },
});
