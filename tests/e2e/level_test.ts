import assert from "node:assert/strict";
import postgres from "postgres";
import { startCluster } from "../support/cluster.ts";
import { TestProxy } from "../support/proxy.ts";

Deno.test({
  name:
    "level: what it leaves out is excluded, whole, and the rest is replayed",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn(t) {
    await using primary = await startCluster({ version: "15" });
    await using mirror = await startCluster({ version: "18" });
    const levels = [
      // A table, an index, two writes, a read, and a transaction that does all.
      { level: "all", replayed: 6, excluded: {} },
      { level: "dml", replayed: 3, excluded: { level: 3 } },
      { level: "ddl", replayed: 3, excluded: { level: 3 } },
      { level: "read", replayed: 1, excluded: { level: 5 } },
    ] as const;
    for (const { level, replayed, excluded } of levels) {
      await t.step(level, async () => {
        await using proxy = await TestProxy.start({
          primary,
          mirror,
          mirroring: { level },
        });
        const sql = postgres(proxy.url(), { max: 1, fetch_types: false });
        for (
          const statement of [
            `create table ${level}_t (a int)`,
            `create index on ${level}_t (a)`,
            `insert into ${level}_t values (1)`,
            `update ${level}_t set a = 2`,
            `select * from ${level}_t`,
            `begin; insert into ${level}_t values (3); create table ${level}_u (); commit`,
          ]
        ) await sql.unsafe(statement);
        await sql.end();
        const ledger = await proxy.settled();
        assert.equal(ledger.replayed, replayed, JSON.stringify(ledger));
        assert.deepEqual(ledger.excluded, excluded);
        assert.equal(ledger.seen, 6);
      });
    }
  },
});
