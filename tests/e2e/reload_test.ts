import assert from "node:assert/strict";
import postgres from "postgres";
import { type Cluster, startCluster } from "../support/cluster.ts";
import {
  assertAllMatch,
  assertPairsClosed,
  isMismatch,
} from "../support/ledgers.ts";
import { hasProgram, runProgram } from "../support/programs.ts";
import { freePort, TestProxy } from "../support/proxy.ts";
import { waitFor } from "../support/wait.ts";

const OPTIONS = { sanitizeOps: false, sanitizeResources: false };

/** A second database on the mirror's server, as a mirror of its own. */
function secondMirror(mirror: Cluster): string {
  return `
[[databases]]
name = "second"
host = "127.0.0.1"
port = ${mirror.port}
user = "postgres"
[[mirroring]]
source_db = "postgres"
destination_db = "second"
`;
}

async function onServer(url: string, statement: string): Promise<void> {
  const sql = postgres(url, { max: 1 });
  await sql.unsafe(statement);
  await sql.end();
}

function createSecond(mirror: Cluster): Promise<void> {
  return onServer(
    mirror.url("template1"),
    "create database second template postgres",
  );
}

function client(proxy: TestProxy): postgres.Sql {
  return postgres(proxy.url(), { max: 1, fetch_types: false, onnotice() {} });
}

const server = (
  port: number,
) => ["-h", "127.0.0.1", "-p", `${port}`, "-U", "postgres"];

Deno.test({
  name:
    "reload: 16 clients of pgbench notice nothing while mirrors come, go and change, and every ledger closes",
  ignore: !hasProgram("pgbench"),
  ...OPTIONS,
  async fn() {
    await using primary = await startCluster({ version: "15" });
    await using mirror = await startCluster({ version: "18" });
    for (const { port } of [primary, mirror]) {
      await runProgram("pgbench", [...server(port), "-i", "-q", "postgres"]);
    }
    await createSecond(mirror);
    await using proxy = await TestProxy.start({
      primary,
      mirror,
      general: { mirror_queue: 100_000, mirror_pacing: "asap" },
    });
    const before = proxy.toml;
    let running = true;
    const load = runProgram("pgbench", [
      ...server(proxy.port),
      ...["-n", "-c", "16", "-j", "2", "-t", "400", "-M", "prepared"],
      "postgres",
    ]).finally(() => running = false);
    const seen = () => proxy.ledger().seen;
    /** Lets some transactions pass by between two changes. */
    const goOn = async () => {
      const from = seen();
      await waitFor(
        "traffic to go on",
        () => !running || seen() >= from + 200,
        30_000,
      );
      assert.ok(running, "pgbench ended before all changes were made");
    };
    await waitFor("traffic", () => seen() > 100, 30_000);
    const file = async (toml: string) => {
      proxy.toml = toml;
      const effects = await proxy.admin("RELOAD");
      await goOn();
      return effects;
    };
    assert.deepEqual(await file(before + secondMirror(mirror)), [
      { key: "databases.second", effect: "added" },
      { key: "mirroring.postgres/second", effect: "added" },
    ]);
    await assert.rejects(file(`${before}nonsense = 1\n`), { code: "F0000" });
    await proxy.admin("PAUSE MIRROR second");
    await goOn();
    await file(
      (before + secondMirror(mirror))
        .replace("[general]", "[general]\nmirror_compare = 'shape'")
        .replace("mirror_queue = 100000", "mirror_queue = 5"),
    );
    await proxy.admin("RESUME MIRROR");
    await proxy.admin("SET mirror_exposure TO 0.5");
    await goOn();
    assert.deepEqual(
      (await file(before)).map(({ key, effect }) => `${key} ${effect}`).sort(),
      [
        "databases.second removed",
        "general.mirror_compare changed",
        "general.mirror_exposure changed",
        "general.mirror_queue changed",
        "mirroring.postgres/second removed",
      ],
    );
    const output = await load;
    assert.match(output, /number of transactions actually processed: 6400/);
    assert.match(output, /failed transactions: 0 /);
    const ledger = await proxy.settled();
    assertPairsClosed(proxy.supervisor.snapshot(), [
      "postgres/second",
      "postgres/the_mirror",
    ]);
    assert.ok((ledger.dropped.paused ?? 0) > 0, JSON.stringify(ledger));
    assert.ok((ledger.excluded.sampled_out ?? 0) > 0, JSON.stringify(ledger));
    assert.equal(ledger.dropped.session_tainted, undefined);
    const rows = await proxy.admin("SHOW MIRRORS");
    assert.deepEqual(
      rows.map(({ mirror, state }) => `${mirror} ${state}`).sort(),
      ["second removed", "the_mirror active"],
    );
  },
});

Deno.test({
  name: "reload: sessions go on, whatever changes, and compare as before",
  ...OPTIONS,
  async fn(t) {
    await using primary = await startCluster({ version: "15" });
    await using mirror = await startCluster({ version: "18" });
    for (const cluster of [primary, mirror]) {
      await onServer(cluster.url(), "create table which as select 1 as n");
    }
    await createSecond(mirror);
    await onServer(mirror.url("second"), "update which set n = 2");
    const sampled = { primary, mirror, general: { workers: 1 } };

    /** Statements that depend on all state that the session has. */
    const probe = async (sql: postgres.Sql, id: number) => {
      await sql`select ${id}::int as id, (date '2026-02-03')::text as d`;
      await sql.unsafe("execute p");
    };

    await t.step(
      "PAUSE and RESUME, exposure 1, 0 and 1: state set meanwhile is there",
      async () => {
        await using proxy = await TestProxy.start(sampled);
        const sql = client(proxy);
        await sql.unsafe("prepare p as select 1");
        await sql.unsafe("set datestyle = 'German, DMY'");
        await probe(sql, 1);
        await proxy.replayed(4);
        await proxy.admin("PAUSE MIRROR the_mirror");
        await waitFor(
          "the lane to give up its connection",
          async () =>
            (await proxy.admin("SHOW SERVERS"))
              .every(({ kind }) => kind === "primary"),
          5_000,
        );
        await sql.unsafe("set datestyle = 'SQL, MDY'");
        await sql.unsafe("deallocate p");
        await sql.unsafe("prepare p as select 2");
        await sql`select ${1}::int as "prepared while paused"`;
        await probe(sql, 2);
        await counted(
          "6 that are dropped",
          6,
          () => proxy.ledger().dropped.paused,
        );
        await proxy.admin("RESUME MIRROR");
        await probe(sql, 3);
        await sql`select ${1}::int as "prepared while paused"`;
        await proxy.replayed(7);
        await proxy.admin("SET mirror_exposure = 0");
        assert.equal(
          (await proxy.admin("SHOW CONFIG")).find(({ key }) =>
            key === "general.mirror_exposure"
          )?.value,
          "0",
        );
        await sql.unsafe("set datestyle = 'Postgres, MDY'");
        await sql.unsafe("deallocate p");
        await sql.unsafe("prepare p as select 3");
        await probe(sql, 4);
        await counted(
          "5 that are left out",
          5,
          () => proxy.ledger().excluded.sampled_out,
        );
        await proxy.admin("SET mirror_exposure TO 1");
        await probe(sql, 5);
        await sql.end();
        const ledger = await proxy.settled();
        assert.deepEqual(ledger.dropped, { paused: 6 });
        assert.deepEqual(ledger.excluded, { sampled_out: 5 });
        assert.equal(ledger.replayed, 9);
        assertAllMatch(ledger);
        assert.deepEqual(mismatches(ledger.statements), []);
      },
    );

    await t.step(
      "another server under the mirror's name: what waits is dropped, state is rebuilt there",
      async () => {
        await using proxy = await TestProxy.start({
          ...sampled,
          general: { workers: 1, mirror_timeout: 500 },
        });
        const sql = client(proxy);
        await sql.unsafe("prepare p as select 1");
        await sql.unsafe("set datestyle = 'German, DMY'");
        await probe(sql, 1);
        await proxy.replayed(4);
        await mirror.pause();
        for (let i = 0; i < 5; i++) await probe(sql, i);
        proxy.toml = proxy.toml.replace(
          'database_name = "postgres"',
          'database_name = "second"',
        );
        await proxy.admin("RELOAD");
        mirror.resume();
        await probe(sql, 2);
        await sql`select n from which`;
        await sql.end();
        const ledger = await proxy.settled();
        assert.ok((ledger.dropped.removed ?? 0) >= 5, JSON.stringify(ledger));
        // All that differs is what differs there.
        assert.deepEqual(mismatches(ledger.statements), [["mismatch_rows", 1]]);
        assertPairsClosed(proxy.supervisor.snapshot(), [
          "postgres/the_mirror",
        ]);
      },
    );

    await t.step(
      "the first mirror: older sessions are tainted, new ones replayed; then it goes",
      async () => {
        await using proxy = await TestProxy.start({ primary });
        const old = client(proxy);
        await old`select 1`;
        const without = proxy.toml;
        proxy.toml += secondMirror(mirror);
        await proxy.admin("RELOAD");
        await old`select 2`;
        const young = client(proxy);
        await young`select 3`;
        await proxy.replayed(1);
        assert.deepEqual(proxy.ledger().dropped, { session_tainted: 1 });
        proxy.toml = without;
        await proxy.admin("RELOAD");
        await old`select 4`;
        await young`select 5`;
        assert.equal(proxy.ledger().seen, 2);
        await old.end();
        await young.end();
        assert.equal((await proxy.settled()).replayed, 1);
      },
    );

    await t.step(
      "a database that goes keeps its sessions, and takes no new ones",
      async () => {
        await using proxy = await TestProxy.start(sampled);
        const whole = proxy.toml;
        proxy.toml = whole.replace(
          "[admin]",
          `[[databases]]\nname = "extra"\nhost = "127.0.0.1"\nport = ${primary.port}\ndatabase_name = "postgres"\n[admin]`,
        );
        await proxy.admin("RELOAD");
        const extra = postgres(proxy.url("postgres", undefined, "extra"), {
          max: 1,
        });
        await extra`select 1`;
        proxy.toml = whole;
        await proxy.admin("RELOAD");
        assert.equal((await extra`select 2 as n`)[0]?.n, 2);
        const late = postgres(proxy.url("postgres", undefined, "extra"), {
          max: 1,
        });
        await assert.rejects(late`select 3`, { code: "3D000" });
        const cancelled = extra`select pg_sleep(60)`.execute();
        await waitFor("the query to run", async () => {
          const rows = await proxy.admin("SHOW CLIENTS");
          return rows.some((row) =>
            row.database === "extra" && row.state === "active"
          );
        }, 5_000);
        // Its cancel key still leads to its server.
        cancelled.cancel();
        await assert.rejects(cancelled, { code: "57014" });
        await extra.end();
        await late.end();
      },
    );

    await t.step(
      "a bad file is told with its lines, and nothing changes",
      async () => {
        await using proxy = await TestProxy.start(sampled);
        const before = await proxy.admin("SHOW CONFIG");
        proxy.toml = proxy.toml.replace(
          "workers = 1",
          "workers = 1\nmirror_queue = 0\nmirror_exposure = 2",
        );
        await assert.rejects(
          proxy.admin("RELOAD"),
          (error: postgres.PostgresError) => {
            assert.equal(error.code, "F0000");
            assert.match(error.message, /^test\.toml:6: general\.mirror_queue/);
            assert.match(
              error.detail ?? "",
              /:6: .*\n.*:7: general\.mirror_exposure/,
            );
            assert.match(error.hint ?? "", /old configuration is in force/);
            return true;
          },
        );
        assert.deepEqual(await proxy.admin("SHOW CONFIG"), before);
        assert.ok(
          proxy.logs.some((line) => line.includes("not reloaded")),
          proxy.logs.join("\n"),
        );
        const problems: [string, RegExp][] = [
          ['[plugins.readiness]\nmax_lag_seconds = "x"', /readiness/],
          ["[plugins.nobody]\nx = 1", /nobody/],
        ];
        for (const [table, expected] of problems) {
          proxy.toml = proxy.toml.replace(
            "mirror_queue = 0\nmirror_exposure = 2\n",
            "",
          ).replace(/\[plugins[\s\S]*$/, "") + table;
          await assert.rejects(proxy.admin("RELOAD"), expected);
        }
        assert.deepEqual(await proxy.admin("SHOW CONFIG"), before);
      },
    );

    await t.step(
      "what needs a restart is named, the rest of the file holds",
      async () => {
        await using proxy = await TestProxy.start(sampled);
        proxy.toml = proxy.toml
          .replace("workers = 1", "workers = 3\nmirror_min_requests = 7")
          .replace("admin-secret", "another-secret") +
          "[plugins.readiness]\nmax_lag_seconds = 7\n[plugins.history]\npath = '/nowhere'\n";
        assert.deepEqual(await proxy.admin("RELOAD"), [
          { key: "general.workers", effect: "needs a restart" },
          { key: "general.mirror_min_requests", effect: "changed" },
          { key: "admin.password", effect: "changed" },
          { key: "plugins.history", effect: "needs a restart" },
          { key: "plugins.readiness", effect: "changed" },
        ]);
        assert.ok(
          proxy.logs.some((line) =>
            line.includes("need a restart") && line.includes("general.workers")
          ),
        );
        await assert.rejects(proxy.admin("SHOW VERSION"), { code: "28P01" });
        const admin = postgres(
          proxy.url("admin", "another-secret", "admin"),
          { max: 1, fetch_types: false },
        );
        const config = await admin.unsafe("SHOW CONFIG");
        const row = (key: string) => config.find((one) => one.key === key);
        assert.equal(row("general.workers")?.value, "1");
        assert.equal(row("general.workers")?.changeable, false);
        assert.equal(row("general.mirror_min_requests")?.value, "7");
        assert.equal(row("general.mirror_min_requests")?.changeable, true);
        const gates = await admin.unsafe("SHOW MIRROR READINESS");
        const limit = (gate: string) =>
          gates.find((one) => one.gate === gate)?.limit;
        assert.equal(Number(limit("requests")), 7);
        assert.equal(Number(limit("lag")), 7);
        await assert.rejects(
          admin.unsafe("SET mirror_exposure TO 1.5"),
          { code: "22023" },
        );
        await assert.rejects(admin.unsafe("PAUSE MIRROR nobody"), {
          code: "42704",
        });
        await admin.end();
      },
    );

    await t.step(
      "users come and go, and so does TLS",
      async () => {
        await using proxy = await TestProxy.start({
          ...sampled,
          general: { workers: 1, auth_type: "scram" },
          more:
            '[[users]]\nname = "postgres"\ndatabase = "postgres"\npassword = "one"\n',
        });
        const login = async (password: string) => {
          const sql = postgres(proxy.url("postgres", password), { max: 1 });
          try {
            return (await sql`select 1 as n`)[0]?.n;
          } finally {
            await sql.end();
          }
        };
        assert.equal(await login("one"), 1);
        const before = proxy.toml;
        proxy.toml = before.replace('"one"', '"two"');
        assert.deepEqual(await proxy.admin("RELOAD"), [
          { key: "users.postgres/postgres.password", effect: "changed" },
        ]);
        assert.equal(await login("two"), 1);
        await assert.rejects(login("one"), { code: "28P01" });
        proxy.toml = proxy.toml.replace(
          'name = "the_mirror"',
          'name = "the_mirror"\ntls_verify = "require"',
        );
        assert.deepEqual(await proxy.admin("RELOAD"), [
          { key: "databases.the_mirror.tls_verify", effect: "changed" },
        ]);
        assert.equal(await login("two"), 1);
        await waitFor(
          "the mirror to be asked for TLS",
          () =>
            proxy.logs.some((line) => line.includes("does not support TLS")),
          10_000,
        );
      },
    );

    await t.step(
      "evidence: a change of mirroring begins a new window, a pause is on record and keeps READY away",
      async () => {
        const folder = await Deno.makeTempDir();
        const httpPort = freePort();
        await using proxy = await TestProxy.start({
          primary,
          mirror,
          general: {
            openmetrics_port: httpPort,
            mirror_min_requests: 1,
            mirror_min_runtime_hours: 0,
          },
          more:
            `[plugins.history]\npath = "${folder}/h.sqlite"\ninterval_ms = 100\n`,
        });
        const readiness = async () =>
          await (await fetch(`http://127.0.0.1:${httpPort}/readiness`)).json();
        const kinds = async () =>
          (await proxy.admin("SHOW MIRROR HISTORY")).map(({ kind }) => kind);
        const boundary = (kind: string) =>
          waitFor(kind, async () => (await kinds())[0] === kind, 10_000);
        const sql = client(proxy);
        for (let i = 0; i < 3; i++) await sql`select ${i}::int`;
        await proxy.replayed(3);
        assert.equal((await readiness()).evidence.replayed, 3);
        proxy.toml = proxy.toml.replace(
          "[general]",
          "[general]\nmirror_compare_bytes = 1000",
        );
        await proxy.admin("RELOAD");
        await waitFor(
          "the new window",
          async () => (await kinds()).includes("config"),
          10_000,
        );
        assert.equal((await readiness()).evidence.seen, 0);
        for (let i = 0; i < 2; i++) await sql`select ${i}::int`;
        await proxy.replayed(5);
        const { evidence } = await readiness();
        assert.deepEqual([evidence.seen, evidence.replayed], [2, 2]);
        assert.equal(evidence.compared, 2);

        await proxy.admin("PAUSE MIRROR the_mirror");
        await boundary("pause");
        const metrics = await fetch(`http://127.0.0.1:${httpPort}/metrics`);
        assert.match(
          await metrics.text(),
          /^pgdog_mirror_paused\{.*mirror="the_mirror".*\} 1$/m,
        );
        assert.ok((await readiness()).reasons.includes("the mirror is paused"));
        await sql`select 7`;
        await proxy.admin("RESUME MIRROR the_mirror");
        await boundary("resume");
        // A part was withheld: that it is over changes nothing.
        const after = await readiness();
        assert.equal(after.state, "INCONCLUSIVE");
        assert.equal(
          after.gates.find((one: { gate: string }) => one.gate === "coverage")
            ?.status,
          "insufficient",
        );
        await sql.end();
        await proxy.supervisor.stop(1_000);
        await Deno.remove(folder, { recursive: true });
      },
    );
  },
});

async function counted(
  what: string,
  expected: number,
  count: () => number | undefined,
): Promise<void> {
  await waitFor(what, () => count() === expected, 5_000);
}

function mismatches(statements: Readonly<Record<string, number>>) {
  return Object.entries(statements).filter(([result]) => isMismatch(result));
}
