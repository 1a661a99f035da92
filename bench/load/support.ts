/**
 * What the load programs share: processes to measure, their CPU time, and
 * pgbench. They need Debian's postgresql-15 (pgbench) and pgbouncer.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { serverUser } from "../../src/cli/demo/server_user.ts";

export { residentKib } from "../../tests/support/program.ts";

export const HOST = "127.0.0.1";
const MAIN = fileURLToPath(new URL("../../main.ts", import.meta.url));
const TICK_US = 1e6 / 100; // USER_HZ is 100 on every Linux we run on

/** A process under load. */
export interface Target extends AsyncDisposable {
  readonly name: string;
  readonly port: number;
  /** Undefined for the server itself. */
  readonly pid: number | undefined;
  /** Threads whose CPU time counts, by name; all if undefined. */
  readonly threads?: (name: string) => boolean;
}

/** CPU time of a process, user and system, in microseconds. */
export function cpuUs(target: Target): number {
  if (target.pid === undefined) return 0;
  let ticks = 0;
  for (const { name: task } of Deno.readDirSync(`/proc/${target.pid}/task`)) {
    const stat = Deno.readTextFileSync(`/proc/${target.pid}/task/${task}/stat`);
    const name = stat.slice(stat.indexOf("(") + 1, stat.lastIndexOf(")"));
    if (target.threads?.(name) === false) continue;
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    ticks += Number(fields[11]) + Number(fields[12]);
  }
  return ticks * TICK_US;
}

/** One run of pgbench. */
export interface Run {
  readonly tps: number;
  /** CPU time of the target per transaction, in microseconds. */
  readonly cpuUs: number;
}

/** Runs `pgbench -S` against a target. @throws {Error} if pgbench is missing or fails. */
export async function selectOnly(
  target: Target,
  clients: number,
  seconds: number,
  mode = "simple",
  /** Transactions per second; 0: as many as go. */
  rate = 0,
): Promise<Run> {
  const before = cpuUs(target);
  const output = await run("pgbench", [
    ...["-h", HOST, "-p", `${target.port}`, "-U", "postgres", "-S", "-n"],
    ...["-c", `${clients}`, "-j", "1", "-T", `${seconds}`, "-M", mode],
    ...(rate > 0 ? ["-R", `${rate}`] : []),
    "postgres",
  ]);
  const used = cpuUs(target) - before;
  const transactions = Number(output.match(/processed: (\d+)/)?.[1]);
  const tps = Number(output.match(/tps = ([\d.]+)/)?.[1]);
  if (!(transactions > 0)) throw new Error(`pgbench did nothing: ${output}`);
  return { tps, cpuUs: used / transactions };
}

/** Runs a program. @throws {Error} with its words, or the Debian package that is missing. */
export async function run(name: string, args: string[]): Promise<string> {
  let output: Deno.CommandOutput;
  try {
    output = await new Deno.Command(name, { args }).output();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new Error(
      `"${name}" is not installed: apt-get install postgresql-15 pgbouncer`,
    );
  }
  const decoder = new TextDecoder();
  const text = decoder.decode(output.stdout) + decoder.decode(output.stderr);
  if (output.code !== 0) throw new Error(`${name} failed: ${text}`);
  return text;
}

/** This proxy, from source, as a process of its own. */
export async function startProxy(
  name: string,
  port: number,
  primary: number,
  mirror: number | undefined,
  general = "",
): Promise<Target & { readonly pid: number }> {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/pgdog.toml`;
  await Deno.writeTextFile(
    path,
    `[general]
host = "${HOST}"
port = ${port}
log_level = "warn"
${general}
[[databases]]
name = "postgres"
host = "${HOST}"
port = ${primary}
${
      mirror === undefined ? "" : `[[databases]]
name = "mirror"
host = "${HOST}"
port = ${mirror}
database_name = "postgres"
user = "postgres"
[[mirroring]]
source_db = "postgres"
destination_db = "mirror"
`
    }`,
  );
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "-A", MAIN, "run", "--config", path],
    stderr: "null",
  }).spawn();
  await accepting(port);
  // Workers are named in the order of their start; the mirror worker is first.
  const threads = mirror === undefined
    ? undefined
    : (thread: string) => /^worker-/.test(thread) && thread !== "worker-1";
  return {
    name,
    port,
    pid: child.pid,
    ...(threads ? { threads } : {}),
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.status;
      await Deno.remove(folder, { recursive: true });
    },
  };
}

/** PgBouncer in session mode. */
export async function startPgbouncer(
  port: number,
  primary: number,
): Promise<Target> {
  const folder = await Deno.makeTempDir();
  await Deno.chmod(folder, 0o755);
  const path = `${folder}/pgbouncer.ini`;
  await Deno.writeTextFile(
    path,
    `[databases]
postgres = host=${HOST} port=${primary} user=postgres
[pgbouncer]
listen_addr = ${HOST}
listen_port = ${port}
auth_type = any
pool_mode = session
max_client_conn = 2000
default_pool_size = 1100
server_tls_sslmode = disable
unix_socket_dir =
`,
  );
  const user = serverUser();
  const options: Deno.CommandOptions = {
    args: ["-q", path],
    stdout: "null",
    stderr: "null",
  };
  // It refuses to run as root.
  const child = new Deno.Command(
    "pgbouncer",
    user === undefined ? options : { ...options, uid: user.uid, gid: user.gid },
  ).spawn();
  await accepting(port);
  return {
    name: "pgbouncer",
    port,
    pid: child.pid,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.status;
      await Deno.remove(folder, { recursive: true });
    },
  };
}

async function accepting(port: number): Promise<void> {
  const deadline = performance.now() + 20_000;
  for (;;) {
    try {
      (await Deno.connect({ hostname: HOST, port })).close();
      return;
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

/** The middle value. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1
    ? sorted[middle] as number
    : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
}
