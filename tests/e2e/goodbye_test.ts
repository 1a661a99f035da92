import assert from "node:assert/strict";
import { type Cluster, startCluster } from "../support/cluster.ts";
import { onServer } from "../support/on_server.ts";
import { hasProgram } from "../support/programs.ts";
import { type Ledger, TestProxy } from "../support/proxy.ts";
import { waitFor } from "../support/wait.ts";
import {
  concat,
  extended,
  query,
  sync,
  WireClient,
} from "../support/wire_client.ts";

/** A block that a client leaves open: its queries, each with what ReadyForQuery says. */
const BLOCKS: readonly (readonly (readonly [sql: string, status: string])[])[] =
  [
    [["begin", "T"]],
    [["begin", "T"], ["select a from t order by a", "T"]],
    [["begin", "T"], ["insert into t values (7)", "T"]],
    [["begin", "T"], ["insert into t values (8)", "T"], ["selec", "E"]],
    [["begin", "T"], ["set local work_mem = '1MB'", "T"], ["savepoint a", "T"]],
  ];

const INIT = "create table t (a int); insert into t values (1), (2)";

Deno.test({
  name:
    "a transaction that is open when its client goes is replayed, and rolled back there",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn(t) {
    await using primary = await startCluster({ version: "15", initSql: INIT });
    await using mirror = await startCluster({ version: "15", initSql: INIT });

    for (const goodbye of ["Terminate", "a closed socket", "half a message"]) {
      await t.step(goodbye, async () => {
        await using proxy = await TestProxy.start({ primary, mirror });
        for (const block of BLOCKS) {
          const client = await WireClient.connect(proxy.port);
          for (const [sql, status] of block) {
            await client.send(query(sql));
            assert.equal(await client.ready(1), status);
          }
          if (goodbye === "half a message") {
            await client.send(query("commit").subarray(0, 8));
          }
          if (goodbye === "Terminate") await client.terminate();
          else client[Symbol.dispose]();
        }
        const ledger = await proxy.settled();
        const sent = BLOCKS.flat().map(([sql]) => sql);
        const controls = sent.filter((sql) =>
          /^(begin|set|savepoint)/.test(sql)
        );
        assert.deepEqual(ledger.statements, {
          match: sent.length - controls.length,
          match_control: controls.length,
        });
        assertReplayed(ledger, BLOCKS.length);
        await assertRolledBack(mirror);
        await assertRolledBack(primary);
      });
    }

    await t.step({
      name: "psql at the end of its input",
      ignore: !hasProgram("psql"),
      async fn() {
        await using proxy = await TestProxy.start({ primary, mirror });
        const psql = new Deno.Command("psql", {
          args: ["-XAtq", proxy.url()],
          stdin: "piped",
        }).spawn();
        const input = psql.stdin.getWriter();
        await input.write(
          new TextEncoder().encode("begin;\ninsert into t values (9);\n"),
        );
        await input.close();
        assert.equal((await psql.status).code, 0);
        assertReplayed(await proxy.settled(), 1);
        await assertRolledBack(mirror);
      },
    });

    await t.step("a difference in it is found", async () => {
      await using proxy = await TestProxy.start({ primary, mirror });
      await onServer(mirror, (sql) => sql`insert into t values (3)`);
      const client = await WireClient.connect(proxy.port);
      for (const sql of ["begin", "select a from t order by a"]) {
        await client.send(query(sql));
        await client.ready(1);
      }
      await client.terminate();
      const ledger = await proxy.settled();
      assert.deepEqual(ledger.statements, {
        match_control: 1,
        mismatch_row_count: 1,
      });
      assertReplayed(ledger, 1);
      await onServer(mirror, (sql) => sql`delete from t where a = 3`);
    });

    await t.step(
      "what is sent ahead of a broken connection is in an account",
      async () => {
        await using proxy = await TestProxy.start({ primary, mirror });
        const client = await WireClient.connect(proxy.port);
        const one = concat([extended("select 1"), sync()]);
        const slow = concat([extended("select pg_sleep(3)"), sync()]);
        await client.send(concat([one, slow, one, one, one]));
        await client.ready(1);
        client[Symbol.dispose]();
        const ledger = await proxy.settled();
        assert.equal(ledger.seen, 5);
        const { client_gone = 0 } = ledger.excluded;
        assert.equal(ledger.replayed + client_gone, 5, JSON.stringify(ledger));
      },
    );
  },
});

function assertReplayed(ledger: Ledger, count: number): void {
  const { seen, replayed, pending, excluded, dropped, failed } = ledger;
  assert.deepEqual(
    { seen, replayed, pending, excluded, dropped, failed },
    {
      seen: count,
      replayed: count,
      pending: 0,
      excluded: {},
      dropped: {},
      failed: {},
    },
  );
}

async function assertRolledBack(server: Cluster): Promise<void> {
  await waitFor("the open transactions to end", async () => {
    const [row] = await onServer(
      server,
      (sql) =>
        sql`select count(*)::int as open from pg_stat_activity
          where state like 'idle in transaction%'`,
    );
    return row?.open === 0;
  }, 5_000);
  const rows = await onServer(server, (sql) => sql`select a from t order by a`);
  assert.deepEqual(rows.map(({ a }) => a), [1, 2]);
}

Deno.test({
  name: "what was judged last is known when the proxy has stopped",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    await using primary = await startCluster({ version: "15" });
    await using mirror = await startCluster({ version: "15" });
    await using proxy = await TestProxy.start({ primary, mirror });
    using client = await WireClient.connect(proxy.port);
    for (let i = 1; i <= 5; i++) {
      await client.send(query(`select ${i} as column_${i}`));
      await client.ready(1);
    }
    await proxy.replayed(5);
    await client.terminate();
    await proxy.supervisor.stop(10_000);
    const names = proxy.supervisor.statements().map(({ text }) => text);
    for (let i = 1; i <= 5; i++) {
      assert.ok(names.some((text) => text.includes(`column_${i}`)), `${names}`);
    }
  },
});
