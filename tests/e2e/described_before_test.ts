import assert from "node:assert/strict";
import { startCluster } from "../support/cluster.ts";
import { prepare, resultsOf } from "../support/judged.ts";
import { TestProxy } from "../support/proxy.ts";
import { waitFor } from "../support/wait.ts";
import {
  concat,
  int16,
  int32,
  message,
  sync,
  WireClient,
} from "../support/wire_client.ts";

const SCHEMA = `
  create table item (id int primary key, price float8);
  insert into item select i, i / 7.0 from generate_series(1, 50) i`;

Deno.test({
  name:
    "judge: columns that a cycle before has described, as asyncpg and pgx do, are known, in binary",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    await using primary = await startCluster({ version: "15" });
    await using mirror = await startCluster({ version: "15" });
    await prepare(primary, SCHEMA);
    // The same rows in another order: sums differ in their last digits.
    await prepare(
      mirror,
      `${SCHEMA}; create table other as select * from item order by -id;
       truncate item; insert into item select * from other order by -id`,
    );
    await using proxy = await TestProxy.start({ primary, mirror });
    const client = await WireClient.connect(proxy.port);
    const text = "select now() as at, sum(price) as s from item";
    await client.send(concat([
      message("P", `one\0${text}\0`, int16(0)),
      message("D", "Sone\0"),
      sync(),
    ]));
    await client.ready(1);
    await client.send(concat([
      message("B", "\0one\0", int16(0), int16(0), int16(1), int16(1)),
      message("E", "\0", int32(0)),
      sync(),
    ]));
    await client.ready(1);
    await client.terminate();
    await proxy.settled();
    const found = () =>
      proxy.supervisor.statements().filter((summary) =>
        summary.text.startsWith("select now()")
      );
    await waitFor("both results", () => (found()[0]?.calls ?? 0) === 2, 10_000);
    assert.deepEqual(resultsOf(found()), { match: 1, match_masked: 1 });
    assert.equal(found()[0]?.masked["at (time)"], 1);
  },
});
