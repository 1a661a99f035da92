import assert from "node:assert/strict";
import { startCluster } from "../support/cluster.ts";
import { judge, prepare } from "../support/judged.ts";
import { slower } from "../../src/stats/mod.ts";

/** The gate's, and a statement's part of 1 % among 10,000. */
const LIMITS = {
  maxRatio: 1.25,
  minDifferenceMs: 2,
  minPairs: 30,
  minTailShare: 0.02,
  falseAlarm: 1e-6,
};

/** A function that is slow for one of its arguments. */
function slowFor(argument: number, seconds: number): string {
  return `create function f(i int) returns int language plpgsql as $$
    begin
      if i = ${argument} then perform pg_sleep(${seconds}); end if;
      return i;
    end $$`;
}

/** The mirror falls behind by its sleeps. */
const OPTIONS = { general: { mirror_queue: 10_000 } };
const CALLS = Array.from({ length: 20 }, (_, i) => `select f(${i + 1})`);

Deno.test(
  "latency: a statement that is slow in one of twenty calls is found by its tail, on an equal server not",
  {
    sanitizeOps: false,
    sanitizeResources: false,
  },
  async (t) => {
    await using primary = await startCluster({ version: "15" });
    await using mirror = await startCluster({ version: "18" });

    await t.step("on the mirror only", async () => {
      await prepare(primary, slowFor(0, 0));
      await prepare(mirror, slowFor(7, 0.06));
      const [found] = await judge(primary, mirror, CALLS, 50, OPTIONS);
      assert.equal(found?.latency.pairs, 1_000);
      const slowness = slower(found.sketch, LIMITS);
      assert.equal(slowness?.by, "tail", JSON.stringify(found.latency));
      assert.ok((found.latency.totalRatio ?? 0) > 1.25);
    });

    await t.step("on both", async () => {
      for (const cluster of [primary, mirror]) {
        await prepare(cluster, slowFor(7, 0.06));
      }
      const [found] = await judge(primary, mirror, CALLS, 50, OPTIONS);
      assert.equal(found?.latency.pairs, 1_000);
      assert.equal(slower(found.sketch, LIMITS), undefined);
    });
  },
);
