import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import postgres from "postgres";
import { atOnce, STEPS_AT_ONCE } from "../support/at_once.ts";
import { type Cluster, startCluster } from "../support/cluster.ts";
import { judge, sample, samplesOf } from "../support/fleet.ts";
import { mirrored, Program, type StartOptions } from "../support/program.ts";
import { waitFor } from "../support/wait.ts";

const STEPPING_CLOCK = fileURLToPath(
  new URL("../support/stepping_clock.ts", import.meta.url),
);
const HOUR = 3_600_000;

/** Each has servers and processes of its own, and waits for them most of its time. */
const CASES: { readonly name: string; run(): Promise<void> }[] = [];
const AT_ONCE = 2;

CASES.push({
  name:
    "history: two proxies on one store, a restart and kill -9: each counts its own, and the sum is what was seen",
  async run() {
    await using servers = await startServers();
    await using one = new Program();
    await using two = new Program();
    await start(one, servers);
    await traffic(one, 20);
    await seen(one, 20);
    // Under its own name, host name and port, for it is given none.
    await start(two, servers);
    await traffic(two, 10);
    await seen(two, 10);
    assert.deepEqual(await kinds(two), ["start"], "nobody has crashed");

    one.kill("SIGTERM");
    await one.exitCode();
    await start(one, servers);
    await seen(one, 20);
    await traffic(one, 5);
    await seen(one, 25);

    await written(two);
    two.kill("SIGKILL");
    await two.exitCode();
    await start(two, servers);
    await seen(two, 10);
    assert.deepEqual(await kinds(two), ["start", "crash", "start"]);
    assert.deepEqual(await kinds(one), ["start", "stop", "start"]);
    await traffic(two, 1);
    assert.equal(await seen(one, 25) + await seen(two, 11), 36);
    const { evidence } = await fleet(one, two);
    assert.deepEqual([evidence.seen, evidence.replayed], [36, 36]);
    await stop(one, two);
  },
});

CASES.push({
  name:
    "history: a second proxy under a live one's name is told so, and adds nothing",
  async run() {
    await using servers = await startServers();
    await using one = new Program();
    await using two = new Program();
    await start(one, servers, 'proxy = "same"');
    await traffic(one, 20);
    await seen(one, 20);
    await start(two, servers, 'proxy = "same"');
    await waitFor(
      "the second to be refused",
      () =>
        /Another proxy that runs now writes history as .{1,2}same/
          .test(two.stderr),
      20_000,
    );
    assert.equal(await seen(two, 0), 0);
    assert.deepEqual(await kinds(one), ["start"]);
    assert.equal(await seen(one, 20), 20);
    await stop(one, two);
  },
});

for (const history of [true, false]) {
  CASES.push({
    name:
      `observed time: a wall clock that steps neither meets nor breaks the runtime gate, ${
        history ? "with" : "without"
      } history`,
    async run() {
      await using servers = await startServers();
      await using program = new Program();
      const offset = `${servers.folder}/offset`;
      const step = (hours: number) =>
        Deno.writeTextFileSync(offset, String(hours * HOUR));
      step(0);
      const clock: StartOptions = {
        preload: STEPPING_CLOCK,
        env: { CLOCK_OFFSET_FILE: offset },
      };
      const general = "mirror_min_runtime_hours = 1";
      const more = history ? "" : undefined;
      await start(program, servers, more, general, clock);
      await traffic(program, 5);
      await seen(program, 5);
      let last = (await readiness(program)).hours;
      for (const hours of [+3, -3, 3000, 0]) {
        step(hours);
        let now = last;
        await waitFor("time to go on", async () => {
          now = (await readiness(program)).hours;
          return now !== last;
        }, 10_000);
        assert.ok(now > last && now < 0.5, `${hours}: ${last} to ${now}`);
        assert.equal((await readiness(program)).runtime, "insufficient");
        last = now;
      }
      if (!history) return await stop(program);
      assert.equal(await metric(program, "history_write_errors_total"), 0);
      step(-3);
      await stop(program);
      await start(program, servers, more, general, clock);
      await seen(program, 5);
      const { hours } = await readiness(program);
      assert.ok(hours >= last && hours < 0.5, `${last} to ${hours}`);
      await stop(program);
    },
  });
}

Deno.test({
  name: "history and observed time of processes",
  ...STEPS_AT_ONCE,
  fn: (t) => atOnce(AT_ONCE, CASES, ({ name, run }) => t.step(name, run)),
});

interface Servers extends AsyncDisposable {
  readonly primary: Cluster;
  readonly mirror: Cluster;
  readonly folder: string;
}

async function startServers(): Promise<Servers> {
  const primary = await startCluster({ version: "15" });
  const mirror = await startCluster({ version: "18" });
  const folder = await Deno.makeTempDir();
  return {
    primary,
    mirror,
    folder,
    async [Symbol.asyncDispose]() {
      await primary[Symbol.asyncDispose]();
      await mirror[Symbol.asyncDispose]();
      await Deno.remove(folder, { recursive: true });
    },
  };
}

/** @param keys more of `[plugins.history]`; undefined: without history. */
async function start(
  program: Program,
  { primary, mirror, folder }: Servers,
  keys: string | undefined = "",
  general = "",
  options: StartOptions = {},
): Promise<void> {
  const table = keys === undefined ? "" : `[plugins.history]
path = "${folder}/history.sqlite"
interval_ms = 100
${keys}
`;
  program.stderr = "";
  program.start(
    program.config(primary, general) + mirrored(mirror) + table,
    "run",
    options,
  );
  await program.accepting();
}

async function stop(...programs: readonly Program[]): Promise<void> {
  for (const program of programs) {
    program.kill("SIGTERM");
    await program.exitCode();
  }
}

async function traffic(program: Program, statements: number): Promise<void> {
  const sql = postgres(
    `postgres://postgres@127.0.0.1:${program.port}/postgres`,
    { max: 1, fetch_types: false },
  );
  for (let i = 0; i < statements; i++) await sql.unsafe("select 1");
  await sql.end();
}

/** Waits for so many requests, replayed. @returns how many there are. */
async function seen(program: Program, count: number): Promise<number> {
  let evidence = { seen: 0, replayed: 0 };
  await waitFor(`${count} replays`, async () => {
    evidence = (await (await get(program, "/readiness")).json()).evidence;
    return evidence.replayed >= count;
  }, 20_000);
  assert.equal(evidence.seen, count);
  return evidence.seen;
}

async function readiness(
  program: Program,
): Promise<{ hours: number; runtime: string }> {
  const { evidence, gates } = await (await get(program, "/readiness")).json();
  return {
    hours: evidence.observedHours,
    runtime: gates.find(({ gate }: { gate: string }) => gate === "runtime")
      .status,
  };
}

async function metric(program: Program, name: string): Promise<number> {
  const text = await (await get(program, "/metrics")).text();
  return Number(text.match(new RegExp(`^pgdog_${name} (\\S+)$`, "m"))?.[1]);
}

/** The verdict on both as one. */
async function fleet(...programs: readonly Program[]) {
  const samples = await Promise.all(programs.map(async (program, i) => {
    const text = await (await get(program, "/metrics")).text();
    return [sample("up{}", `${i}`, 1), ...samplesOf(text, `${i}`)];
  }));
  return await judge(samples.flat());
}

/** Waits for a write of history that begins from now on. */
async function written(program: Program): Promise<void> {
  const from = Date.now() / 1e3;
  await waitFor(
    "history to be written",
    async () =>
      await metric(program, "history_last_write_timestamp_seconds") > from + 1,
    10_000,
  );
}

function get(program: Program, path: string): Promise<Response> {
  return fetch(`http://127.0.0.1:${program.httpPort}${path}`);
}

async function kinds(program: Program): Promise<unknown[]> {
  const rows = await program.admin("SHOW MIRROR HISTORY");
  // Verdicts come and go with the load of the machine.
  return rows.map(({ kind }) => kind).filter((kind) => kind !== "verdict");
}
