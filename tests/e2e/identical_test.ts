import assert from "node:assert/strict";
import { runOnIdenticalServers, WORKLOADS } from "../support/identical.ts";
import { hasProgram } from "../support/programs.ts";

Deno.test({
  name: "judge: 100,000 mixed statements on equal servers give no mismatch",
  ignore: !hasProgram("pgbench"),
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    const { ledger, results, mismatches } = await runOnIdenticalServers({
      statements: 50_000,
    });
    assert.deepEqual(mismatches, []);
    assert.equal(ledger.replayed, ledger.seen, JSON.stringify(ledger));
    for (const workload of WORKLOADS) {
      const {
        match = 0,
        match_control: control = 0,
        noise_concurrent_write: concurrent = 0,
      } = results[workload];
      const text = JSON.stringify(results);
      assert.ok(match + control > 50_000 * 0.99, text);
      assert.ok(concurrent < 50, text);
    }
  },
});
