import { join } from "node:path";
import postgres from "postgres";
import { copyTree } from "./file_tree.ts";
import { Guard } from "./guard.ts";
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
import {
  type AuthMethod,
  SERVER_HOST,
  type ServerSsl,
  writeServerConfig,
} from "./server_config.ts";
import { serverUser, temporaryFolder } from "./server_user.ts";
import { waitFor } from "./wait.ts";

export type { PostgresVersion } from "./programs.ts";

export interface ClusterOptions {
  readonly version: PostgresVersion;
  /** Added to postgresql.conf, e.g. `{ log_statement: "all" }`. */
  readonly settings?: Readonly<Record<string, string>>;
  /** How a client on TCP proves who it is. Default "trust". */
  readonly auth?: AuthMethod;
  /** Accept TLS, and TLS only, on TCP. */
  readonly ssl?: ServerSsl;
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

const USER = "postgres";
const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 30_000;
/** How many ports to try; each is taken only if somebody took it just now. */
const PORT_TRIES = 10;

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
  const guard = Guard.start(folder);
  const cluster = new RunningCluster(
    folder,
    guard,
    programs.postgres,
    options,
  );
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
  readonly host = SERVER_HOST;
  port = 0;
  readonly user = USER;
  readonly password: string | undefined;
  readonly dataDir: string;
  readonly logFile: string;
  readonly #options: ClusterOptions;
  readonly #program: string;
  /** Holds the socket and the log; the servers' user owns it. */
  readonly #runDir: string;
  readonly #guard: Guard;
  #server: Deno.ChildProcess | undefined;
  #postmaster: Process | undefined;
  #exited: Promise<void> = Promise.resolve();
  /** Children that outlived a killed postmaster. */
  #orphans: Process[] = [];
  #disposed: Promise<void> | undefined;

  constructor(
    folder: string,
    guard: Guard,
    program: string,
    options: ClusterOptions,
  ) {
    this.#options = options;
    this.#guard = guard;
    this.#program = program;
    this.password = options.password ??
      ((options.auth ?? "trust") === "trust" ? undefined : USER);
    this.dataDir = join(folder, "data");
    this.#runDir = join(folder, "run");
    this.logFile = join(this.#runDir, "postgres.log");
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
    await this.#writeSslFiles();
    for (let tries = 1;; tries++) {
      this.port = this.#options.port ?? freePort(SERVER_HOST);
      await writeServerConfig(this.dataDir, {
        port: this.port,
        socketDir: this.#runDir,
        auth: this.#options.auth ?? "trust",
        ssl: this.#options.ssl,
        settings: this.#options.settings ?? {},
      });
      try {
        await this.start();
        break;
      } catch (error) {
        const taken = !isFree(SERVER_HOST, this.port);
        if (!taken || this.#options.port || tries === PORT_TRIES) throw error;
      }
    }
    await this.#initialize();
  }

  async #writeSslFiles(): Promise<void> {
    const { ssl } = this.#options;
    if (ssl === undefined) return;
    const files = {
      "server.crt": ssl.certificate,
      "server.key": ssl.key,
      ...(ssl.clientCa === undefined ? {} : { "ca.crt": ssl.clientCa }),
    };
    const owner = serverUser();
    for (const [name, pem] of Object.entries(files)) {
      const path = join(this.dataDir, name);
      await Deno.writeTextFile(path, pem, { mode: 0o600 });
      if (owner) await Deno.chown(path, owner.uid, owner.gid);
    }
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
    await this.#guard.watch(server.pid);
    this.#exited = server.status.then(async () => {
      this.#server = undefined;
      await this.#guard.watch(undefined);
    });
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

  url(
    database = "postgres",
    host: string = SERVER_HOST,
    port = this.port,
  ): string {
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
    await this.#removeSharedMemory();
    await this.#guard.release();
  }

  /** A killed postmaster leaves a System V segment behind; there are 4,096 of them. */
  async #removeSharedMemory(): Promise<void> {
    try {
      const [, id] = (await this.#lockFile())[6]?.trim().split(/\s+/) ?? [];
      if (id === undefined) return;
      await new Deno.Command("ipcrm", {
        args: ["-m", id],
        ...runAs(this.#runDir),
        stdout: "null",
        stderr: "null",
      }).output();
    } catch {
      // It shut down, or there is no ipcrm.
    }
  }

  async #lockFile(): Promise<string[]> {
    const text = await Deno.readTextFile(join(this.dataDir, "postmaster.pid"));
    return text.split("\n");
  }

  /** The lock file's line 8 is for pg_ctl. */
  async #isReady(): Promise<boolean> {
    try {
      const [pid, , , , , , , status] = await this.#lockFile();
      return Number(pid) === this.pid && status?.trim() === "ready";
    } catch {
      return false;
    }
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

  async #lastWords(): Promise<string> {
    const log = await Deno.readTextFile(this.logFile).catch(() => "");
    const lines = log.trim().split("\n");
    return lines.findLast((line) => /FATAL|PANIC|ERROR/.test(line)) ??
      lines.at(-1) ?? "";
  }
}
