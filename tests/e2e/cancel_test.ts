import assert from "node:assert/strict";
import postgres from "postgres";
import { assertAllMatch } from "../support/ledgers.ts";
import { startCluster } from "../support/cluster.ts";
import { TestProxy } from "../support/proxy.ts";
import {
  concat,
  int16,
  int32,
  message,
  query,
  sync,
  WireClient,
} from "../support/wire_client.ts";

Deno.test({
  name:
    "cancel: what a transaction commits in spite of one reaches the mirror, the cancelled statement does not",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    await using primary = await startCluster({ version: "15" });
    await using mirror = await startCluster({ version: "15" });
    for (const cluster of [primary, mirror]) {
      const sql = postgres(cluster.url(), { max: 1 });
      await sql`create table item (id int primary key, n int)`;
      await sql`insert into item values (1, 0), (2, 0)`;
      await sql.end();
    }
    await using proxy = await TestProxy.start({ primary, mirror });
    using client = await WireClient.connect(proxy.port);
    const say = async (bytes: Uint8Array) => {
      await client.send(bytes);
      return await client.ready(1);
    };
    // Prepared in the cycle that is cancelled: it outlives the rollback.
    const prepared = concat([
      message("P", "kept\0select n from item where id = $1\0", int16(0)),
      message(
        "P",
        "\0update item set n = n + pg_sleep(30)::text::int\0",
        int16(0),
      ),
      message("B", "\0\0", int16(0), int16(0), int16(0)),
      message("E", "\0", int32(0)),
      sync(),
    ]);
    const kept = concat([
      message("B", "\0kept\0", int16(0), int16(1), int32(1), "1", int16(0)),
      message("E", "\0", int32(0)),
      sync(),
    ]);
    for (const cancelled of [query("select pg_sleep(30)"), prepared]) {
      await say(query("begin; set local statement_timeout = 200"));
      await say(query("update item set n = n + 1 where id = 1"));
      await say(query("savepoint a"));
      assert.equal(await say(cancelled), "E");
      await say(query("rollback to a"));
      await say(query("update item set n = n + 1 where id = 2"));
      assert.equal(await say(query("commit")), "I");
    }
    await say(kept);
    await say(query("begin; set local statement_timeout = 200"));
    await say(query("update item set n = 99"));
    await say(query("select pg_sleep(30)"));
    assert.equal(await say(query("commit")), "I");
    await say(query("select * from item order by id"));
    await client.terminate();
    const ledger = await proxy.settled();
    assert.deepEqual(ledger.excluded, { cancelled: 1 });
    assert.equal(ledger.replayed, 4, JSON.stringify(ledger));
    assertAllMatch(ledger);
    const sql = postgres(mirror.url(), { max: 1 });
    const rows = await sql`select n from item order by id`;
    assert.deepEqual(rows.map(({ n }) => n), [2, 2]);
    await sql.end();
  },
});
