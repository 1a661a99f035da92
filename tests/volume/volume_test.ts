import { hasProgram } from "../support/programs.ts";
import { assertBounded, assertExact, runVolume } from "../support/volume.ts";

Deno.test({
  name:
    "volume: 300,000 statements of 64 clients, the mirror stopped three times: accounts close, bounds hold, nothing stays open",
  ignore: !hasProgram("pgbench"),
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    const options = {
      statements: 300_000,
      rounds: 1,
      queue: 32,
      queueBytes: 3 * 1024 * 1024,
      // The mirror gets its share of two cores.
      rate: 1_500,
      sampleEveryMs: 200,
    };
    const run = await runVolume(options);
    assertExact(run);
    assertBounded(run, options);
  },
});
