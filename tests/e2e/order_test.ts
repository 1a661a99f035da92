import assert from "node:assert/strict";
import postgres from "postgres";
import { type Cluster, startCluster } from "../support/cluster.ts";
import { startGatheringRelay } from "../support/gathering_relay.ts";
import { sum } from "../support/ledgers.ts";
import { onServer } from "../support/on_server.ts";
import { TestProxy } from "../support/proxy.ts";
import { waitFor } from "../support/wait.ts";
import { concat, query, WireClient } from "../support/wire_client.ts";

const OPTIONS = { sanitizeOps: false, sanitizeResources: false };

Deno.test({
  name: "order of replay: pauses, waits and locks",
  ...OPTIONS,
  async fn(t) {
    await using primary = await startCluster({ version: "15" });
    await using mirror = await startCluster({ version: "18" });
    for (const cluster of [primary, mirror]) {
      await onServer(cluster, (sql) =>
        sql.unsafe(
          "create table counter (id int primary key, v int not null); insert into counter values (1, 0), (2, 0)",
        ));
    }

    await t.step(
      "a client that thinks in its transaction holds up nobody's replay",
      async () => {
        await using proxy = await TestProxy.start({
          primary,
          mirror,
          // Shorter than the pause: who waited for it would break the order.
          general: { mirror_timeout: 500 },
        });
        const thinker = connect(proxy);
        const others = connect(proxy);
        const think = gate();
        const thinking = thinker.begin(async (sql) => {
          await sql`update counter set v = v + 1 where id = 1`;
          await think.opened;
        });
        setTimeout(think.open, 3_000);
        await thinking;
        for (let i = 0; i < 20; i++) {
          await others`update counter set v = v + 1 where id = 1`;
        }
        await proxy.replayed(21);
        await Promise.all([thinker.end(), others.end()]);
        const { statements } = await proxy.settled();
        assert.equal(sum(statements), 23, JSON.stringify(statements));
        assert.equal(orderBreaks(proxy), 0);
        assert.deepEqual(await values(mirror), await values(primary));
      },
    );

    await t.step(
      "a writer that is never answered fails, and who waits for it goes on",
      async () => {
        await using proxy = await TestProxy.start({
          primary,
          mirror,
          general: { mirror_timeout: 1_000 },
        });
        const blocker = postgres(mirror.url(), { max: 1 });
        const locked = gate();
        const release = gate();
        const blocking = blocker.begin(async (sql) => {
          await sql`select * from counter where id = 1 for update`;
          locked.open();
          await release.opened;
        });
        await locked.opened;
        const a = connect(proxy);
        const b = connect(proxy);
        await a`update counter set v = v + 1 where id = 1`;
        await b`update counter set v = v + 1 where id = 2`;
        await waitFor(
          `both outcomes: ${JSON.stringify(proxy.ledger())}`,
          () => proxy.ledger().pending === 0,
          10_000,
        );
        release.open();
        await blocking;
        await Promise.all([a.end(), b.end(), blocker.end()]);
        const ledger = await proxy.settled();
        assert.equal(ledger.failed.timeout, 1, JSON.stringify(ledger));
        assert.equal(ledger.replayed, 1);
      },
    );

    await t.step(
      "writers of one pipeline, answered at one moment, keep their order",
      async () => {
        await using together = await startGatheringRelay(primary);
        await using proxy = await TestProxy.start({
          primary: together,
          mirror,
        });
        const client = await WireClient.connect(proxy.port);
        for (let i = 0; i < 10; i++) {
          await client.send(concat([
            "update counter set v = v + 1 where id = 1",
            "begin",
            "update counter set v = v * 2 where id = 1",
            "commit",
          ].map(query)));
          await client.ready(4);
        }
        await client.terminate();
        const ledger = await proxy.settled();
        assert.equal(ledger.replayed, 20, JSON.stringify(ledger));
        assert.equal(orderBreaks(proxy), 0);
        assert.deepEqual(await values(mirror), await values(primary));
      },
    );
  },
});

Deno.test({
  name:
    "session state: a setting that was rolled back does not come back with a new connection",
  ...OPTIONS,
  async fn() {
    await using primary = await startCluster({ version: "15" });
    await using mirror = await startCluster({ version: "18" });
    await using proxy = await TestProxy.start({ primary, mirror });
    const sql = connect(proxy);
    await sql.unsafe("set timezone to 'Asia/Tokyo'");
    await sql.unsafe("begin");
    await sql.unsafe("set timezone to 'America/Lima'");
    await sql.unsafe("prepare kept as select 7 as seven");
    await sql.unsafe("rollback");
    await proxy.replayed(2);
    await onServer(
      mirror,
      (admin) =>
        admin`select pg_terminate_backend(pid) from pg_stat_activity
        where backend_type = 'client backend' and pid <> pg_backend_pid()`,
    );
    await waitFor(
      "the lane to notice",
      () => proxy.logs.some((line) => line.includes("connection lost")),
      5_000,
    );
    await sql.unsafe("select to_timestamp(0)::text");
    await sql.unsafe("execute kept");
    await sql.end();
    const ledger = await proxy.settled();
    const mismatches = Object.keys(ledger.statements)
      .filter((result) => result.startsWith("mismatch"));
    assert.deepEqual(mismatches, [], JSON.stringify(ledger));
    assert.equal(ledger.replayed, ledger.seen, JSON.stringify(ledger));
  },
});

function connect(proxy: TestProxy): postgres.Sql {
  return postgres(proxy.url(), { max: 1, fetch_types: false });
}

async function values(cluster: Cluster): Promise<unknown> {
  return await onServer(
    cluster,
    (sql) => sql`select id, v from counter order by id`,
  );
}

function orderBreaks(proxy: TestProxy): number {
  return (proxy.supervisor.snapshot().get("mirror_order_breaks_total")
    ?.series ?? []).reduce((sum, { value }) => sum + value, 0);
}

function gate(): { readonly opened: Promise<void>; open(): void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { opened: promise, open: () => resolve() };
}
