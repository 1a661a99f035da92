/**
 * What the load programs share: processes to measure, and their CPU time.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { isMissing } from "../../tests/support/programs.ts";

export { isMissing };
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
  /** Default: "postgres". */
  readonly database?: string;
  /** Threads whose CPU time counts, by name; all if undefined. */
  readonly threads?: (name: string) => boolean;
}

/** CPU time of a process's threads that count, user and system, in microseconds. */
export function cpuUs({ pid, threads }: Target): number {
  if (pid === undefined) return 0;
  if (threads === undefined) return processCpuUs(pid);
  let ticks = 0;
  for (const { name: task } of Deno.readDirSync(`/proc/${pid}/task`)) {
    let stat: string;
    try {
      stat = Deno.readTextFileSync(`/proc/${pid}/task/${task}/stat`);
    } catch {
      continue; // it has just ended; those that count stay
    }
    const name = stat.slice(stat.indexOf("(") + 1, stat.lastIndexOf(")"));
    if (threads(name)) ticks += ticksOf(stat);
  }
  return ticks * TICK_US;
}

/** CPU time of a whole process, threads that have ended included, in microseconds. */
export function processCpuUs(pid: number): number {
  return ticksOf(Deno.readTextFileSync(`/proc/${pid}/stat`)) * TICK_US;
}

/** The fields utime and stime of proc(5)'s stat. */
function ticksOf(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return Number(fields[11]) + Number(fields[12]);
}

/**
 * Runs a program.
 *
 * @throws {Error} with its words, or the Debian package that is missing.
 */
export async function run(
  name: string,
  args: string[],
  options: Pick<Deno.CommandOptions, "cwd" | "signal"> = {},
): Promise<string> {
  let output: Deno.CommandOutput;
  try {
    output = await new Deno.Command(name, { ...options, args }).output();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new Error(isMissing(name));
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
  /** The same name on both servers. */
  database = "postgres",
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
name = "${database}"
host = "${HOST}"
port = ${primary}
${
      mirror === undefined ? "" : `[[databases]]
name = "mirror"
host = "${HOST}"
port = ${mirror}
database_name = "${database}"
user = "postgres"
[[mirroring]]
source_db = "${database}"
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
    database,
    ...(threads ? { threads } : {}),
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.status;
      await Deno.remove(folder, { recursive: true });
    },
  };
}

/** Resolves when somebody listens on the port. @throws {Error} after 20 s. */
export async function accepting(port: number): Promise<void> {
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
