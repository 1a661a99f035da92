import assert from "node:assert/strict";
import { dirname } from "node:path";
import postgres from "postgres";
import { assertAllMatch } from "../support/ledgers.ts";
import { type Cluster, startCluster } from "../support/cluster.ts";
import { hasProgram, runProgram } from "../support/programs.ts";
import { TestProxy } from "../support/proxy.ts";
import { waitFor } from "../support/wait.ts";

const OPTIONS = { sanitizeOps: false, sanitizeResources: false };
/** Nobody listens there. */
const NOBODY = "127.0.0.9";

Deno.test({
  name: "addresses: names that move, unix sockets and IPv6, on both sides",
  ignore: !hasProgram("psql"),
  ...OPTIONS,
  async fn(t) {
    await using primary = await startCluster({
      version: "15",
      settings: { listen_addresses: "127.0.0.1,::1" },
    });
    await using mirror = await startCluster({
      version: "18",
      settings: { listen_addresses: "127.0.0.1,::1" },
    });
    const select = async (url: string) => {
      const sql = postgres(url, { max: 1, fetch_types: false });
      try {
        return (await sql`select 1 as n`)[0]?.n;
      } finally {
        await sql.end();
      }
    };

    await t.step(
      "a primary that moves is found by its name when it can't be reached",
      async () => {
        const addresses: Record<string, string> = { "db.test": NOBODY };
        await using proxy = await TestProxy.start({
          primary: { host: "db.test", port: primary.port },
          general: { dns_ttl: 0 },
          lookup: (host) => Promise.resolve([addresses[host] ?? ""]),
        });
        await assert.rejects(select(proxy.url()), { code: "08006" });
        addresses["db.test"] = "127.0.0.1";
        await waitFor(
          "the name to be asked for",
          () => select(proxy.url()).then(() => true, () => false),
          10_000,
        );
        assert.ok(
          proxy.logs.some((line) =>
            line.includes("another address") && line.includes("db.test")
          ),
        );
      },
    );

    await t.step(
      "a mirror that moves is followed after dns_ttl: its lanes go along, with their state",
      async () => {
        const addresses: Record<string, string> = { "next.test": "::1" };
        await using proxy = await TestProxy.start({
          primary,
          mirror: { host: "next.test", port: mirror.port },
          general: { dns_ttl: 50 },
          lookup: (host) => Promise.resolve([addresses[host] ?? ""]),
        });
        const sql = postgres(proxy.url(), {
          max: 1,
          fetch_types: false,
          connection: { application_name: "probe" },
        });
        const peers = () =>
          onServer(
            mirror.url(),
            "select host(client_addr) as a from pg_stat_activity where application_name = 'probe' ",
          );
        await sql`set datestyle = 'German, DMY'`;
        await sql`select ${1}::int, (date '2026-02-03')::text`;
        await proxy.replayed(2);
        assert.deepEqual((await peers()).map(({ a }) => a), ["::1"]);
        addresses["next.test"] = "127.0.0.1";
        await waitFor(
          "the name to be asked for",
          () => proxy.logs.some((line) => line.includes("another address")),
          10_000,
        );
        await sql`select ${2}::int, (date '2026-02-03')::text`;
        await proxy.replayed(3);
        assert.deepEqual((await peers()).map(({ a }) => a), ["127.0.0.1"]);
        await sql.end();
        const ledger = await proxy.settled();
        assert.equal(ledger.replayed, ledger.seen);
        assertAllMatch(ledger);
      },
    );

    await t.step(
      "RELOAD asks anew, says so, and refuses a name that has no address",
      async () => {
        const addresses: Record<string, string> = { "db.test": NOBODY };
        await using proxy = await TestProxy.start({
          primary: { host: "db.test", port: primary.port },
          general: { dns_ttl: 0 },
          lookup: (host) =>
            addresses[host] === undefined
              ? Promise.reject(new Error("no such name"))
              : Promise.resolve([addresses[host]]),
        });
        addresses["db.test"] = "127.0.0.1";
        assert.deepEqual(await proxy.admin("RELOAD"), [
          { key: "host db.test", effect: `${NOBODY} is now 127.0.0.1` },
        ]);
        assert.equal(await select(proxy.url()), 1);
        proxy.toml = proxy.toml.replace("db.test", "nowhere.test");
        await assert.rejects(proxy.admin("RELOAD"), {
          code: "F0000",
          message: /test\.toml:\d+: databases\[0\]\.host: "nowhere\.test" has/,
        });
        assert.equal(await select(proxy.url()), 1);
      },
    );

    await t.step(
      "unix sockets: psql through the proxy's, the proxy through the servers'",
      async () => {
        const folder = await Deno.makeTempDir();
        const socketOf = ({ logFile, port }: Cluster) => ({
          host: dirname(logFile),
          port,
        });
        await using proxy = await TestProxy.start({
          primary: socketOf(primary),
          mirror: socketOf(mirror),
          general: { unix_socket_dir: folder },
        });
        const output = await runProgram("psql", [
          ...["-h", folder, "-p", `${proxy.port}`, "-U", "postgres", "-At"],
          ...["-c", "select 41 + 1", "postgres"],
        ]);
        assert.match(output, /^42$/m);
        // Several clients at once: each worker may take any of them.
        await Promise.all(Array.from({ length: 8 }, async () => {
          const sql = postgres({
            path: `${folder}/.s.PGSQL.${proxy.port}`,
            user: "postgres",
            database: "postgres",
            max: 1,
            fetch_types: false,
          });
          await sql`select 1`;
          await sql.end();
        }));
        const ledger = await proxy.settled();
        assert.equal(ledger.seen, 9);
        assert.equal(ledger.replayed, 9, JSON.stringify(ledger));
        await proxy.supervisor.stop(0);
        await assert.rejects(Deno.stat(`${folder}/.s.PGSQL.${proxy.port}`), {
          name: "NotFound",
        });
        await Deno.remove(folder);
      },
    );

    await t.step("IPv6: clients, primary and mirror on ::1", async () => {
      const v6 = { host: "::1" };
      await using proxy = await TestProxy.start({
        primary: { ...v6, port: primary.port },
        mirror: { ...v6, port: mirror.port },
        general: { host: "::1" },
      });
      const output = await runProgram("psql", [
        ...["-h", "::1", "-p", `${proxy.port}`, "-U", "postgres", "-At"],
        ...["-c", "select host(inet_client_addr())", "postgres"],
      ]);
      assert.match(output, /^::1$/m);
      const ledger = await proxy.settled();
      assert.equal(ledger.replayed, 1);
    });
  },
});

async function onServer(url: string, statement: string) {
  const sql = postgres(url, { max: 1 });
  try {
    return [...await sql.unsafe(statement)];
  } finally {
    await sql.end();
  }
}
