import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import postgres from "postgres";
import { preparePrograms } from "../../src/cli/demo/programs.ts";
import { Authority } from "../support/certificates.ts";
import { startCluster } from "../support/cluster.ts";
import { connections } from "../support/connections.ts";
import { hasProgram } from "../support/programs.ts";
import { freePort, TestProxy } from "../support/proxy.ts";
import { psql } from "../support/psql.ts";
import { waitFor } from "../support/wait.ts";

const OPTIONS = {
  sanitizeOps: false,
  sanitizeResources: false,
  ignore: !Authority.available,
};
/** SCRAM over TLS to both sides, by the client's settings. */
const BOTH_SIDES: readonly [settings: string, code: number, words: RegExp][] = [
  ["sslmode=require", 2, /FATAL: .*connect with channel_binding=disable/],
  [
    "sslmode=require channel_binding=require",
    2,
    /FATAL: .*connect with channel_binding=disable/,
  ],
  ["sslmode=require channel_binding=disable", 0, /^one SSL$/],
  // libpq tries again without TLS by itself; tls_client_required would say no.
  ["sslmode=prefer", 0, /^one$/],
  ["sslmode=disable", 0, /^one$/],
  [
    "sslmode=disable channel_binding=require",
    2,
    /channel binding required, but SSL not in use/,
  ],
];

/** What a client in clear sees through the proxy: "ssl", "clear", or the error. */
async function outcome(proxy: TestProxy, database = "postgres") {
  const sql = postgres(proxy.url("postgres", "postgres", database), {
    max: 1,
    onnotice() {},
  });
  try {
    const [row] = await sql`
      select ssl from pg_stat_ssl where pid = pg_backend_pid()`;
    return row?.ssl ? "ssl" : "clear";
  } catch (error) {
    const { code, message } = error as { code: string; message: string };
    return `${code} ${message}`;
  } finally {
    await sql.end();
  }
}

Deno.test({
  name: "TLS to the primary: what each tls_verify accepts",
  ...OPTIONS,
  async fn(t) {
    await using authority = await Authority.create();
    await using other = await Authority.create();
    const good = await authority.issue();
    const elsewhere = await authority.issue({ altNames: "DNS:elsewhere" });
    const expired = await authority.issue({ days: -1 });
    const client = await authority.issue({ name: "the proxy" });
    const auth = "scram-sha-256";
    await using plain = await startCluster({ version: "15", auth });
    await using tls = await startCluster({ version: "15", auth, ssl: good });
    await using far = await startCluster({
      version: "15",
      auth,
      ssl: elsewhere,
    });
    await using old = await startCluster({ version: "15", auth, ssl: expired });
    await using strict = await startCluster({
      version: "18",
      auth,
      ssl: { ...good, clientCa: authority.certificate },
    });
    const table = [
      [tls, "disabled", /^28000 .*no encryption/],
      [tls, "prefer", /^ssl$/],
      [tls, "require", /^ssl$/],
      [tls, "verify-ca", /^ssl$/],
      [tls, "verify_full", /^ssl$/],
      [plain, "prefer", /^clear$/],
      [plain, "require", /^08006 .*the server does not support TLS$/],
      [far, "verify-ca", /^ssl$/],
      [far, "verify-full", /^08006 .*not accepted: IP address mismatch/],
      [old, "require", /^ssl$/],
      [old, "verify-ca", /^08006 .*expired/],
      [strict, "verify-full", /^28000 .*valid client certificate/],
    ] as const;
    const databases = table.map(([{ port }, verify], i) => `
[[databases]]
name = "db${i}"
host = "127.0.0.1"
port = ${port}
database_name = "postgres"
tls_verify = "${verify}"
`);
    const more = (name: string, keys: string) => `
[[databases]]
name = "${name}"
host = "127.0.0.1"
database_name = "postgres"
tls_verify = "verify-full"
${keys}
`;
    await using proxy = await TestProxy.start({
      primary: plain,
      general: { tls_server_ca_certificate: authority.path },
      more: databases.join("") +
        more(
          "wrong_ca",
          `port = ${tls.port}\ntls_server_ca_certificate = "${other.path}"`,
        ) +
        more(
          "client_certificate",
          `port = ${strict.port}
tls_server_certificate = "${client.certificatePath}"
tls_server_private_key = "${client.keyPath}"`,
        ) + more("down", `port = ${freePort()}`),
    });
    for (const [i, [, verify, words]] of table.entries()) {
      await t.step(`${i}: ${verify} ${words}`, async () => {
        assert.match(await outcome(proxy, `db${i}`), words);
      });
    }
    await t.step("an authority of its own, and another's", async () => {
      assert.match(
        await outcome(proxy, "wrong_ca"),
        /^08006 could not connect to primary 127\.0\.0\.1:\d+: .*certificate/,
      );
    });
    await t.step("the proxy's certificate", async () => {
      assert.equal(await outcome(proxy, "client_certificate"), "ssl");
    });
    await t.step("a primary that is down", async () => {
      assert.match(await outcome(proxy, "down"), /^08006 .*refused/);
    });
    await t.step("a cancel goes where the session is", async () => {
      const sql = postgres(proxy.url("postgres", "postgres", "db4"), {
        max: 1,
      });
      await sql`select 1`;
      const query = sql`select pg_sleep(60)`;
      const failed = assert.rejects(() => query.execute(), { code: "57014" });
      const direct = postgres(tls.url(), {
        max: 1,
        ssl: { rejectUnauthorized: false },
      });
      await waitFor("pg_sleep to run", async () => {
        const rows = await direct`
          select 1 from pg_stat_activity where wait_event = 'PgSleep'`;
        return rows.length > 0;
      }, 5_000);
      query.cancel();
      await failed;
      await direct.end();
      await sql.end();
    });
  },
});

Deno.test({
  name: "TLS to the primary: an answer to SSLRequest that is none",
  ...OPTIONS,
  async fn(t) {
    const S = "S".charCodeAt(0);
    const table: [string, number[] | undefined, RegExp][] = [
      [
        "an ErrorResponse",
        [0x45, 0, 0, 0, 5],
        /bytes in clear|neither S nor N/,
      ],
      ["one byte E", [0x45], /neither S nor N/],
      ["bytes in clear behind S", [S, 0x52], /bytes in clear before TLS/],
      ["S, and no handshake", [S], /no answer within 600 ms/],
      ["nothing", [], /no answer within 600 ms/],
      ["end of stream", undefined, /the server closed the connection/],
    ];
    for (const [name, bytes, words] of table) {
      await t.step(name, async () => {
        using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
        const conns: Deno.Conn[] = [];
        (async () => {
          for await (const conn of listener) {
            await conn.read(new Uint8Array(8));
            if (bytes === undefined) conn.close();
            else {
              conns.push(conn);
              await conn.write(new Uint8Array(bytes));
            }
          }
        })().catch(() => {});
        await using proxy = await TestProxy.start({
          primary: { host: "127.0.0.1", port: listener.addr.port },
          general: { tls_verify: "prefer", connect_timeout: 600 },
        });
        assert.match(await outcome(proxy), words);
        for (const conn of conns) conn.close();
        await waitFor(
          "nothing to be left",
          () =>
            proxy.clients === 0 && connections(proxy.port) === 0 &&
            connections(listener.addr.port) === 0,
          5_000,
        );
      });
    }
  },
});

Deno.test({
  name: "TLS on both sides: SCRAM's channel binding, by libpq's settings",
  ...OPTIONS,
  ignore: OPTIONS.ignore || !hasProgram("psql"),
  async fn(t) {
    await using authority = await Authority.create();
    const certificate = await authority.issue();
    await using primary = await startCluster({
      version: "18",
      auth: "scram-sha-256",
      ssl: certificate,
    });
    await using proxy = await TestProxy.start({
      primary,
      general: {
        tls_certificate: certificate.certificatePath,
        tls_private_key: certificate.keyPath,
        tls_verify: "verify-full",
        tls_server_ca_certificate: authority.path,
      },
    });
    for (const [settings, code, words] of BOTH_SIDES) {
      await t.step(settings, async () => {
        const result = await psql(`${proxy.port}`, settings);
        assert.equal(result.code, code, result.text);
        assert.match(result.text, words);
      });
    }
    await t.step("libpq 18, direct TLS", async () => {
      const { postgres: program } = await preparePrograms("18");
      const libpq = join(dirname(program), "..", "lib");
      const result = await psql(
        `${proxy.port}`,
        "sslmode=require sslnegotiation=direct channel_binding=disable",
        { LD_LIBRARY_PATH: libpq },
      );
      assert.match(result.text, /^one SSL$/);
    });
    await t.step("postgres.js binds nothing, and is let in", async () => {
      const sql = postgres(proxy.url("postgres", "postgres"), {
        max: 1,
        ssl: { rejectUnauthorized: false },
      });
      assert.deepEqual([...await sql`select 1 as one`], [{ one: 1 }]);
      await sql.end();
    });
  },
});

Deno.test({
  name: "TLS to the mirror: it replays, and its failures are its own",
  ...OPTIONS,
  async fn(t) {
    await using authority = await Authority.create();
    const good = await authority.issue();
    const elsewhere = await authority.issue({ altNames: "DNS:elsewhere" });
    const auth = "scram-sha-256";
    await using primary = await startCluster({ version: "15" });
    await using mirror = await startCluster({ version: "18", auth, ssl: good });
    await using plain = await startCluster({ version: "18", auth });
    await using wrong = await startCluster({
      version: "18",
      auth,
      ssl: elsewhere,
    });
    await using strict = await startCluster({
      version: "18",
      auth,
      ssl: { ...good, clientCa: authority.certificate },
    });
    const ours = await authority.issue({ name: "the proxy" });
    const run = async (port: number, logged = /(?:)/, keys = "") => {
      await using proxy = await TestProxy.start({
        primary,
        mirror: { host: "127.0.0.1", port, password: "postgres" },
        general: {
          tls_verify: "prefer",
          tls_server_ca_certificate: authority.path,
          mirror_pacing: "asap",
        },
        mirrorKeys: `tls_verify = "verify-full"\n${keys}`,
      });
      const sql = postgres(proxy.url(), { max: 2 });
      const rows = await Promise.all(
        Array.from({ length: 20 }, (_, i) => sql`select ${i}::int as n`),
      );
      assert.deepEqual(rows.map(([row]) => row?.n), [...Array(20).keys()]);
      await sql.end();
      const ledger = await proxy.settled();
      // Counts are shared memory, words are messages.
      await waitFor(
        `the log to have ${logged}`,
        () => logged.test(proxy.logs.join("\n")),
        5_000,
      );
      return { ledger, logs: proxy.logs.join("\n") };
    };
    await t.step("with a certificate that fits", async () => {
      const { ledger, logs } = await run(mirror.port);
      assert.equal(ledger.replayed, ledger.seen, logs);
      assert.ok((ledger.statements.match ?? 0) >= 20, logs);
    });
    await t.step("where the proxy has to show one of its own", async () => {
      const without = await run(strict.port, /Mirror login failed .*28000/);
      assert.deepEqual(without.ledger.dropped, {
        mirror_down: without.ledger.seen,
      });
      const { ledger, logs } = await run(
        strict.port,
        undefined,
        `tls_server_certificate = "${ours.certificatePath}"
tls_server_private_key = "${ours.keyPath}"`,
      );
      assert.equal(ledger.replayed, ledger.seen, logs);
    });
    await t.step("with another host's: dropped, with the reason", async () => {
      const { ledger } = await run(
        wrong.port,
        /Mirror login failed .*not accepted: IP address mismatch/,
      );
      assert.deepEqual(ledger.dropped, { mirror_down: ledger.seen });
    });
    await t.step("without TLS", async () => {
      const { ledger } = await run(
        plain.port,
        /Mirror login failed .*does not support TLS/,
      );
      assert.deepEqual(ledger.dropped, { mirror_down: ledger.seen });
    });
  },
});

Deno.test({
  name:
    "TLS to servers: another authority holds for new connections, old ones stay",
  ...OPTIONS,
  async fn() {
    await using authority = await Authority.create();
    await using other = await Authority.create();
    await using primary = await startCluster({
      version: "15",
      ssl: await authority.issue(),
    });
    const file = join(authority.folder, "live.crt");
    const install = ({ certificate }: Authority) =>
      Deno.writeTextFileSync(file, certificate);
    install(authority);
    await using proxy = await TestProxy.start({
      primary,
      general: { tls_verify: "verify-full", tls_server_ca_certificate: file },
    });
    const old = postgres(proxy.url(), { max: 1, fetch_types: false });
    const pid = async () => (await old`select pg_backend_pid() as it`)[0]?.it;
    const before = await pid();
    assert.equal(await outcome(proxy), "ssl");
    install(other);
    await proxy.admin("RELOAD");
    await waitFor(
      "the other authority",
      async () => /^08006 .*certificate/.test(await outcome(proxy)),
      5_000,
    );
    assert.equal(await pid(), before);
    install(authority);
    await proxy.admin("RELOAD");
    await waitFor(
      "the first authority",
      async () => await outcome(proxy) === "ssl",
      5_000,
    );
    assert.equal(await pid(), before);
    await old.end();
  },
});
