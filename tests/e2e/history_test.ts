import assert from "node:assert/strict";
import postgres from "postgres";
import { type Cluster, startCluster } from "../support/cluster.ts";
import { mirrored, Program } from "../support/program.ts";
import { waitFor } from "../support/wait.ts";

Deno.test({
  name:
    "history: the window goes on over a restart, kill -9 is a gap, the ledger does not pretend",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    await using primary = await startCluster({ version: "15" });
    await using mirror = await startCluster({ version: "18" });
    const folder = await Deno.makeTempDir();
    try {
      const more = `${mirrored(mirror)}[plugins.history]
path = "${folder}/history.sqlite"
proxy = "one"
interval_ms = 100
`;
      // Killed in the middle: what was written is kept.
      const before = await life(primary, more, async (program) => {
        await traffic(program, 30);
        const evidence = await settledEvidence(program, 30);
        await written(program);
        program.kill("SIGKILL");
        return evidence;
      });
      assert.equal(before.replayed, 30);
      // A clean stop: the window goes on.
      const between = await life(primary, more, async (program) => {
        await traffic(program, 5);
        const evidence = await settledEvidence(program, 35);
        assert.deepEqual(await kinds(program), ["start", "crash", "start"]);
        program.kill("SIGTERM");
        return evidence;
      });
      assert.equal(between.replayed, 35);
      await life(primary, more, async (program) => {
        const evidence = await settledEvidence(program, 35);
        assert.equal(evidence.seen, 35);
        assert.ok(evidence.observedHours >= between.observedHours);
        assert.deepEqual(await kinds(program), [
          "start",
          "stop",
          "start",
          "crash",
          "start",
        ]);
        // The ledger itself is of this run: it has seen nothing.
        const admin = console_(program);
        const rows = await admin.unsafe("SHOW MIRROR_STATS");
        assert.equal(
          rows.find(({ metric }) => metric === "requests_total")?.value,
          "0",
        );
        // A reset is recorded within the next second's sample.
        await admin.unsafe("RESET MIRROR_STATS");
        await waitFor(
          "the reset to be recorded",
          async () => (await kinds(program))[0] === "reset",
          5_000,
        );
        await admin.end();
        program.kill("SIGTERM");
      });
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

/** One life of the program, to its end. */
async function life<T>(
  primary: Cluster,
  more: string,
  during: (program: Program) => Promise<T>,
): Promise<T> {
  await using program = new Program();
  program.start(program.config(primary) + more);
  await program.accepting();
  const result = await during(program);
  await program.exitCode();
  return result;
}

async function traffic(program: Program, statements: number): Promise<void> {
  const sql = postgres(
    `postgres://postgres@127.0.0.1:${program.port}/postgres`,
    { max: 1, fetch_types: false },
  );
  for (let i = 0; i < statements; i++) await sql.unsafe("select 1");
  await sql.end();
}

interface Counts {
  readonly seen: number;
  readonly replayed: number;
  readonly observedHours: number;
}

async function settledEvidence(
  program: Program,
  replayed: number,
): Promise<Counts> {
  const url = `http://127.0.0.1:${program.httpPort}/readiness`;
  let evidence: Counts = { seen: 0, replayed: 0, observedHours: 0 };
  await waitFor(`${replayed} replays`, async () => {
    evidence = (await (await fetch(url)).json()).evidence;
    return evidence.replayed >= replayed;
  }, 10_000);
  return evidence;
}

/** Waits for a write of history that begins from now on. */
async function written(program: Program): Promise<void> {
  const from = Date.now() / 1e3;
  await waitFor("history to be written", async () => {
    const url = `http://127.0.0.1:${program.httpPort}/metrics`;
    const text = await (await fetch(url)).text();
    const at = text.match(
      /^pgdog_history_last_write_timestamp_seconds (\S+)$/m,
    )?.[1];
    return Number(at) > from;
  }, 10_000);
}

function console_(program: Program): postgres.Sql {
  return postgres(`postgres://admin:pw@127.0.0.1:${program.adminPort}/admin`, {
    max: 1,
    fetch_types: false,
  });
}

async function kinds(program: Program): Promise<string[]> {
  const admin = console_(program);
  const rows = await admin.unsafe("SHOW MIRROR HISTORY");
  await admin.end();
  // Verdicts come and go with the load of the machine.
  return rows.map(({ kind }) => kind).filter((kind) => kind !== "verdict");
}

Deno.test({
  name:
    "history: a configuration that comes back in one process counts its statements once",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    await using primary = await startCluster({ version: "15" });
    await using mirror = await startCluster({ version: "18" });
    await using program = new Program();
    program.start(`${program.config(primary)}${mirrored(mirror)}
[plugins.history]
path = "${program.folder}/history.sqlite"
proxy = "one"
interval_ms = 100
`);
    await program.accepting();
    await traffic(program, 10);
    await settledEvidence(program, 10);
    const windows = (count: number) =>
      waitFor(
        `${count} windows`,
        async () =>
          (await kinds(program)).filter((kind) => kind === "start").length ===
            count,
        10_000,
      );
    const calls = async () => {
      const rows = await program.admin("SHOW MIRROR STATEMENTS");
      return rows.map((row) => Number(row.calls));
    };
    await waitFor(
      "the statements",
      async () => (await calls()).join() === "10",
      10_000,
    );
    await written(program);
    await program.admin("SET mirror_exposure TO 0.5");
    await windows(2);
    await written(program);
    await program.admin("RELOAD");
    await windows(3);
    await written(program);
    assert.deepEqual(await calls(), [10]);
  },
});
