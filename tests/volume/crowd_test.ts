import { assertCrowd, runCrowd } from "../support/crowd.ts";
import { hasProgram } from "../support/programs.ts";

Deno.test({
  name:
    "volume: 5,000 idle and 500 active clients at once: accounts close, nothing stays open",
  ignore: !hasProgram("pgbench"),
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    const options = {
      idle: 5_000,
      active: 500,
      transactionsPerClient: 20,
      // 5,500 processes of PostgreSQL are much for a machine of CI's.
      idlePrimary: "scripted",
    } as const;
    assertCrowd(await runCrowd(options), options);
  },
});
