import assert from "node:assert/strict";
import { startCluster } from "../support/cluster.ts";
import { TestProxy } from "../support/proxy.ts";
import { waitFor } from "../support/wait.ts";

Deno.test({
  name:
    "mirror facts: asked without traffic; a mirror that subscribes to changes is warned of",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    await using primary = await startCluster({ version: "15" });
    await using mirror = await startCluster({
      version: "18",
      auth: "scram-sha-256",
      password: "pw",
      initSql:
        "create subscription incoming connection 'dbname=postgres' publication p with (connect = false)",
    });
    await using proxy = await TestProxy.start({
      primary,
      mirror: { ...mirror, host: mirror.host, port: mirror.port },
    });
    await waitFor(
      `a warning: ${proxy.logs.join("\n")}`,
      () => proxy.logs.some((line) => line.includes("subscribes to changes")),
      10_000,
    );
    const warnings = proxy.logs.filter((line) => line.startsWith("warn"));
    assert.equal(warnings.length, 1, warnings.join("\n"));
    assert.equal(proxy.ledger().seen, 0);
  },
});
