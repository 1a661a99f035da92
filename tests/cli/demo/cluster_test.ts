import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import postgres from "postgres";
import { startCluster } from "../../../src/cli/demo/cluster.ts";
import { copyTree } from "../../../src/cli/demo/file_tree.ts";
import {
  childrenOf,
  isStopped,
  processOf,
} from "../../../src/cli/demo/processes.ts";
import { freePort } from "../../../src/cli/demo/ports.ts";
import { SERVER_HOST } from "../../../src/cli/demo/server_config.ts";
import { serverUser } from "../../../src/cli/demo/server_user.ts";
import { runProgram } from "../../support/programs.ts";
import { waitFor } from "../../support/wait.ts";

const REPOSITORY = join(import.meta.dirname ?? "", "../../..");
const DEADLINE_MS = 30_000;

/** One connection, for the length of a block. */
function connect(url: string) {
  const sql = postgres(url, { max: 1, onnotice() {}, fetch_types: false });
  return Object.assign(sql, {
    [Symbol.asyncDispose]: () => sql.end({ timeout: 1 }),
  });
}

async function exists(path: string): Promise<boolean> {
  return await Deno.lstat(path).then(() => true, () => false);
}

/** Whether the postmaster lives; it may wait for its parent as a zombie. */
const isGone = (pid: number) => {
  const process = processOf(pid);
  return process === undefined || isStopped(process);
};

Deno.test("startCluster: each version runs as the one it is", async () => {
  for (const version of ["15", "18"] as const) {
    await using cluster = await startCluster({ version });
    await using sql = connect(cluster.url());
    const [row] = await sql`show server_version_num`;
    assert.equal(String(row?.server_version_num).slice(0, 2), version);
    assert.match(cluster.version, new RegExp(`^${version}\\.`));
    assert.equal((await Deno.stat(`/proc/${cluster.pid}`)).uid === 0, false);
  }
});

Deno.test("startCluster: settings, initSql and a given port are used", async () => {
  const port = freePort(SERVER_HOST);
  await using cluster = await startCluster({
    version: "15",
    port,
    settings: { work_mem: "7MB", application_name: "it's" },
    initSql: "create table made (a int); insert into made values (7)",
  });
  assert.equal(cluster.port, port);
  await using sql = connect(cluster.url());
  assert.deepEqual([...await sql`select a from made`], [{ a: 7 }]);
  assert.deepEqual([...await sql`show work_mem`], [{ work_mem: "7MB" }]);
});

for (const auth of ["md5", "scram-sha-256"] as const) {
  Deno.test(`startCluster: ${auth} lets the right password in only`, async () => {
    const password = "it's: @/é";
    await using cluster = await startCluster({ version: "18", auth, password });
    await using sql = connect(cluster.url());
    const [row] = await sql`
      select rolpassword ~ ${auth === "md5" ? "^md5" : "^SCRAM"} as stored
      from pg_authid where rolname = 'postgres'`;
    assert.equal(row?.stored, true);
    const wrong = new URL(cluster.url());
    wrong.password = "guess";
    await using refused = connect(wrong.href);
    await assert.rejects(async () => await refused`select 1`, {
      code: "28P01",
    });
  });
}

Deno.test("startCluster: a setting that is not accepted ends in the server's words", async () => {
  await assert.rejects(
    startCluster({ version: "15", settings: { work_mem: "none" } }),
    /did not start: .*FATAL.*postgresql.conf/,
  );
});

Deno.test("Cluster.stop: shuts down in order, even when paused; start finds the same port and rows", async () => {
  await using cluster = await startCluster({
    version: "15",
    initSql: "create table kept as select 1 as a",
  });
  const { pid, port } = cluster;
  await cluster.pause();
  await cluster.stop();
  const log = await Deno.readTextFile(cluster.logFile);
  assert.match(log, /database system is shut down/);
  await assert.rejects(Deno.connect({ hostname: SERVER_HOST, port }));
  await cluster.start();
  assert.notEqual(cluster.pid, pid);
  assert.equal(cluster.port, port);
  await using sql = connect(cluster.url());
  assert.deepEqual([...await sql`select a from kept`], [{ a: 1 }]);
});

Deno.test("Cluster.pause: no process of it runs until resume, connections stay", async () => {
  await using cluster = await startCluster({ version: "18" });
  await using sql = connect(cluster.url());
  const [before] = await sql`select pg_backend_pid() as pid`;
  await cluster.pause();
  const children = childrenOf(cluster.pid);
  const backend = children.find(({ pid }) => pid === before?.pid);
  assert.ok(backend);
  assert.ok(children.every(isStopped));
  const asked = sql`select pg_backend_pid() as pid`.execute();
  cluster.resume();
  assert.equal(isStopped(backend), false);
  const [after] = await asked;
  assert.equal(after?.pid, before?.pid);
});

Deno.test("Cluster.kill: SIGKILL ends busy backends too, and the server starts again", async () => {
  await using cluster = await startCluster({
    version: "15",
    initSql: "create table kept as select 1 as a",
  });
  await using busy = connect(cluster.url());
  const lost = assert.rejects(
    async () => await busy`select count(*) from generate_series(1, 1e12::int8)`,
    { code: "CONNECTION_CLOSED" },
  );
  await using sql = connect(cluster.url());
  await waitFor(
    "the query to run",
    async () => {
      const rows = await sql`
        select from pg_stat_activity
        where state = 'active' and query like '%generate_series(1,%'
          and pid <> pg_backend_pid()`;
      return rows.length === 1;
    },
    DEADLINE_MS,
  );
  cluster.kill("SIGKILL");
  await cluster.exited();
  await lost;
  await cluster.start();
  await using again = connect(cluster.url());
  assert.deepEqual([...await again`select a from kept`], [{ a: 1 }]);
});

Deno.test("Cluster: dispose removes processes and files, paused or not, twice", async () => {
  for (const paused of [false, true]) {
    const cluster = await startCluster({ version: "15" });
    const { pid } = cluster;
    const processes = childrenOf(pid);
    if (paused) await cluster.pause();
    await cluster[Symbol.asyncDispose]();
    await cluster[Symbol.asyncDispose]();
    assert.ok(isGone(pid));
    assert.ok(processes.every(isStopped));
    assert.equal(await exists(dirname(cluster.dataDir)), false);
  }
});

Deno.test("Cluster: SIGKILL of its owner leaves no server and no files", async () => {
  const { child, report } = await spawnChild(Deno.execPath(), {
    cwd: REPOSITORY,
    stderr: "null",
  });
  const { pid, dataDir } = report;
  assert.equal(isGone(pid), false);
  child.kill("SIGKILL");
  await child.status;
  await waitFor("the server to end", () => isGone(pid), DEADLINE_MS);
  await waitFor(
    "the folder to go",
    async () => !await exists(dirname(dataDir)),
    DEADLINE_MS,
  );
  await child.stdin.close();
});

Deno.test({
  name: "startCluster: a normal user runs the server as itself",
  // As a normal user every other test here shows it.
  ignore: Deno.uid() !== 0,
  async fn() {
    const user = await normalUser();
    const folder = await Deno.makeTempDir();
    try {
      await Deno.chmod(folder, 0o755);
      const inside = (name: string) => join(folder, name);
      // Its own copies of what root's folders hide: Deno, packages, sources.
      await Deno.copyFile(Deno.execPath(), inside("deno"));
      for (const part of ["src", "tests/cli/demo"]) {
        await Deno.mkdir(dirname(inside(part)), { recursive: true });
        await copyTree(join(REPOSITORY, part), inside(part), {
          readable: true,
        });
      }
      for (const file of ["deno.json", "deno.lock"]) {
        await Deno.copyFile(join(REPOSITORY, file), inside(file));
      }
      await Deno.mkdir(inside("home"));
      await Deno.mkdir(inside("home/deno"));
      // Ten thousand files: programs do this in a tenth of the time.
      const home = inside("home");
      await runProgram("cp", ["-r", await npmCache(), `${home}/deno/npm`]);
      await runProgram("chmod", ["-R", "u=rwX,go=rX", home]);
      await runProgram("chown", ["-R", `${user.uid}:${user.gid}`, home]);
      const { child, report } = await spawnChild(inside("deno"), {
        ...user,
        cwd: folder,
        clearEnv: true,
        env: {
          PATH: "/usr/bin:/bin",
          HOME: inside("home"),
          DENO_DIR: inside("home/deno"),
          TMPDIR: inside("home"),
        },
        stderr: "inherit",
      });
      const { pid, dataDir, version } = report;
      assert.match(version, /^15\./);
      assert.equal((await Deno.stat(`/proc/${pid}`)).uid, user.uid);
      await child.stdin.close();
      assert.equal((await child.status).code, 0);
      assert.ok(isGone(pid));
      assert.equal(await exists(dirname(dataDir)), false);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

/** Some user of this machine, neither root nor the one that root's servers run as. */
async function normalUser(): Promise<{ uid: number; gid: number }> {
  for (const line of (await Deno.readTextFile("/etc/passwd")).split("\n")) {
    const [, , uid, gid] = line.split(":").map(Number);
    if (uid && gid && uid !== serverUser()?.uid) return { uid, gid };
  }
  throw new Error("There is no other user in /etc/passwd");
}

interface ChildReport {
  readonly pid: number;
  readonly dataDir: string;
  readonly version: string;
}

/** Runs cluster_child.ts and reads what it says. */
async function spawnChild(
  program: string,
  options: Deno.CommandOptions,
): Promise<{ child: Deno.ChildProcess; report: ChildReport }> {
  const child = new Deno.Command(program, {
    args: ["run", "-A", "tests/cli/demo/cluster_child.ts"],
    stdin: "piped",
    stdout: "piped",
    ...options,
  }).spawn();
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of child.stdout) {
    text += decoder.decode(chunk, { stream: true });
    if (text.includes("\n")) break; // the rest is not wanted
  }
  return { child, report: JSON.parse(text || "null") };
}

/** Where the Deno that runs this keeps npm packages. */
async function npmCache(): Promise<string> {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json"],
    stderr: "null",
  }).output();
  return join(JSON.parse(new TextDecoder().decode(stdout)).denoDir, "npm");
}
