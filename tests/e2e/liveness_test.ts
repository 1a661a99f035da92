import assert from "node:assert/strict";
import { startCluster } from "../support/cluster.ts";
import { honest, HostileServer, WELCOME } from "../support/hostile_server.ts";
import { onServer } from "../support/on_server.ts";
import { TestProxy } from "../support/proxy.ts";
import { waitFor } from "../support/wait.ts";
import { query, WireClient } from "../support/wire_client.ts";
import { QUERY } from "../../src/wire/mod.ts";

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
    for (const cluster of [primary, mirror]) {
      await onServer(
        cluster,
        (sql) => sql.unsafe("create table a (v int); create table b (v int)"),
      );
    }

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

    await t.step(
      "a writer behind a long query of its session is waited for once",
      async () => {
        await using proxy = await TestProxy.start({
          primary,
          mirror,
          // Each request that waited would take so long.
          general: { mirror_timeout: 1_000 },
        });
        using reporter = await WireClient.connect(proxy.port);
        using other = await WireClient.connect(proxy.port);
        for (const client of [reporter, other]) {
          await run(client, "insert into a values (0)");
        }
        await proxy.replayed(2);
        await run(reporter, "select pg_sleep(6)");
        await run(reporter, "update a set v = 100");
        // They write what it writes.
        for (let i = 0; i < 20; i++) {
          await run(other, `update a set v = ${i}`);
        }
        await waitFor(
          `the others, not the query: ${JSON.stringify(proxy.ledger())}`,
          () => proxy.ledger().replayed >= 22,
          30_000,
        );
        assert.equal(proxy.ledger().pending, 2, "the query is not over");
        await reporter.terminate();
        await other.terminate();
        const ledger = await proxy.settled();
        assert.deepEqual(ledger.statements, { match: 24 });
        const breaks = sum(proxy, "mirror_order_breaks_total");
        assert.equal(breaks, 20, "all of them went ahead of the writer");
      },
    );

    await t.step(
      "a mirror that can't take a session's state does not keep it for ever",
      async () => {
        using hostile = new HostileServer();
        let logins = 0;
        hostile.script = async (victim) => {
          logins++;
          await victim.startup();
          await victim.send(WELCOME);
          await victim.next(QUERY);
        };
        await using proxy = await TestProxy.start({
          primary,
          mirror: hostile,
        });
        using client = await WireClient.connect(proxy.port);
        await run(client, "set application_name = 'lost'");
        await proxy.settled(10_000, 1);
        await run(client, "select 1");
        // A client may have its answer before the request is counted.
        await waitFor(
          "both requests",
          () => proxy.ledger().seen === 2 && proxy.ledger().pending === 0,
          10_000,
        );
        const { dropped, failed } = proxy.ledger();
        assert.deepEqual([dropped, failed], [
          { mirror_down: 1 },
          { connection: 1 },
        ]);
        // The lane's own, and looks at what the mirror is and at its schema.
        assert.ok(logins <= 8, `${logins} logins`);
        hostile.play(honest);
        await run(client, "select 1");
        await proxy.replayed(1);
        await client.terminate();
        await proxy.settled();
      },
    );
  },
});
