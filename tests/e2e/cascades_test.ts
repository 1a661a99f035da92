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
  query,
  sync,
  WireClient,
} from "../support/wire_client.ts";

const SCHEMA = "create table token (id int primary key, word text)";

Deno.test({
  name:
    "judge: what follows from an error is counted once, and a row that is missing by its number",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    await using primary = await startCluster({ version: "15" });
    await using mirror = await startCluster({ version: "15" });
    await prepare(
      primary,
      `${SCHEMA}; insert into token values (1, 'a');
       create view seen as select 1 as a;
       create function twice(int) returns int language sql as 'select $1 * 2'`,
    );
    await prepare(mirror, SCHEMA);
    await using proxy = await TestProxy.start({ primary, mirror });
    const client = await WireClient.connect(proxy.port);
    const send = async (...messages: Uint8Array[]) => {
      await client.send(concat(messages));
      await client.ready(1);
    };
    const parse = (name: string, text: string) =>
      message("P", `${name}\0${text}\0`, int16(0));
    const bind = (name: string) =>
      message("B", `\0${name}\0`, int16(0), int16(0), int16(0));
    const execute = (limit = 0) => message("E", "\0", int32(limit));
    const results = (text: string) =>
      resultsOf(
        proxy.supervisor.statements().filter((summary) =>
          summary.text.startsWith(text)
        ),
      );
    // A Parse that fails on the mirror, in one transaction, and two Binds in others.
    await send(parse("one", "select twice(1)"), sync());
    await send(bind("one"), execute(), sync());
    await send(bind("one"), execute(), sync());
    // A COMMIT of what has failed on the mirror.
    await send(query("begin"));
    await send(query("insert into token values (twice(3), 'b')"));
    await send(query("commit"));
    // A statement that is not prepared there, and what follows in its transaction.
    await send(query("begin"));
    await send(bind("one"), execute(), sync());
    await send(query("select id from token where id = 7"));
    await send(query("rollback"));
    // An object that the mirror does not know by its OID.
    await send(query("begin"));
    await send(
      query("select pg_get_viewdef('seen'::regclass::oid::text::oid)"),
    );
    await send(query("select id from token where id = 7"));
    await send(query("commit"));
    // The first row of a portal, as asyncpg's fetchrow() asks for.
    await send(
      parse("", "select id from token where word = 'a'"),
      bind(""),
      execute(1),
      sync(),
    );
    await client.terminate();
    const { statements } = await proxy.settled();
    const count = Object.values(statements).reduce((a, b) => a + b, 0);
    await waitFor(
      "the statements to be reported",
      () =>
        proxy.supervisor.statements().reduce(
          (sum, { calls }) => sum + calls,
          0,
        ) ===
          count,
      10_000,
    );
    assert.deepEqual(results("select twice"), {
      mismatch_error_on_mirror: 4,
    });
    // Each with what the Parse failed with.
    assert.deepEqual(
      proxy.supervisor.statements().find(({ text }) =>
        text.startsWith("select twice")
      )?.outcomes.map(({ mirrorSqlstate, count, requests }) => [
        mirrorSqlstate,
        count,
        requests,
      ]),
      [["42883", 4, 4]],
    );
    assert.deepEqual(results("select id from token where id"), {
      skipped_cascade: 2,
    });
    assert.deepEqual(results("insert"), { mismatch_error_on_mirror: 1 });
    assert.deepEqual(results("commit"), { skipped_cascade: 2 });
    assert.deepEqual(results("select pg_get_viewdef"), { note_catalog: 1 });
    assert.deepEqual(results("select id from token where word"), {
      mismatch_row_count: 1,
    });
  },
});
