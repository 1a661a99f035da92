import assert from "node:assert/strict";
import postgres from "postgres";
import { startCluster } from "../support/cluster.ts";
import { server } from "../support/pgbench.ts";
import { mirrored, Program } from "../support/program.ts";
import { hasProgram, runProgram } from "../support/programs.ts";
import { waitFor } from "../support/wait.ts";
import { query, WireClient } from "../support/wire_client.ts";

const OPTIONS = { sanitizeOps: false, sanitizeResources: false };

/** The last line's counts. */
function finalLedger(stderr: string): Record<string, number> {
  const line = stderr.split("\n").find((one) => one.includes("Final ledger"));
  return Object.fromEntries(
    [...(line ?? "").matchAll(/(\w+)=(\d+)/g)]
      .map(([, name, count]) => [name, Number(count)]),
  );
}

function assertFinal(stderr: string): Record<string, number> {
  const ledger = finalLedger(stderr);
  const { seen = -1, pending, excluded, dropped, replayed, failed } = ledger;
  assert.equal(pending, 0, stderr);
  const sum = [excluded, dropped, replayed, failed]
    .reduce<number>((total, n) => total + (n ?? NaN), 0);
  assert.equal(seen, sum, stderr);
  return ledger;
}

/** The console and the HTTP port answer. */
async function assertAnswers(program: Program): Promise<void> {
  const admin = postgres(
    `postgres://admin:pw@127.0.0.1:${program.adminPort}/admin`,
    { max: 1, fetch_types: false },
  );
  const rows = await admin.unsafe("SHOW MIRRORS");
  assert.equal(rows[0]?.mirror, "next");
  await admin.end();
  const metrics = await fetch(`http://127.0.0.1:${program.httpPort}/metrics`);
  assert.match(await metrics.text(), /pgdog_mirror_requests_total/);
}

Deno.test({
  name: "signals: SIGTERM drains under load, SIGHUP reloads",
  ignore: !hasProgram("pgbench"),
  ...OPTIONS,
  async fn(t) {
    await using primary = await startCluster({ version: "15" });
    await using mirror = await startCluster({ version: "18" });
    for (const { port } of [primary, mirror]) {
      await runProgram("pgbench", [...server(port), "-i", "-q", "postgres"]);
    }
    /** Clients that go on until somebody ends them. */
    const load = (program: Program) =>
      runProgram("pgbench", [
        ...server(program.port),
        ...["-n", "-c", "8", "-T", "60", "postgres"],
      ]).then(() => "ended by itself", (error) => String(error));
    const replays = async (program: Program) => {
      const url = `http://127.0.0.1:${program.httpPort}/metrics`;
      const text = await (await fetch(url)).text();
      return Number(
        text.match(/^pgdog_mirror_requests_mirrored_total\{.*\} (\d+)$/m)?.[1],
      );
    };

    await t.step(
      "under load, with a transaction left open: console and HTTP answer until the end",
      async () => {
        await using program = new Program();
        program.start(
          program.config(primary, "shutdown_timeout = 20000") +
            mirrored(mirror),
        );
        await program.accepting();
        const ended = load(program);
        await waitFor(
          "replays",
          async () => await replays(program) > 100,
          30_000,
        );
        using idle = await WireClient.connect(program.port);
        await idle.send(query("begin"));
        await idle.ready(1);
        program.kill("SIGTERM");
        assert.match(await ended, /terminating connection due to admin/);
        await assertAnswers(program);
        await idle.send(query("select 1"));
        await idle.ready(1);
        await assertAnswers(program);
        await idle.send(query("commit"));
        assert.match(new TextDecoder().decode(await idle.end()), /57P01/);
        assert.equal(await program.exitCode(), 0);
        const ledger = assertFinal(program.stderr);
        assert.ok((ledger.replayed ?? 0) > 100);
      },
    );

    await t.step(
      "with the mirror hung: the deadline ends it, and all is counted",
      async () => {
        await using program = new Program();
        program.start(
          program.config(primary, "shutdown_timeout = 1000") +
            mirrored(mirror),
        );
        await program.accepting();
        const ended = load(program);
        await waitFor(
          "replays",
          async () => await replays(program) > 100,
          30_000,
        );
        await mirror.pause();
        try {
          program.kill("SIGTERM");
          assert.match(await ended, /terminating connection due to admin/);
          assert.equal(await program.exitCode(), 0);
        } finally {
          mirror.resume();
        }
        const ledger = assertFinal(program.stderr);
        assert.ok(
          (ledger.failed ?? 0) + (ledger.dropped ?? 0) > 0,
          program.stderr,
        );
      },
    );

    await t.step(
      "SIGHUP: a good file holds, a bad one is told with its line",
      async () => {
        await using program = new Program();
        const config = program.config(primary, "log_level = 'warn'");
        const path = program.start(config.replace("'warn'", "'info'"));
        await program.accepting();
        using client = await WireClient.connect(program.port);
        await Deno.writeTextFile(path, `${config}\nnonsense = 1\n`);
        program.kill("SIGHUP");
        await waitFor(
          "the problem to be told",
          () => /pgdog\.toml:\d+: admin\.nonsense/.test(program.stderr),
          10_000,
        );
        const loud = config.replace("'warn'", "'debug'");
        await Deno.writeTextFile(path, loud + mirrored(mirror));
        program.kill("SIGHUP");
        await waitFor(
          "the new configuration",
          () => program.stderr.includes("Configuration reloaded"),
          10_000,
        );
        assert.match(program.stderr, /mirroring\.postgres\/next/);
        await client.send(query("select 1"));
        assert.equal(await client.ready(1), "I");
        await client.terminate();
        using young = await WireClient.connect(program.port);
        await young.send(query("select 1"));
        await young.ready(1);
        await waitFor(
          "a replay",
          async () => await replays(program) === 1,
          10_000,
        );
        program.kill("SIGTERM");
        assert.equal(await program.exitCode(), 0);
        assertFinal(program.stderr);
      },
    );
  },
});

/** The console listens: the process is far from accepting clients. */
async function begun(program: Program): Promise<void> {
  await waitFor(
    "the console's port",
    () =>
      Deno.connect({ hostname: "127.0.0.1", port: program.adminPort })
        .then((conn) => (conn.close(), true), () => false),
    20_000,
  );
}

Deno.test({
  name:
    "signals: from the program's first line until it accepts connections SIGHUP is a reload to come, SIGTERM a clean end",
  ...OPTIONS,
  async fn(t) {
    await using primary = await startCluster({ version: "15" });

    await t.step("SIGHUP again and again", async () => {
      await using program = new Program();
      program.start(program.config(primary));
      await begun(program);
      await waitFor("the proxy to accept", () => {
        program.kill("SIGHUP");
        return program.stderr.includes("Accepting connections");
      }, 20_000);
      await waitFor(
        "the reload",
        () => program.stderr.includes("Configuration reloaded"),
        10_000,
      );
      using client = await WireClient.connect(program.port);
      await client.send(query("select 1"));
      assert.equal(await client.ready(1), "I");
      await client.terminate();
      program.kill("SIGTERM");
      assert.equal(await program.exitCode(), 0, program.stderr);
    });

    await t.step("SIGTERM", async () => {
      await using program = new Program();
      program.start(program.config(primary));
      await begun(program);
      program.kill("SIGTERM");
      assert.equal(await program.exitCode(), 0, program.stderr);
      assert.match(program.stderr, /Final ledger/);
    });
  },
});
