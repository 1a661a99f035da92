import { join } from "node:path";
import postgres from "postgres";
import { copyTree } from "./file_tree.ts";
import {
  childrenOf,
  isAlive,
  isStopped,
  type Process,
  processOf,
  signal,
} from "./processes.ts";
import { freePort, isFree } from "./ports.ts";
import { type PostgresVersion, preparePrograms, runAs } from "./programs.ts";
import { serverUser, temporaryFolder } from "./server_user.ts";
import { waitFor } from "./wait.ts";

export type { PostgresVersion } from "./programs.ts";

export interface ClusterOptions {
  readonly version: PostgresVersion;
  /** Added to postgresql.conf, e.g. `{ log_statement: "all" }`. */
  readonly settings?: Readonly<Record<string, string>>;
  /** How a client on TCP proves who it is. Default "trust". */
  readonly auth?: "trust" | "md5" | "scram-sha-256";
  /** Of user "postgres". Default: none with "trust", else "postgres". */
  readonly password?: string;
  /** Run as the superuser in database "postgres" before this returns. */
  readonly initSql?: string;
  /** Default: a free one. */
  readonly port?: number;
}

/** A real PostgreSQL server in a folder of its own, listening on 127.0.0.1. */
export interface Cluster extends AsyncDisposable {
  /** As the server says it, e.g. "15.18". */
  readonly version: string;
  readonly host: "127.0.0.1";
  readonly port: number;
  readonly user: "postgres";
  readonly password: string | undefined;
  /** The postmaster's process id; changes with each {@linkcode start}. */
  readonly pid: number;
  readonly dataDir: string;
  /** What the server logs. */
  readonly logFile: string;
  /** Starts again, on the same port with the same data. */
  start(): Promise<void>;
  /** Shuts down; "fast" (the default) ends sessions, "immediate" crashes. */
  stop(mode?: "fast" | "immediate"): Promise<void>;
  /** Resolves when the postmaster has ended, whoever ended it. */
  exited(): Promise<void>;
  /** Signals the postmaster; SIGKILL ends all its children too, as a power cut does. */
  kill(name: Deno.Signal): void;
  /** Stops the postmaster and its children with SIGSTOP: connections stay, nothing answers. */
  pause(): Promise<void>;
  resume(): void;
  /** A connection string; the host and port may be a proxy's. */
  url(database?: string, host?: string, port?: number): string;
}

const HOST = "127.0.0.1";
const USER = "postgres";
const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 30_000;
/** How many ports to try; each is taken only if somebody took it just now. */
const PORT_TRIES = 10;

/** Not durable: data live as long as a test. Both versions print alike. */
const SETTINGS: Readonly<Record<string, string>> = {
  fsync: "off",
  synchronous_commit: "off",
  full_page_writes: "off",
  max_wal_size: "1GB",
  max_connections: "200",
  shared_buffers: "64MB",
  dynamic_shared_memory_type: "mmap", // /dev/shm is small in containers
  listen_addresses: HOST,
  timezone: "UTC",
  log_timezone: "UTC",
};

/**
 * Reads process ids of the postmaster until our end of the pipe closes, which
 * it does however this process ends; then stops the last one and removes the
 * folder. An empty line means that there is none.
 */
const GUARD = `
pid=
while read -r line; do pid=$line; done
if [ -n "$pid" ]; then
  kill -QUIT "$pid"; kill -CONT "$pid"
  n=0
  while kill -0 "$pid" && [ $n -lt 100 ]; do sleep 0.1; n=$((n + 1)); done
  kill -KILL "$pid"
fi
rm -rf "$1"
`;

/**
 * Starts a PostgreSQL server from npm's programs.
 *
 * ```ts
 * await using cluster = await startCluster({ version: "15" });
 * const sql = postgres(cluster.url());
 * ```
 *
 * @throws {Error} on an unsupported platform, or with the server's own words if it does not start.
 */
export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const programs = await preparePrograms(options.version);
  const folder = await Deno.makeTempDir({
    dir: temporaryFolder(),
    prefix: "pgdog-mirror-cluster-",
  });
  const cluster = new RunningCluster(folder, programs.postgres, options);
  try {
    await cluster.create(programs.template);
    return cluster;
  } catch (error) {
    await cluster[Symbol.asyncDispose]();
    throw error;
  }
}

class RunningCluster implements Cluster {
  version = "";
  readonly host = HOST;
  port = 0;
  readonly user = USER;
  readonly password: string | undefined;
  readonly dataDir: string;
  readonly logFile: string;
  readonly #options: ClusterOptions;
  readonly #program: string;
  /** Holds the socket and the log; the servers' user owns it. */
  readonly #runDir: string;
  readonly #guard: Deno.ChildProcess;
  readonly #guardInput: WritableStreamDefaultWriter<Uint8Array>;
  #server: Deno.ChildProcess | undefined;
  #postmaster: Process | undefined;
  /** Children that outlived a killed postmaster. */
  #orphans: Process[] = [];
  #disposed: Promise<void> | undefined;

  constructor(folder: string, program: string, options: ClusterOptions) {
    this.#options = options;
    this.#program = program;
    this.password = options.password ??
      ((options.auth ?? "trust") === "trust" ? undefined : USER);
    this.dataDir = join(folder, "data");
    this.#runDir = join(folder, "run");
    this.logFile = join(this.#runDir, "postgres.log");
    this.#guard = new Deno.Command("sh", {
      args: ["-c", GUARD, "sh", folder],
      detached: true, // Ctrl-C is for us, not for it
      stdin: "piped",
      stdout: "null",
      stderr: "null",
    }).spawn();
    this.#guardInput = this.#guard.stdin.getWriter();
  }

  get pid(): number {
    return this.#postmaster?.pid ?? 0;
  }

  async create(template: string): Promise<void> {
    const owner = serverUser();
    if (owner) await Deno.chmod(join(this.#runDir, ".."), 0o711);
    await Deno.mkdir(this.#runDir, { mode: 0o700 });
    if (owner) await Deno.chown(this.#runDir, owner.uid, owner.gid);
    await copyTree(template, this.dataDir, { owner });
    for (let tries = 1;; tries++) {
      this.port = this.#options.port ?? freePort(HOST);
      await this.#configure();
      try {
        await this.start();
        break;
      } catch (error) {
        const taken = !isFree(HOST, this.port);
        if (!taken || this.#options.port || tries === PORT_TRIES) throw error;
      }
    }
    await this.#initialize();
  }

  async start(): Promise<void> {
    if (this.#server) throw new Error(`PostgreSQL ${this.pid} is running`);
    await waitFor(
      "the last server's processes to end",
      () => !this.#orphans.some(isAlive),
      STOP_TIMEOUT_MS,
    );
    this.#orphans = [];
    const server = new Deno.Command("sh", {
      args: [
        "-c",
        'exec "$1" -D "$2" 2>>"$3"',
        "sh",
        this.#program,
        this.dataDir,
        this.logFile,
      ],
      ...runAs(this.#runDir),
      detached: true,
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    this.#server = server;
    this.#postmaster = processOf(server.pid);
    await this.#tellGuard(String(server.pid));
    const ended = server.status.then(async () => {
      this.#server = undefined;
      await this.#tellGuard("");
    });
    this.#exited = ended;
    await waitFor(
      `PostgreSQL ${this.#options.version} to start`,
      async () => this.#server === undefined || await this.#isReady(),
      START_TIMEOUT_MS,
    );
    if (this.#server === undefined) {
      throw new Error(
        `PostgreSQL ${this.#options.version} did not start: ${await this
          .#lastWords()}`,
      );
    }
  }
  #exited: Promise<void> = Promise.resolve();

  exited(): Promise<void> {
    return this.#exited;
  }

  async stop(mode: "fast" | "immediate" = "fast"): Promise<void> {
    if (this.#server === undefined || !this.#postmaster) return;
    signal(this.#postmaster, mode === "fast" ? "SIGINT" : "SIGQUIT");
    this.resume(); // a stopped process handles no signal
    try {
      await waitFor(
        "PostgreSQL to stop",
        () => this.#server === undefined,
        STOP_TIMEOUT_MS,
      );
    } catch {
      this.kill("SIGKILL");
    }
    await this.#exited;
  }

  kill(name: Deno.Signal): void {
    if (this.#server === undefined || !this.#postmaster) return;
    if (name !== "SIGKILL") return signal(this.#postmaster, name);
    signal(this.#postmaster, "SIGSTOP"); // it would start new ones
    this.#orphans = childrenOf(this.pid);
    signal(this.#postmaster, "SIGKILL");
    for (const child of this.#orphans) signal(child, "SIGKILL");
  }

  async pause(): Promise<void> {
    const postmaster = this.#postmaster;
    if (this.#server === undefined || !postmaster) return;
    // The postmaster first: then there are no new children.
    signal(postmaster, "SIGSTOP");
    await waitFor("SIGSTOP", () => isStopped(postmaster), STOP_TIMEOUT_MS);
    const children = childrenOf(postmaster.pid);
    for (const child of children) signal(child, "SIGSTOP");
    await waitFor("SIGSTOP", () => children.every(isStopped), STOP_TIMEOUT_MS);
  }

  resume(): void {
    if (this.#server === undefined || !this.#postmaster) return;
    for (const child of childrenOf(this.pid)) signal(child, "SIGCONT");
    signal(this.#postmaster, "SIGCONT");
  }

  url(database = "postgres", host: string = HOST, port = this.port): string {
    const secret = this.password === undefined
      ? ""
      : `:${encodeURIComponent(this.password)}`;
    const name = encodeURIComponent(database);
    return `postgres://${USER}${secret}@${host}:${port}/${name}`;
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#disposed ??= this.#dispose();
    return this.#disposed;
  }

  async #dispose(): Promise<void> {
    await this.stop("immediate");
    await this.#guardInput.close();
    await this.#guard.status; // it removes the folder
  }

  /** The last word of the lock file's line 8 is for pg_ctl: "ready". */
  async #isReady(): Promise<boolean> {
    try {
      const text = await Deno.readTextFile(
        join(this.dataDir, "postmaster.pid"),
      );
      const [pid, , , , , , , status] = text.split("\n");
      return Number(pid) === this.pid && status?.trim() === "ready";
    } catch {
      return false;
    }
  }

  async #configure(): Promise<void> {
    const settings = {
      ...SETTINGS,
      port: String(this.port),
      unix_socket_directories: this.#runDir,
      password_encryption: this.#options.auth === "md5"
        ? "md5"
        : "scram-sha-256",
      ...this.#options.settings,
    };
    const lines = Object.entries(settings).map(([name, value]) =>
      `${name} = '${value.replaceAll("'", "''")}'\n`
    );
    await this.#append("postgresql.conf", lines.join(""));
    const auth = this.#options.auth ?? "trust";
    await Deno.writeTextFile(
      join(this.dataDir, "pg_hba.conf"),
      `local all all trust
host all all all ${auth}
host replication all all ${auth}
`,
    );
  }

  #append(file: string, text: string): Promise<void> {
    return Deno.writeTextFile(join(this.dataDir, file), text, { append: true });
  }

  /** Through the socket, whose folder only the servers' user and root can enter. */
  async #initialize(): Promise<void> {
    const sql = postgres({
      path: join(this.#runDir, `.s.PGSQL.${this.port}`),
      user: USER,
      database: "postgres",
      max: 1,
      onnotice: () => {},
    });
    try {
      const [row] = await sql`show server_version`;
      this.version = String(row?.server_version);
      if (this.password !== undefined) {
        const literal = `'${this.password.replaceAll("'", "''")}'`;
        await sql.unsafe(`alter user ${USER} password ${literal}`);
      }
      if (this.#options.initSql) await sql.unsafe(this.#options.initSql);
    } finally {
      await sql.end();
    }
  }

  #tellGuard(line: string): Promise<void> {
    return this.#guardInput.write(new TextEncoder().encode(`${line}\n`));
  }

  async #lastWords(): Promise<string> {
    const log = await Deno.readTextFile(this.logFile).catch(() => "");
    const lines = log.trim().split("\n");
    return lines.findLast((line) => /FATAL|PANIC|ERROR/.test(line)) ??
      lines.at(-1) ?? "";
  }
}
