import { fileURLToPath } from "node:url";
import postgres from "postgres";
import type { Cluster } from "./cluster.ts";
import { runProgram } from "./programs.ts";
import { freePort } from "./proxy.ts";
import { waitFor } from "./wait.ts";

/** TOML behind {@linkcode Program.config}: database "postgres" is mirrored to another server. */
export function mirrored(mirror: { readonly port: number }): string {
  return `
[[databases]]
name = "next"
host = "127.0.0.1"
port = ${mirror.port}
database_name = "postgres"
user = "postgres"
[[mirroring]]
source_db = "postgres"
destination_db = "next"
`;
}

/** Resident memory of a process in KiB. */
export function residentKib(pid: number): number {
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  return Number(status.match(/VmRSS:\s+(\d+)/)?.[1]);
}

const MAIN = fileURLToPath(new URL("../../main.ts", import.meta.url));

/** USER_HZ: what /proc counts in. */
const TICKS_PER_SECOND = 100;

export interface StartOptions {
  readonly args?: readonly string[];
  /** A module that is run first. */
  readonly preload?: string;
  /** Besides what the tests have. */
  readonly env?: Readonly<Record<string, string>>;
  /** What it may open at most (`RLIMIT_NOFILE`); as the tests, by default. Needs `prlimit`. */
  readonly descriptors?: number;
}

/** The program as a process, from source. */
export class Program implements AsyncDisposable {
  stderr = "";
  readonly port = freePort();
  readonly adminPort = freePort();
  readonly httpPort = freePort();
  readonly folder = Deno.makeTempDirSync();
  #child: Deno.ChildProcess | undefined;
  #status: Promise<Deno.CommandStatus> | undefined;

  /** @throws {Error} before the start. */
  get pid(): number {
    if (this.#child === undefined) throw new Error("Not started");
    return this.#child.pid;
  }

  /** Open descriptors of the process: those of other tests are in none of it. */
  descriptors(): number {
    return [...Deno.readDirSync(`/proc/${this.pid}/fd`)].length;
  }

  /** Leaves the running process so many descriptors to open (`RLIMIT_NOFILE`, the soft one: it can be raised again). */
  async spareDescriptors(count: number): Promise<void> {
    const open = new Set(
      [...Deno.readDirSync(`/proc/${this.pid}/fd`)].map(({ name }) => name),
    );
    // The limit is on their numbers, among which are gaps.
    let limit = 0;
    for (let free = 0; free < count || open.has(`${limit}`); limit++) {
      if (!open.has(`${limit}`)) free++;
    }
    await runProgram("prlimit", ["--pid", `${this.pid}`, `--nofile=${limit}:`]);
  }

  /** What everybody on the machine can see of it. */
  commandLine(): string {
    return Deno.readTextFileSync(`/proc/${this.#child?.pid}/cmdline`);
  }

  /** Processor time that the process has used, in all its threads. */
  cpuSeconds(): number {
    const stat = Deno.readTextFileSync(`/proc/${this.#child?.pid}/stat`);
    // utime and stime, the 14th and 15th field of proc(5); names may have spaces.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
  }

  config(primary: Cluster, general = ""): string {
    return `
[general]
host = "127.0.0.1"
port = ${this.port}
admin_port = ${this.adminPort}
openmetrics_port = ${this.httpPort}
${general}
[[databases]]
name = "postgres"
host = "127.0.0.1"
port = ${primary.port}
[admin]
password = "pw"
`;
  }

  /** @returns the configuration's path. */
  start(config: string, command = "run", more: StartOptions = {}): string {
    const path = `${this.folder}/pgdog.toml`;
    Deno.writeTextFileSync(path, config, { mode: 0o600 });
    const [program = "", ...args] = [
      // It becomes what it runs.
      ...more.descriptors === undefined
        ? []
        : ["prlimit", `--nofile=${more.descriptors}`],
      ...[Deno.execPath(), "run", "--quiet", "-A"],
      ...more.preload === undefined ? [] : ["--preload", more.preload],
      ...[MAIN, command, "--config", path],
      ...more.args ?? [],
    ];
    this.#child = new Deno.Command(program, {
      args,
      env: more.env ?? {},
      stdout: "null",
      stderr: "piped",
    }).spawn();
    this.#status = this.#child.status;
    const { stderr } = this.#child;
    (async () => {
      for await (const text of stderr.pipeThrough(new TextDecoderStream())) {
        this.stderr += text;
      }
    })();
    return path;
  }

  /** One command on the admin console; gives its rows. */
  async admin(command: string): Promise<Record<string, unknown>[]> {
    const sql = postgres(
      `postgres://admin:pw@127.0.0.1:${this.adminPort}/admin`,
      { max: 1, fetch_types: false, onnotice() {} },
    );
    try {
      return [...await sql.unsafe(command)];
    } finally {
      await sql.end();
    }
  }

  async accepting(): Promise<void> {
    await waitFor(
      "the proxy to accept: " + this.stderr,
      () => this.stderr.includes("Accepting connections"),
      20_000,
    );
  }

  kill(signal: Deno.Signal): void {
    this.#child?.kill(signal);
  }

  async exitCode(): Promise<number> {
    return (await this.#status)?.code ?? -1;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child?.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await this.#status;
    await Deno.remove(this.folder, { recursive: true });
  }
}
