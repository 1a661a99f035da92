import assert from "node:assert/strict";
import {
  adminCommands,
  type AdminOptions,
  type AdminServer,
  type AdminSources,
  startAdmin,
} from "../../src/admin/mod.ts";
import type { AdminCommand, Logger } from "../../src/plugin/api.ts";
import { RawClient, send } from "./raw_client.ts";

export const USER = "admin";
/** Who only reads figures. */
export const STATS_USER = "figures";
export const STATS_PASSWORD = "only to look";
export const PASSWORD = "s3cret, é";
export const CONNECTED_AT = new Date("2024-05-06T07:08:09.123Z");

/** Every type of a column, with values at the edges. */
export const SAMPLE: AdminCommand = {
  words: "SHOW SAMPLE_ROWS",
  help: "Every type of a column",
  columns: [
    { name: "t", type: "text", help: "" },
    { name: "i", type: "int8", help: "" },
    { name: "f", type: "float8", help: "" },
    { name: "b", type: "bool", help: "" },
    { name: "z", type: "timestamptz", help: "" },
  ],
  rows: () => [
    ["a, é, 😀", 9007199254740993n, 0.5, true, CONNECTED_AT],
    ["", -1, -1e300, false, new Date("1969-12-31T23:59:59.999Z")],
    [null, null, null, null, null],
  ],
};

/** 5,000 rows: more than fits into one flush. */
export const MANY: AdminCommand = {
  words: "SHOW MANY",
  help: "Many rows",
  columns: [{ name: "n", type: "int8", help: "" }],
  rows: () => Array.from({ length: 5000 }, (_, n) => [n]),
};

export interface LogLine {
  readonly level: keyof Logger;
  readonly message: string;
  readonly properties: Readonly<Record<string, unknown>> | undefined;
}

export interface Console {
  readonly server: AdminServer;
  readonly log: LogLine[];
  /** How often the commands that do something ran. */
  readonly runs: { shutdown: number; reset: number };
}

/** A console with made-up sources on a free port. */
export function startConsole(
  options: Partial<AdminOptions> = {},
  sources: Partial<AdminSources> = {},
): Console {
  const log: LogLine[] = [];
  const write =
    (level: keyof Logger) =>
    (message: string, properties?: Readonly<Record<string, unknown>>) => {
      log.push({ level, message, properties });
    };
  const runs = { shutdown: 0, reset: 0 };
  const reset: AdminCommand = {
    words: "RESET MIRROR_STATS",
    help: "Begin a new window",
    columns: [],
    rows() {
      runs.reset++;
      return [];
    },
  };
  const throws: AdminCommand = {
    words: "SHOW BROKEN",
    help: "Throws",
    columns: [{ name: "n", type: "int8", help: "" }],
    rows() {
      throw new Error("Nothing to show");
    },
  };
  const misfit: AdminCommand = {
    words: "SHOW MISFIT",
    help: "The second row does not fit its column",
    columns: [{ name: "n", type: "int8", help: "" }],
    rows: () => [[1], [1.5]],
  };
  const server = startAdmin({
    host: "127.0.0.1",
    port: 0,
    name: "admin",
    user: USER,
    password: PASSWORD,
    stats: { user: STATS_USER, password: STATS_PASSWORD },
    version: "0.1.0",
    log: {
      debug: write("debug"),
      info: write("info"),
      warn: write("warn"),
      error: write("error"),
    },
    commands: adminCommands({
      version: "0.1.0",
      config: () => [
        {
          key: "general.port",
          value: "6432",
          default: "6432",
          changeable: false,
        },
        {
          key: "admin.password",
          value: PASSWORD,
          default: "",
          changeable: true,
        },
      ],
      databases: () => [{
        name: "shop",
        host: "10.0.0.1",
        port: 5432,
        database: "shop_production",
        user: null,
        mirrors: ["shop_16", "shop_17"],
      }],
      clients: () => [{
        id: 7,
        database: "shop",
        user: "web",
        address: "10.0.0.9",
        port: 40_000,
        state: "idle in transaction",
        applicationName: "checkout",
        connectedAt: CONNECTED_AT,
        requests: 12,
        worker: 1,
        serverPid: 4711,
      }],
      servers: () => [{
        kind: "primary",
        database: "shop",
        user: "web",
        address: "10.0.0.1",
        port: 5432,
        state: "idle",
        clientId: 7,
        connectedAt: CONNECTED_AT,
        pid: 4711,
      }],
      stats: () => [],
      plugins: () => [{
        id: "mirror_stats",
        source: "built-in",
        state: "running",
        errors: 0,
        lastError: null,
      }],
      shutdown: () => {
        runs.shutdown++;
      },
      ...sources,
    }, [SAMPLE, MANY, throws, misfit, reset]),
    ...options,
  });
  return { server, log, runs };
}

/** Runs the body with a logged-in client and checks that the console still serves afterwards. */
export async function withClient(
  body: (client: RawClient, console: Console) => Promise<void>,
  options: Parameters<typeof startConsole>[0] = {},
): Promise<void> {
  const console = startConsole(options);
  const client = await RawClient.loggedIn(console.server.port, USER, PASSWORD);
  try {
    await body(client, console);
    await stillServes(console);
  } finally {
    client.close();
    await console.server.close();
  }
}

export async function stillServes({ server }: Console): Promise<void> {
  const client = await RawClient.loggedIn(server.port, USER, PASSWORD);
  await client.send(send.query("SHOW VERSION"));
  assert.deepEqual(await client.untilReady(), [
    "T",
    "D PgDog Mirror 0.1.0",
    "C SHOW 1",
    "Z I",
  ]);
  client.close();
}

/** Logs in again and again while 53300 comes; fails after five seconds. */
export async function loginWhenFree({ server }: Console): Promise<void> {
  const deadline = performance.now() + 5000;
  for (;;) {
    const client = await RawClient.connect(server.port);
    await client.startup({ user: USER, database: "admin" });
    await client.scram(PASSWORD);
    const lines = await client.untilReady();
    client.close();
    if (lines.at(-1) === "Z I") return;
    assert.ok(lines.includes("E FATAL 53300"), lines.join());
    assert.ok(performance.now() < deadline, "no place became free");
  }
}
