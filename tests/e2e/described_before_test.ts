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
    // asyncpg looks a type up between describing a statement and running it.
    await client.send(concat([
      message("P", "two\0select now() as seen, id from item\0", int16(0)),
      message("D", "Stwo\0"),
      message("P", "\0select typname from pg_type limit 1\0", int16(0)),
      message("D", "S\0"),
      message("B", "\0\0", int16(0), int16(0), int16(0)),
      message("E", "\0", int32(0)),
      sync(),
    ]));
    await client.ready(1);
    await client.send(concat([
      message("B", "\0two\0", int16(0), int16(0), int16(1), int16(1)),
      message("E", "\0", int32(0)),
      sync(),
    ]));
    await client.ready(1);
    await client.terminate();
    await proxy.settled();
    const found = (text: string) =>
      proxy.supervisor.statements().filter((summary) =>
        summary.text.startsWith(text)
      );
    const calls = (text: string) => found(text)[0]?.calls ?? 0;
    await waitFor(
      "both results",
      () =>
        calls("select now() as at") === 2 &&
        calls("select now() as seen") === 1,
      10_000,
    );
    assert.deepEqual(resultsOf(found("select now() as at")), {
      match: 1,
      match_masked: 1,
    });
    assert.equal(found("select now() as at")[0]?.masked["at (time)"], 1);
    assert.equal(found("select now() as seen")[0]?.masked["seen (time)"], 1);
  },
});
