import assert from "node:assert/strict";
import { startCluster } from "../support/cluster.ts";
import { onServer } from "../support/on_server.ts";
import { TestProxy } from "../support/proxy.ts";
import {
  concat,
  extended,
  query,
  sync,
  WireClient,
} from "../support/wire_client.ts";

const QUERIES = 45_000;
const EXECUTES = 200_000;
/** For a cycle of so many statements: each side takes seconds. */
const DEADLINE_MS = 120_000;

/** Sends one cycle and reads its answers meanwhile: both directions fill up. */
async function cycle(
  client: WireClient,
  bytes: Uint8Array<ArrayBuffer>,
): Promise<void> {
  client.received.length = 0;
  const [status] = await Promise.all([client.ready(1), client.send(bytes)]);
  assert.equal(status, "I");
}

Deno.test("batches: one cycle of many thousand statements is replayed and compared, in either protocol", async () => {
  await using primary = await startCluster({ version: "15" });
  await using mirror = await startCluster({ version: "15" });
  for (const cluster of [primary, mirror]) {
    await onServer(cluster, (sql) => sql.unsafe("create table t (a int)"));
  }
  await using proxy = await TestProxy.start({ primary, mirror });
  const client = await WireClient.connect(proxy.port);
  await cycle(client, query("insert into t values (1);".repeat(QUERIES)));
  await cycle(
    client,
    concat([
      ...Array<Uint8Array>(EXECUTES).fill(extended("insert into t values (2)")),
      sync(),
    ]),
  );
  await cycle(client, query("select count(*), sum(a) from t"));
  await client.terminate();
  const { seen, replayed, dropped, failed, excluded, statements } = await proxy
    .settled(DEADLINE_MS);
  assert.deepEqual(
    { seen, replayed, dropped, failed, excluded, statements },
    {
      seen: 3,
      replayed: 3,
      dropped: {},
      failed: {},
      excluded: {},
      statements: { match: QUERIES + EXECUTES + 1 },
    },
  );
});

Deno.test("batches: what is beyond a bound is too_large, never queue_full", async () => {
  await using primary = await startCluster({ version: "15" });
  await using mirror = await startCluster({ version: "15" });
  // Each of the two keys bounds a transaction: its bytes, and its digests.
  for (
    const [general, statement] of [
      [{ mirror_queue_bytes: 1024 * 1024 }, "select 1;".padEnd(30)],
      [{ mirror_max_transaction_bytes: 1024 * 1024 }, "select 1;"],
    ] as const
  ) {
    await using proxy = await TestProxy.start({ primary, mirror, general });
    // Two sessions: a text that is cut in the middle may have set something.
    for (const sql of [statement.repeat(QUERIES), "select 2"]) {
      const client = await WireClient.connect(proxy.port);
      await cycle(client, query(sql));
      await client.terminate();
    }
    const { seen, replayed, dropped, statements } = await proxy.settled();
    assert.deepEqual(
      { seen, replayed, dropped, statements },
      {
        seen: 2,
        replayed: 1,
        dropped: { too_large: 1 },
        statements: { match: 1 },
      },
    );
  }
});
