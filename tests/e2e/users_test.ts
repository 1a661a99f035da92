import assert from "node:assert/strict";
import pg from "pg";
import postgres from "postgres";
import { startCluster } from "../support/cluster.ts";
import { hasProgram, runProgram } from "../support/programs.ts";
import { TestProxy } from "../support/proxy.ts";

const OPTIONS = { sanitizeOps: false, sanitizeResources: false };

const USERS = `
[[users]]
name = "ann"
password = "ann's secret"
server_user = "app"
server_password = "app secret"
[[users]]
name = "bob"
database = "elsewhere"
password = "bob secret"
[[databases]]
name = "elsewhere"
host = "127.0.0.1"
`;

for (const type of ["scram", "md5", "plain", "trust"] as const) {
  Deno.test({
    name: `users of our own: ${type} to the proxy, SCRAM to the primary`,
    ...OPTIONS,
    async fn() {
      await using primary = await startCluster({
        version: "15",
        auth: "scram-sha-256",
        initSql: "create role app login password 'app secret'",
      });
      await using mirror = await startCluster({ version: "18" });
      await using proxy = await TestProxy.start({
        primary,
        mirror,
        general: { auth_type: type },
        more: USERS,
      });
      const url = (user: string, password: string) =>
        `postgres://${user}:${
          encodeURIComponent(password)
        }@127.0.0.1:${proxy.port}/postgres`;
      const right = url("ann", "ann's secret");

      const sql = postgres(right, { max: 1 });
      const [row] = await sql`select current_user as me, ${7}::int as seven`;
      assert.deepEqual({ ...row }, { me: "app", seven: 7 });
      const sleeping = sql`select pg_sleep(60)`.execute();
      setTimeout(() => sleeping.cancel(), 300);
      await assert.rejects(async () => await sleeping, { code: "57014" });
      await sql.end();

      const client = new pg.Client({ connectionString: right });
      await client.connect();
      assert.deepEqual((await client.query("select 1 as one")).rows, [{
        one: 1,
      }]);
      await client.end();
      if (hasProgram("psql")) {
        const out = await runProgram("psql", [
          right,
          "-At",
          "-c",
          "select session_user",
        ]);
        assert.equal(out.trim(), "app");
      }

      const refusal = async (user: string, password: string) => {
        const sql = postgres(url(user, password), { max: 1 });
        const error = await sql`select 1`.then(() => undefined, (e) => e);
        await sql.end();
        return [error?.code, error?.message?.replaceAll(user, "USER")];
      };
      const said = [
        "28P01",
        'password authentication failed for user "USER"',
      ];
      if (type !== "trust") {
        assert.deepEqual(await refusal("ann", "guess"), said);
      }
      // Who does not exist and who is of another database hear the same, until they prove themselves.
      assert.deepEqual(await refusal("zoe", "guess"), said);
      const elsewhere = [
        "28000",
        'user "USER" may not open database "postgres"',
      ];
      if (type !== "trust") {
        assert.deepEqual(await refusal("bob", "guess"), said);
      }
      assert.deepEqual(await refusal("bob", "bob secret"), elsewhere);

      // What was sent is mirrored under the client's name.
      const ledger = await proxy.settled();
      assert.equal(ledger.excluded.cancelled, 1, JSON.stringify(ledger));
      assert.equal(ledger.seen, ledger.replayed + 1);
      const text = proxy.logs.join("\n");
      for (const secret of ["ann's secret", "app secret", "bob secret"]) {
        assert.ok(!text.includes(secret));
      }
    },
  });
}

Deno.test({
  name:
    "users of our own: databases is an allow-list, live at RELOAD, and no more is asked of the primary",
  ...OPTIONS,
  async fn() {
    await using primary = await startCluster({
      version: "15",
      initSql: "create role app login replication",
    });
    const port = primary.port;
    await using proxy = await TestProxy.start({
      primary,
      general: { auth_type: "scram" },
      more: `
[[databases]]
name = "shop"
host = "127.0.0.1"
port = ${port}
database_name = "postgres"
[[databases]]
name = "ledger"
host = "127.0.0.1"
port = ${port}
database_name = "postgres"
[[users]]
name = "ann"
password = "x"
server_user = "app"
databases = ["shop", "ledger"]
[[users]]
name = "zoe"
password = "x"
server_user = "app"
all_databases = true
`,
    });
    const entry = async (user: string, database: string, replication = "") => {
      const client = new pg.Client({
        connectionString:
          `postgres://${user}:x@127.0.0.1:${proxy.port}/${database}?replication=${replication}`,
      });
      const query = replication === "" ? "select 1" : "IDENTIFY_SYSTEM";
      const result = await client.connect().then(() => client.query(query))
        .then(() => "in", (e) => e.code);
      await client.end();
      return result;
    };
    const entries = async (user: string) => [
      await entry(user, "postgres"),
      await entry(user, "shop"),
      await entry(user, "ledger"),
    ];
    assert.deepEqual(await entries("zoe"), ["in", "in", "in"]);
    assert.deepEqual(await entries("ann"), ["28000", "in", "in"]);
    // BASE_BACKUP copies every database, whichever one the connection names.
    for (const replication of ["true", "database"]) {
      assert.equal(await entry("zoe", "shop", replication), "in");
      assert.equal(await entry("ann", "shop", replication), "28000");
    }

    const wide = proxy.toml;
    proxy.toml = wide.replace('["shop", "ledger"]', '["shop"]');
    assert.deepEqual(await proxy.admin("RELOAD"), [
      { key: "users.ann/shop.databases", effect: "changed" },
    ]);
    assert.deepEqual(await entries("ann"), ["28000", "in", "28000"]);
    assert.deepEqual(await proxy.admin("RELOAD"), [], "equal lists");
    proxy.toml = wide;
    await proxy.admin("RELOAD");
    assert.deepEqual(await entries("ann"), ["28000", "in", "in"]);

    await primary.stop("immediate");
    assert.equal(await entry("ann", "postgres"), "28000");
    assert.notEqual(await entry("ann", "shop"), "28000");
  },
});

Deno.test({
  name:
    "users of our own: a primary that refuses the proxy is said, without its user",
  ...OPTIONS,
  async fn() {
    await using primary = await startCluster({
      version: "15",
      auth: "scram-sha-256",
    });
    await using proxy = await TestProxy.start({
      primary,
      general: { auth_type: "scram" },
      more: `
[[users]]
name = "ann"
password = "x"
server_user = "hidden_user"
server_password = "wrong"
`,
    });
    const sql = postgres(`postgres://ann:x@127.0.0.1:${proxy.port}/postgres`, {
      max: 1,
    });
    await assert.rejects(async () => await sql`select 1`, (error: Error) => {
      assert.match(error.message, /could not log in to primary .* 28P01/);
      assert.ok(!error.message.includes("hidden_user"));
      return true;
    });
    await sql.end();
  },
});

Deno.test({
  name:
    "SHOW STATS: requests and bytes of each database, clients that have gone included",
  ...OPTIONS,
  async fn() {
    await using primary = await startCluster({ version: "15" });
    await using proxy = await TestProxy.start({ primary });
    const text = `select repeat('x', 100000) as it`;
    for (let i = 0; i < 3; i++) {
      const sql = postgres(proxy.url(), { max: 1, fetch_types: false });
      await sql.unsafe(text);
      await sql.end();
    }
    const admin = postgres(
      `postgres://admin:admin-secret@127.0.0.1:${proxy.port}/admin`,
      { max: 1, fetch_types: false },
    );
    const rows = await admin.unsafe("SHOW STATS");
    await admin.end();
    assert.equal(rows.length, 1);
    const [row] = rows;
    assert.equal(row?.database, "postgres");
    assert.equal(row?.total_requests, "3");
    assert.ok(Number(row?.total_received) >= 3 * text.length);
    assert.ok(Number(row?.total_sent) >= 300_000);
    assert.ok(Number(row?.total_sent) < 310_000);
  },
});
