import assert from "node:assert/strict";
// @ts-types="@types/pg"
import pg from "pg";
import postgres from "postgres";
import { startCluster } from "../support/cluster.ts";
import { freePort, TestProxy } from "../support/proxy.ts";
import { waitFor } from "../support/wait.ts";
import { concat, int32, query, WireClient } from "../support/wire_client.ts";
import { decodeErrorFields, encodeStartupMessage } from "../../src/wire/mod.ts";

const OPTIONS = { sanitizeOps: false, sanitizeResources: false };

for (const auth of ["trust", "md5", "scram-sha-256"] as const) {
  Deno.test({
    name: `login: ${auth} is relayed to the client and done on the mirror`,
    ...OPTIONS,
    async fn() {
      const password = auth === "trust" ? undefined : "it's a ¬secret";
      const options = { auth, ...(password === undefined ? {} : { password }) };
      await using primary = await startCluster({ version: "15", ...options });
      await using mirror = await startCluster({ version: "18", ...options });
      await using proxy = await TestProxy.start({ primary, mirror });
      const sql = postgres(proxy.url(), {
        max: 1,
        ...(password === undefined ? {} : { password }),
      });
      assert.deepEqual([...await sql`select 1 as one`], [{ one: 1 }]);
      await sql.end();
      const client = new pg.Client({
        host: "127.0.0.1",
        port: proxy.port,
        user: "postgres",
        database: "postgres",
        ...(password === undefined ? {} : { password }),
      });
      await client.connect();
      const { rows } = await client.query("select $1::int as n", [7]);
      assert.deepEqual(rows, [{ n: 7 }]);
      await client.end();
      const ledger = await proxy.settled();
      assert.equal(ledger.replayed, ledger.seen, proxy.logs.join("\n"));
      if (password === undefined) return;
      const wrong = postgres(proxy.url(), { max: 1, password: "wrong" });
      await assert.rejects(async () => await wrong`select 1`, {
        code: "28P01",
      });
      await wrong.end();
      assert.ok(!proxy.logs.some((line) => line.includes(password)));
    },
  });
}

Deno.test({
  name:
    "login: what goes wrong before it ends is said, and everybody else goes on",
  ...OPTIONS,
  async fn(t) {
    await using primary = await startCluster({ version: "15" });
    await using proxy = await TestProxy.start({
      primary,
      general: { client_login_timeout: 400 },
      more: `
[[databases]]
name = "unreachable"
host = "127.0.0.1"
port = ${freePort()}
[[databases]]
name = "no_socket"
host = "/nonexistent"
port = 5432
[[databases]]
name = "other_name"
host = "127.0.0.1"
port = ${primary.port}
database_name = "postgres"
`,
    });
    using bystander = await WireClient.connect(proxy.port);

    await t.step(
      "an unknown database: 3D000, in PostgreSQL's words",
      async () => {
        assert.deepEqual(
          await refusal({ user: "postgres", database: "nowhere" }),
          {
            code: "3D000",
            message: 'database "nowhere" does not exist',
          },
        );
      },
    );
    await t.step("an unreachable primary: 08006", async () => {
      const { code, message } = await refusal({
        user: "postgres",
        database: "unreachable",
      });
      assert.equal(code, "08006");
      assert.match(
        message,
        /^could not connect to primary 127\.0\.0\.1:\d+: connection refused$/,
      );
    });
    await t.step("a primary whose unix socket is missing: 08006", async () => {
      assert.deepEqual(
        await refusal({ user: "postgres", database: "no_socket" }),
        {
          code: "08006",
          message:
            "could not connect to primary /nonexistent:5432: the address cannot be reached",
        },
      );
    });
    await t.step("another database name on the primary", async () => {
      using client = await WireClient.connect(proxy.port, {
        database: "other_name",
        application_name: "renamed",
      });
      await client.send(query(
        "select current_database() || current_setting('application_name')",
      ));
      await client.ready(1);
      assert.match(new TextDecoder().decode(client.bytes), /postgresrenamed/);
    });
    await t.step(
      "a query in one write with the startup packet",
      async () => {
        const startup = encodeStartupMessage([
          ["user", "postgres"],
          ["database", "postgres"],
        ]);
        const conn = await Deno.connect({
          hostname: "127.0.0.1",
          port: proxy.port,
        });
        using client = new WireClient(conn);
        await client.send(concat([startup, query("select 7")]));
        await client.ready(2);
        // Longer than client_login_timeout.
        await client.send(query("select pg_sleep(0.6)"));
        assert.equal(await client.ready(1), "I");
        await client.terminate();
      },
    );
    await t.step("a startup packet of 10,001 bytes is closed", async () => {
      const huge = encodeStartupMessage([["user", "x".repeat(9_990)]]);
      assert.ok(huge.length > 10_000);
      assert.equal(await closedAfter(huge), 0);
    });
    await t.step("junk is closed", async () => {
      assert.equal(
        await closedAfter(new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n")),
        0,
      );
    });
    await t.step("a half-open login is closed at its time", async () => {
      assert.equal(await closedAfter(new Uint8Array([0, 0])), 0);
    });
    await t.step("SSLRequest and GSSENCRequest get N", async () => {
      for (const code of [80877103, 80877104]) {
        const conn = await Deno.connect({
          hostname: "127.0.0.1",
          port: proxy.port,
        });
        await conn.write(new Uint8Array([...int32(8), ...int32(code)]));
        const answer = new Uint8Array(8);
        assert.equal(await conn.read(answer), 1);
        assert.equal(answer[0], "N".charCodeAt(0));
        conn.close();
      }
    });
    await t.step("the bystander has noticed nothing", async () => {
      await bystander.send(query("select 1"));
      assert.equal(await bystander.ready(1), "I");
      await bystander.terminate();
      await waitFor("all to be gone", () => proxy.clients === 0, 5_000);
    });

    async function refusal(parameters: Record<string, string>) {
      const conn = await Deno.connect({
        hostname: "127.0.0.1",
        port: proxy.port,
      });
      await conn.write(encodeStartupMessage(Object.entries(parameters)));
      const bytes = new Uint8Array(
        await new Response(conn.readable).arrayBuffer(),
      );
      assert.equal(bytes[0], "E".charCodeAt(0));
      const fields = decodeErrorFields(bytes.subarray(5));
      assert.equal(fields.S, "FATAL");
      return { code: fields.C, message: fields.M ?? "" };
    }

    /** Bytes that came back before the proxy closed. */
    async function closedAfter(
      bytes: Uint8Array<ArrayBuffer>,
    ): Promise<number> {
      const conn = await Deno.connect({
        hostname: "127.0.0.1",
        port: proxy.port,
      });
      await conn.write(bytes);
      try {
        return (await new Response(conn.readable).arrayBuffer()).byteLength;
      } catch {
        return 0; // reset: closed with bytes unread
      }
    }
  },
});

Deno.test({
  name:
    "mirror login: a password in clear is refused unless allowed, a lying server is not believed",
  ...OPTIONS,
  async fn(t) {
    await using primary = await startCluster({ version: "15" });
    for (
      const [what, script, allowed] of [
        ["cleartext refused", "cleartext", false],
        ["cleartext allowed", "cleartext", true],
        ["iterations beyond 100,000", "iterations", false],
        ["AuthenticationOk in the middle of SCRAM", "early ok", false],
      ] as const
    ) {
      await t.step(what, async () => {
        using server = hostileServer(script);
        await using proxy = await TestProxy.start({
          primary,
          mirror: { host: "127.0.0.1", port: server.port, password: "pw" },
          general: { mirror_cleartext_password_allowed: allowed },
        });
        using client = await WireClient.connect(proxy.port);
        await client.send(query("select 1"));
        await client.ready(1);
        await client.terminate();
        const ledger = await proxy.settled();
        if (allowed) {
          assert.equal(ledger.replayed, 1, proxy.logs.join("\n"));
          assert.ok(server.received().includes("pw\0"));
        } else {
          assert.deepEqual(ledger.dropped, { mirror_down: 1 });
          assert.ok(!server.received().includes("pw\0"));
        }
      });
    }
  },
});

/** A mirror that asks for what a real one would not. */
function hostileServer(script: "cleartext" | "iterations" | "early ok") {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const received: string[] = [];
  const auth = (kind: number, data = "") => {
    const body = new TextEncoder().encode(data);
    return new Uint8Array([
      0x52,
      ...int32(8 + body.length),
      ...int32(kind),
      ...body,
    ]);
  };
  const ready = new Uint8Array([...auth(0), 0x5a, ...int32(5), 0x49]);
  (async () => {
    for await (const conn of listener) {
      (async () => {
        const buffer = new Uint8Array(65536);
        const read = async () => {
          const count = await conn.read(buffer) ?? 0;
          const text = new TextDecoder().decode(buffer.subarray(0, count));
          received.push(text);
          return text;
        };
        await read();
        if (script === "cleartext") {
          await conn.write(auth(3));
          await read();
          await conn.write(ready);
          await read();
          const tag = new TextEncoder().encode("SELECT 1\0");
          await conn.write(
            new Uint8Array([
              ...[0x43, ...int32(4 + tag.length), ...tag],
              ...[0x5a, ...int32(5), 0x49],
            ]),
          );
          await read();
        } else {
          await conn.write(auth(10, "SCRAM-SHA-256\0\0"));
          const nonce = (await read()).match(/r=([^,]+)$/)?.[1];
          if (script === "early ok") await conn.write(ready);
          else {
            await conn.write(auth(11, `r=${nonce}x,s=c2FsdA==,i=2147483647`));
          }
          await read();
        }
        conn.close();
      })().catch(() => {});
    }
  })().catch(() => {});
  return {
    port: listener.addr.port,
    received: () => received.join(""),
    [Symbol.dispose]: () => listener.close(),
  };
}
