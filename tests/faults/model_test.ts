import assert from "node:assert/strict";
import { assertEqualServers, runModel } from "../support/model/model_run.ts";

/** Kept: a seed that has found something stays. `FUZZ_SEED` takes another. */
const SEED = 5;
const SCRIPTS = 2_000;
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
