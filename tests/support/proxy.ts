import postgres from "postgres";
import { freePort as unusedPort } from "../../src/cli/demo/ports.ts";
import { parseConfig } from "../../src/config/mod.ts";
import type { Lookup } from "../../src/control/names.ts";
import type { Logger, Plugin } from "../../src/plugin/mod.ts";
import {
  startSupervisor,
  type Supervisor,
} from "../../src/control/supervisor.ts";
import { dashboard } from "../../plugins/dashboard/mod.ts";
import { history } from "../../plugins/history/mod.ts";
import { log } from "../../plugins/log/mod.ts";
import { mirrorStats } from "../../plugins/mirror_stats/mod.ts";
import { otlp } from "../../plugins/otlp/mod.ts";
import { prometheus } from "../../plugins/prometheus/mod.ts";
import { readiness } from "../../plugins/readiness/mod.ts";
import { waitFor } from "./wait.ts";

/** What a test's proxy stands between. */
export interface ProxyOptions {
  readonly primary: { readonly host: string; readonly port: number };
  /** None: nothing is mirrored. */
  readonly mirror?: {
    readonly host: string;
    readonly port: number;
    readonly user?: string;
    readonly password?: string | undefined;
  };
  /** The database, the same name on both sides. */
  readonly database?: string;
  /** Keys of `[general]`, as TOML values. */
  readonly general?: Readonly<Record<string, string | number | boolean>>;
  /** Keys of `[[mirroring]]`. */
  readonly mirroring?: Readonly<
    Record<string, string | number | boolean | readonly string[]>
  >;
  /** More of the primary's `[[databases]]`, as TOML: a login of our own. */
  readonly primaryKeys?: string;
  /** More of the mirror's `[[databases]]`, as TOML. */
  readonly mirrorKeys?: string;
  /** More TOML. */
  readonly more?: string;
  /** Besides the built-in ones. */
  readonly plugins?: readonly Plugin[];
  /** Answers for names in `host`. */
  readonly lookup?: Lookup;
}

/** The ledger summed over all mirrors; reasons without a count are left out. */
export interface Ledger {
  readonly seen: number;
  readonly replayed: number;
  readonly pending: number;
  readonly excluded: Readonly<Record<string, number>>;
  readonly dropped: Readonly<Record<string, number>>;
  readonly failed: Readonly<Record<string, number>>;
  readonly queryErrors: number;
  /** Statements by result. */
  readonly statements: Readonly<Record<string, number>>;
}

/** A proxy in this process, its log kept. */
export class TestProxy implements AsyncDisposable {
  readonly logs: string[] = [];
  readonly port: number;
  readonly supervisor: Supervisor;
  readonly #file: { toml: string };
  readonly #database: string;

  private constructor(
    supervisor: Supervisor,
    port: number,
    database: string,
    logs: string[],
    file: { toml: string },
  ) {
    this.#file = file;
    this.supervisor = supervisor;
    this.port = port;
    this.logs = logs;
    this.#database = database;
  }

  static async start(options: ProxyOptions): Promise<TestProxy> {
    const { primary, mirror, database = "postgres" } = options;
    const port = freePort();
    const general = { host: "127.0.0.1", port, workers: 2, ...options.general };
    const toml = `
[general]
${lines(general)}
[[databases]]
name = "${database}"
host = "${primary.host}"
port = ${primary.port}
${options.primaryKeys ?? ""}
${
      mirror === undefined ? "" : `
[[databases]]
name = "the_mirror"
host = "${mirror.host}"
port = ${mirror.port}
database_name = "${database}"
user = "${mirror.user ?? "postgres"}"
${mirror.password === undefined ? "" : `password = "${mirror.password}"`}
${options.mirrorKeys ?? ""}
[[mirroring]]
source_db = "${database}"
destination_db = "the_mirror"
${lines(options.mirroring ?? {})}
`
    }
[admin]
password = "admin-secret"
${options.more ?? ""}`;
    const logs: string[] = [];
    const file = { toml };
    const { config } = parseConfig(toml, "test.toml", {});
    const supervisor = await startSupervisor({
      config,
      plugins: [
        mirrorStats,
        history,
        readiness,
        prometheus,
        otlp,
        log,
        dashboard,
        ...(options.plugins ?? []),
      ],
      logger: (category) => memoryLogger(category, logs),
      onShutdownRequest() {},
      readConfig: () =>
        Promise.resolve(parseConfig(file.toml, "test.toml", {})),
      ...(options.lookup === undefined ? {} : { lookup: options.lookup }),
    });
    return new TestProxy(supervisor, port, database, logs, file);
  }

  /** The configuration file: what RELOAD reads. */
  get toml(): string {
    return this.#file.toml;
  }

  set toml(text: string) {
    this.#file.toml = text;
  }

  /** A connection string through the proxy. */
  url(user = "postgres", password?: string, database = this.#database): string {
    const secret = password === undefined ? "" : `:${password}`;
    return `postgres://${user}${secret}@127.0.0.1:${this.port}/${database}`;
  }

  /** One command on the admin console; gives its rows. */
  async admin(command: string): Promise<Record<string, unknown>[]> {
    const sql = postgres(this.url("admin", "admin-secret", "admin"), {
      max: 1,
      fetch_types: false,
      onnotice() {},
    });
    try {
      return [...await sql.unsafe(command)];
    } finally {
      await sql.end();
    }
  }

  ledger(): Ledger {
    const snapshot = this.supervisor.snapshot();
    const series = (name: string) => snapshot.get(name)?.series ?? [];
    const sum = (name: string) =>
      series(name).reduce((total, { value }) => total + value, 0);
    const byType = (name: string, label: string) => {
      const result: Record<string, number> = {};
      for (const { labels, value } of series(name)) {
        const reason = labels[label] ?? "";
        if (value > 0) result[reason] = (result[reason] ?? 0) + value;
      }
      return result;
    };
    return {
      seen: sum("mirror_requests_total"),
      replayed: sum("mirror_requests_mirrored_total"),
      pending: sum("mirror_pending_requests"),
      excluded: byType("mirror_requests_excluded_total", "reason"),
      dropped: byType("mirror_requests_dropped_total", "reason"),
      failed: byType("mirror_requests_failed_total", "reason"),
      queryErrors: byType("mirror_errors_total", "type").query ?? 0,
      statements: byType("mirror_statements_total", "result"),
    };
  }

  /** Waits until nothing is pending and the clients have gone, but for some. */
  async settled(timeoutMs = 30_000, clients = 0): Promise<Ledger> {
    await waitFor(
      `the proxy to have ${clients} clients`,
      () => this.clients === clients,
      timeoutMs,
    );
    await waitFor(
      `the ledger to settle: ${JSON.stringify(this.ledger())}`,
      () => this.ledger().pending === 0,
      timeoutMs,
    );
    return this.ledger();
  }

  /** Waits until `count` transactions have been replayed, clients still there. */
  async replayed(count: number, timeoutMs = 30_000): Promise<void> {
    await waitFor(
      `${count} replays`,
      () => this.ledger().replayed >= count,
      timeoutMs,
    );
  }

  get clients(): number {
    return this.supervisor.snapshot().get("clients")?.series[0]?.value ?? 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.supervisor.stop(500);
  }
}

const given = new Set<number>();

/** A port that is free, that no outgoing connection will take, and that nobody here was given before. */
export function freePort(): number {
  for (;;) {
    const port = unusedPort("127.0.0.1");
    if (given.has(port)) continue;
    given.add(port);
    return port;
  }
}

function lines(
  table: Readonly<
    Record<string, string | number | boolean | readonly string[]>
  >,
) {
  return Object.entries(table)
    .map(([key, value]) => `${key} = ${JSON.stringify(value)}`).join("\n");
}

function memoryLogger(category: string, logs: string[]): Logger {
  const write = (level: string) =>
  (
    message: string,
    properties: Record<string, unknown> = {},
  ) => {
    logs.push(`${level} ${category}: ${message} ${JSON.stringify(properties)}`);
  };
  return {
    debug: write("debug"),
    info: write("info"),
    warn: write("warn"),
    error: write("error"),
  };
}
