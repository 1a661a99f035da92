import assert from "node:assert/strict";
import postgres from "postgres";
import { startCluster } from "../support/cluster.ts";
import { onServer } from "../support/on_server.ts";
import { TestProxy } from "../support/proxy.ts";
import { waitFor } from "../support/wait.ts";
import { Framer } from "../../src/wire/mod.ts";
import { extended, query, sync, WireClient } from "../support/wire_client.ts";

const OPTIONS = { sanitizeOps: false, sanitizeResources: false };
const MIB = 1024 * 1024;

Deno.test({
  name: "sessions: size, cancel, death and state",
  ...OPTIONS,
  async fn(t) {
    await using primary = await startCluster({ version: "15" });
    await using mirror = await startCluster({ version: "18" });
    for (const cluster of [primary, mirror]) {
      await onServer(cluster, async (sql) => {
        await sql`create table blob (id int, body text)`;
      });
    }

    await t.step("64 MiB of COPY in and out, and a row of 64 MiB", async () => {
      await using proxy = await TestProxy.start({
        primary,
        mirror,
        general: {
          mirror_max_transaction_bytes: 128 * MIB,
          mirror_queue_bytes: 256 * MIB,
        },
      });
      using client = await WireClient.connect(proxy.port);
      const line = new TextEncoder().encode(`1\t${"x".repeat(8183)}\n`);
      const header = new Uint8Array([0x64, 0, 0, 0, 0]);
      new DataView(header.buffer).setInt32(1, 4 + line.length);
      const rows = 64 * MIB / 8192 + 128;
      await client.send(query("copy blob from stdin"));
      const chunk = new Uint8Array((header.length + line.length) * 128);
      for (let i = 0; i < 128; i++) {
        chunk.set(header, i * (header.length + line.length));
        chunk.set(line, i * (header.length + line.length) + header.length);
      }
      for (let i = 0; i < rows / 128; i++) await client.send(chunk);
      await client.send(new Uint8Array([0x63, 0, 0, 0, 4]));
      assert.equal(await client.ready(1), "I");
      client.received.length = 0;
      await client.send(query("copy blob to stdout"));
      await client.ready(1);
      assert.ok(client.bytes.length > rows * line.length);
      client.received.length = 0;
      await client.send(query(`select repeat('y', ${64 * MIB})`));
      await client.ready(1);
      assert.ok(client.bytes.length > 64 * MIB);
      await client.terminate();
      const ledger = await proxy.settled(60_000);
      assert.equal(ledger.replayed, 3, JSON.stringify(ledger));
      const count = (sql: postgres.Sql) =>
        sql`select count(*)::int as n, sum(length(body))::bigint as s from blob`;
      assert.deepEqual(
        await onServer(mirror, count),
        await onServer(primary, count),
      );
    });

    await t.step(
      "too large a transaction is dropped, the next is replayed",
      async () => {
        await using proxy = await TestProxy.start({
          primary,
          mirror,
          general: { mirror_max_transaction_bytes: 100_000 },
        });
        using client = await WireClient.connect(proxy.port);
        await client.send(query(`select '${"z".repeat(200_000)}'`));
        await client.ready(1);
        await client.send(query("select 1"));
        await client.ready(1);
        await client.terminate();
        const ledger = await proxy.settled();
        assert.deepEqual(ledger.dropped, { too_large: 1 });
        assert.equal(ledger.replayed, 1);
      },
    );

    await t.step("a cancel among 20 clients hits its own query", async () => {
      await using proxy = await TestProxy.start({ primary, mirror });
      const clients = Array.from(
        { length: 20 },
        () => postgres(proxy.url(), { max: 1 }),
      );
      await Promise.all(clients.map((sql) => sql`select 1`));
      const queries = clients.map((sql, i) =>
        i === 7 ? sql`select pg_sleep(60)` : sql`select pg_sleep(0.5)`
      );
      const outcomes = Promise.allSettled(queries.map((q) => q.execute()));
      await waitFor("the queries to run", async () => {
        const [row] = await onServer(
          primary,
          (sql) =>
            sql`select count(*)::int as n from pg_stat_activity
              where query like '%pg_sleep%' and state = 'active'`,
        );
        return row?.n >= 20;
      }, 10_000);
      queries[7]?.cancel();
      const results = await outcomes;
      assert.deepEqual(
        results.map(({ status }) => status === "rejected"),
        results.map((_, i) => i === 7),
      );
      const reason = (results[7] as PromiseRejectedResult).reason;
      assert.equal(reason.code, "57014");
      await Promise.all(clients.map((sql) => sql.end()));
      const ledger = await proxy.settled();
      assert.deepEqual(ledger.excluded, { cancelled: 1 });
    });

    await t.step(
      "a client that dies in a transaction takes its backend along",
      async () => {
        await using proxy = await TestProxy.start({ primary, mirror });
        const client = await WireClient.connect(proxy.port, {
          application_name: "dies",
        });
        await client.send(query("begin"));
        await client.ready(1);
        await client.send(query("insert into blob values (99, 'gone')"));
        await client.ready(1);
        client[Symbol.dispose]();
        await waitFor("the backend to end", async () => {
          const rows = await onServer(
            primary,
            (sql) =>
              sql`select 1 from pg_stat_activity where application_name = 'dies'`,
          );
          return rows.length === 0;
        }, 1_000);
        const ledger = await proxy.settled();
        assert.deepEqual(ledger.excluded, {});
        assert.equal(ledger.replayed, 1);
        assert.equal(ledger.seen, 1);
      },
    );

    await t.step("session state survives sampling", async () => {
      await using proxy = await TestProxy.start({
        primary,
        mirror,
        general: { mirror_exposure: 0.5, mirror_queue: 10_000 },
      });
      const sql = postgres(proxy.url(), { max: 1 });
      await sql`set application_name = 'sampled'`;
      await sql.unsafe("prepare p as select 1");
      for (let i = 0; i < 200; i++) {
        await sql`select ${i}::int, current_setting('application_name')`;
        await sql.unsafe("execute p");
      }
      await sql.end();
      const ledger = await proxy.settled();
      assert.equal(ledger.queryErrors, 0, JSON.stringify(ledger));
      assert.deepEqual(ledger.failed, {});
      const { sampled_out = 0 } = ledger.excluded;
      assert.ok(sampled_out > 100 && sampled_out < 300, `${sampled_out}`);
      assert.equal(ledger.replayed + sampled_out, ledger.seen);
      assert.deepEqual(
        Object.keys(ledger.statements).filter((r) => r.startsWith("mismatch")),
        [],
      );
    });

    await t.step(
      "session state survives a lost mirror connection",
      async () => {
        await using proxy = await TestProxy.start({
          primary,
          mirror,
          general: { connect_timeout: 2_000 },
        });
        const sql = postgres(proxy.url(), { max: 1, fetch_types: false });
        await sql`select ${1}::int as prepared`;
        await sql.unsafe("prepare p as select 1");
        await proxy.replayed(2);
        await onServer(
          mirror,
          (m) =>
            m`select pg_terminate_backend(pid) from pg_stat_activity
          where pid <> pg_backend_pid() and backend_type = 'client backend'`,
        );
        await waitFor(
          "the loss to be noticed",
          () => proxy.logs.some((line) => line.includes("connection lost")),
          5_000,
        );
        await sql`select ${2}::int as prepared`;
        await sql.unsafe("execute p");
        await sql.end();
        const ledger = await proxy.settled();
        assert.equal(ledger.queryErrors, 0, JSON.stringify(ledger));
        assert.equal(ledger.replayed, ledger.seen, JSON.stringify(ledger));
      },
    );

    await t.step(
      "replication connections are relayed and never mirrored",
      async () => {
        await using proxy = await TestProxy.start({ primary, mirror });
        using client = await WireClient.connect(proxy.port, {
          replication: "database",
        });
        await client.send(query("IDENTIFY_SYSTEM"));
        assert.equal(await client.ready(1), "I");
        await client.terminate();
        const ledger = await proxy.settled();
        assert.deepEqual(ledger.excluded, { replication: 1 });
        assert.equal(ledger.replayed, 0);
      },
    );

    await t.step(
      "a forced stop inside of a row writes nothing into it",
      async () => {
        const proxy = await TestProxy.start({
          primary,
          general: { workers: 1 },
        });
        using client = await WireClient.connect(proxy.port);
        using bystander = await WireClient.connect(proxy.port);
        await bystander.send(query("begin"));
        await bystander.ready(1);
        const rowBytes = 64 * MIB;
        await client.send(query(`select repeat('s', ${rowBytes})`));
        // Its buffers are full of the row, which nobody has read.
        await client.some();
        await proxy.supervisor.stop(10);
        let bytes: Uint8Array = new Uint8Array(0);
        client.end().then((all) => bytes = all);
        await waitFor("the row to end", () => bytes.length > 0, 10_000);
        assert.ok(bytes.length < rowBytes);
        const framer = new Framer();
        let types = "";
        for (let at = 0; at < bytes.length;) {
          at = framer.step(bytes, at, bytes.length);
          if (framer.started) types += String.fromCharCode(framer.type);
        }
        assert.equal(types, "TD");
        const inRow = bytes.subarray(bytes.indexOf(0x73, 64), bytes.length);
        assert.ok(inRow.every((byte) => byte === 0x73));
        assert.match(
          new TextDecoder().decode(await bystander.end()),
          /FATAL.*57P01/,
        );
      },
    );

    await t.step(
      "a slow reader holds up its own server, not its neighbour",
      async () => {
        await using proxy = await TestProxy.start({
          primary,
          mirror,
          general: { workers: 1 },
        });
        using slow = await WireClient.connect(proxy.port);
        await slow.send(query(`select repeat('s', ${32 * MIB})`));
        // Nobody reads it. The neighbour on the same worker goes on.
        using quick = await WireClient.connect(proxy.port);
        for (let i = 0; i < 50; i++) {
          await quick.send(extended("select 1"));
          await quick.send(sync());
          await quick.ready(1);
        }
        await slow.ready(1);
        assert.ok(slow.bytes.length > 32 * MIB);
      },
    );
  },
});
