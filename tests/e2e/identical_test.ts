import assert from "node:assert/strict";
import { runOnIdenticalServers } from "../support/identical.ts";
import { hasProgram } from "../support/programs.ts";

Deno.test({
  name: "judge: 100,000 mixed statements on equal servers give no mismatch",
  ignore: !hasProgram("pgbench"),
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    const { ledger, statements, mismatches } = await runOnIdenticalServers(
      100_000,
    );
    assert.deepEqual(mismatches, []);
    const { noise_concurrent_write: concurrent = 0, match = 0 } =
      ledger.statements;
    assert.ok(concurrent < statements / 1_000, JSON.stringify(ledger));
    assert.ok(match > statements * 0.99, JSON.stringify(ledger));
    assert.equal(ledger.pending, 0);
  },
});
