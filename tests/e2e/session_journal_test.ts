import assert from "node:assert/strict";
import { startCluster } from "../support/cluster.ts";
import { onServer } from "../support/on_server.ts";
import { TestProxy } from "../support/proxy.ts";
import { waitFor } from "../support/wait.ts";
import { message, query, sync, WireClient } from "../support/wire_client.ts";
import { concat } from "../../src/wire/mod.ts";

const TEST = { sanitizeOps: false, sanitizeResources: false };

/** A statement that is prepared by name, and run. */
function prepared(name: string, sql: string, ...values: string[]): Uint8Array {
  return concat([
    message("P", `${name}\0${sql}\0\0\0`),
    bound(name, ...values),
  ]);
}

/** A prepared statement is run again. */
function bound(name: string, ...values: string[]): Uint8Array {
  const parameters = values.map((value) => {
    const bytes = new TextEncoder().encode(value);
    const length = new Uint8Array(4);
    new DataView(length.buffer).setInt32(0, bytes.length);
    return concat([length, bytes]);
  });
  return concat([
    message(
      "B",
      concat([
        new TextEncoder().encode(`\0${name}\0`),
        new Uint8Array([0, 0, 0, values.length]),
        ...parameters,
        new Uint8Array(2),
      ]),
    ),
    message("E", "\0\0\0\0\0"),
    sync(),
  ]);
}

/** What a session does before the mirror loses its connection: all of it, then and afterwards, is replayed. */
const SESSIONS: Readonly<Record<string, readonly Uint8Array[]>> = {
  "a claim of each transaction, as PostgREST sets it": [
    query("begin"),
    prepared(
      "claims",
      "select set_config('request.jwt.claims', $1, true)",
      '{"role":"web"}',
    ),
    query("commit"),
  ],
  "1,100 statements that are prepared and deallocated, as PDO does": Array.from(
    { length: 1_100 },
    (_, i) => [
      prepared(`pdo_stmt_${i}`, "select 1"),
      query(`DEALLOCATE pdo_stmt_${i}`),
    ],
  ).flat(),
  "a temporary table before DISCARD ALL, as poolers send it": [
    query("create temp table t (a int)"),
    query("set timezone to 'Asia/Tokyo'"),
    query("DISCARD ALL"),
  ],
  "a statement that the mirror has with one parameter more": [
    query("create table due (at timestamptz)"),
    prepared(
      "due",
      "select count(*) from due where at < now() and at > $1",
      "-infinity",
    ),
  ],
  "a name that stands for another statement": [
    query("prepare q as select 1"),
    query("deallocate q"),
    query("prepare q as select 2"),
    query("set timezone to 'America/Lima'"),
  ],
};

for (const [what, messages] of Object.entries(SESSIONS)) {
  Deno.test(
    `session journal: a lost connection is replaced behind ${what}`,
    TEST,
    async () => {
      await using servers = await start();
      const { proxy, client } = servers;
      for (const bytes of messages) await say(client, bytes);
      await replayed(proxy);
      await servers.loseMirror();
      // It may be under way when the loss is seen.
      await say(client, query("select 1"));
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      if (what.startsWith("a statement")) {
        await say(client, bound("due", "-infinity"));
      }
      if (what.startsWith("a name")) await say(client, query("execute q"));
      await say(client, query("show timezone"));
      await client.terminate();
      const ledger = await proxy.settled();
      assert.deepEqual(ledger.dropped, {});
      assert.deepEqual(
        Object.keys(ledger.statements).filter((result) =>
          !/^match/.test(result) && result !== "note_catalog"
        ),
        [],
        JSON.stringify(ledger),
      );
    },
  );
}

Deno.test(
  "session journal: a session whose state is lost goes on behind DISCARD ALL",
  TEST,
  async () => {
    await using servers = await start();
    const { proxy, client } = servers;
    await say(client, query("create temp table t (a int)"));
    await replayed(proxy);
    await servers.loseMirror();
    while (tainted(proxy) === 0) {
      await say(client, query("select pg_sleep(0.1)"));
    }
    await replayed(proxy);
    // Counts come in steps.
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    const given = tainted(proxy);
    const before = proxy.ledger().replayed;
    await say(client, query("discard all"));
    await say(client, query("set timezone to 'Asia/Tokyo'"));
    await replayed(proxy);
    await servers.loseMirror();
    await say(client, query("show timezone"));
    await client.terminate();
    const ledger = await proxy.settled();
    assert.deepEqual(ledger.dropped, { session_tainted: given });
    // DISCARD ALL, SET and SHOW.
    assert.equal(ledger.replayed, before + 3);
  },
);

async function start() {
  const stack = new AsyncDisposableStack();
  const primary = stack.use(await startCluster({ version: "15" }));
  const mirror = stack.use(await startCluster({ version: "18" }));
  const proxy = stack.use(await TestProxy.start({ primary, mirror }));
  const client = stack.use(await WireClient.connect(proxy.port));
  return {
    proxy,
    client,
    /** Ends the session's connection there. */
    loseMirror: () =>
      onServer(mirror, async (sql) => {
        const ended = await sql`
          select pg_terminate_backend(pid) from pg_stat_activity
          where backend_type = 'client backend' and pid <> pg_backend_pid()`;
        assert.ok(ended.length > 0);
      }),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

async function say(client: WireClient, bytes: Uint8Array): Promise<void> {
  await client.send(bytes);
  await client.ready(1);
}

function tainted(proxy: TestProxy): number {
  return proxy.ledger().dropped.session_tainted ?? 0;
}

/** Waits until nothing is pending. */
function replayed(proxy: TestProxy): Promise<void> {
  return waitFor(
    "the replay",
    () => proxy.ledger().pending === 0 && proxy.ledger().replayed > 0,
    30_000,
  );
}
