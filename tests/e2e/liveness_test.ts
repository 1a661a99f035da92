import assert from "node:assert/strict";
import { startCluster } from "../support/cluster.ts";
import { TestProxy } from "../support/proxy.ts";
import { waitFor } from "../support/wait.ts";
import { query, WireClient } from "../support/wire_client.ts";

const OPTIONS = { sanitizeOps: false, sanitizeResources: false };

async function run(client: WireClient, sql: string): Promise<void> {
  await client.send(query(sql));
  await client.ready(1);
}

function sum(proxy: TestProxy, metric: string): number {
  return (proxy.supervisor.snapshot().get(metric)?.series ?? [])
    .reduce((total, { value }) => total + value, 0);
}

Deno.test({
  name: "liveness: no session's replay stands still, nor do others for it",
  ...OPTIONS,
  async fn(t) {
    await using primary = await startCluster({ version: "15" });
    await using mirror = await startCluster({ version: "18" });

    await t.step(
      "session state of what is left out does not fill the session's queue",
      async () => {
        await using proxy = await TestProxy.start({
          primary,
          mirror,
          general: { mirror_queue: 10 },
          mirroring: { level: "read" },
        });
        using client = await WireClient.connect(proxy.port);
        await run(client, "select 1");
        await proxy.replayed(1);
        for (let i = 0; i < 30; i++) {
          await run(client, `set application_name = 'name ${i}'`);
        }
        await waitFor(
          "the state to leave the queue",
          () =>
            proxy.ledger().excluded.level === 30 &&
            sum(proxy, "mirror_queue_length") === 0,
          10_000,
        );
        await run(client, "select current_setting('application_name')");
        await client.terminate();
        const ledger = await proxy.settled();
        assert.deepEqual(ledger.dropped, {}, JSON.stringify(ledger));
        assert.deepEqual(ledger.excluded, { level: 30 });
        assert.deepEqual(ledger.statements, { match: 2 });
      },
    );
  },
});
