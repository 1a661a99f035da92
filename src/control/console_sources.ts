import {
  type AdminControl,
  AdminError,
  type AdminSources,
  type ClientRow,
  type ConfigRow,
  type ServerRow,
  SQLSTATE,
} from "../admin/mod.ts";
import {
  type Config,
  ConfigError,
  formatProblem,
  isChangeable,
  parseConfig,
} from "../config/mod.ts";
import { type Operations, UnknownMirrorError } from "./operations.ts";
import type { PluginStatus } from "../plugin/mod.ts";
import type { Route } from "../proxy/route.ts";
import type { ConnectionTable } from "../stats/connection_table.ts";
import { VERSION } from "./version.ts";

/** Where the admin console's built-in commands look. */
export interface SourceOptions {
  /** The one in force. */
  readonly config: () => Config;
  /** By the position that is in the client tables. */
  readonly routes: () => readonly Route[];
  /** One for each proxy worker. */
  readonly clients: readonly ConnectionTable[];
  readonly lanes: ConnectionTable;
  readonly plugins: () => readonly PluginStatus[];
  /** Where the user's own plugins came from, by id. */
  readonly pluginPaths: Readonly<Record<string, string>>;
  readonly shutdown: () => void;
}

/** Ids of clients are unique over the workers: row and worker in one number. */
const WORKER_STRIDE = 1_000_000;

/** Joins configuration, client tables and plugins for SHOW. */
export function createAdminSources(options: SourceOptions): AdminSources {
  const { config, lanes } = options;
  const clients = () =>
    options.clients.flatMap((table, worker) =>
      table.read().map((row) => ({ ...row, worker }))
    );
  return {
    version: VERSION,
    config: () => configRows(config()),
    databases() {
      const { databases, mirroring } = config();
      return databases.map((database) => ({
        name: database.name,
        host: database.host,
        port: database.port,
        database: database.database_name ?? database.name,
        user: database.user ?? null,
        mirrors: mirroring
          .filter(({ source_db }) => source_db === database.name)
          .map(({ destination_db }) => destination_db),
      }));
    },
    clients: () =>
      clients().map((row): ClientRow => ({
        id: row.worker * WORKER_STRIDE + row.id,
        database: row.database,
        user: row.user,
        address: row.address,
        port: row.port,
        state: row.state as ClientRow["state"],
        applicationName: row.applicationName,
        connectedAt: new Date(row.connectedAt),
        requests: row.requests,
        worker: row.worker,
        serverPid: row.pid || null,
      })),
    servers: () => [
      ...primaries(clients(), options.routes()),
      ...lanes.read().map((row) => ({
        kind: "mirror" as const,
        database: row.database,
        user: row.user,
        address: row.address,
        port: row.port,
        state: row.state,
        clientId: null,
        connectedAt: new Date(row.connectedAt),
        pid: null,
      })),
    ],
    stats: () =>
      options.routes().flatMap(({ name, admin }, route) => {
        if (admin) return [];
        const totals = options.clients.map((table) => table.totals(route));
        const sum = (key: "requests" | "received" | "sent") =>
          totals.reduce((total, one) => total + one[key], 0);
        return [{
          database: name,
          requests: sum("requests"),
          receivedBytes: sum("received"),
          sentBytes: sum("sent"),
        }];
      }),
    plugins: () =>
      options.plugins().map((plugin) => ({
        ...plugin,
        source: options.pluginPaths[plugin.id] ?? "built-in",
      })),
    shutdown: options.shutdown,
  };
}

/** The servers of clients; the console's own clients have none. */
function primaries(
  clients: readonly (ReturnType<ConnectionTable["read"]>[number] & {
    readonly worker: number;
  })[],
  routes: readonly Route[],
): ServerRow[] {
  return clients.flatMap((row): ServerRow[] => {
    const route = routes[row.route];
    if (row.pid === 0 || route === undefined || route.admin) return [];
    return [{
      kind: "primary",
      database: row.database,
      user: row.user,
      address: route.host,
      port: route.port,
      state: row.state,
      clientId: row.worker * WORKER_STRIDE + row.id,
      connectedAt: new Date(row.connectedAt),
      pid: row.pid,
    }];
  });
}

/** What RELOAD, PAUSE and their like do; their errors in the console's words. */
export function createAdminControl(operations: Operations): AdminControl {
  return {
    async reload() {
      try {
        return await operations.reload();
      } catch (error) {
        throw reloadError(error);
      }
    },
    pause: (mirror) => operations.pause(mirror).catch(throwUnknown),
    resume: (mirror) => operations.resume(mirror).catch(throwUnknown),
    setExposure: (share) => operations.setExposure(share),
    resetWindow: () => operations.resetWindow(),
  };
}

function reloadError(error: unknown): AdminError {
  const problems = error instanceof ConfigError
    ? error.problems.map(formatProblem)
    : [(error as Error).message];
  return new AdminError(
    SQLSTATE.configFileError,
    problems[0] ?? "the configuration has a problem",
    "The old configuration is in force as before.",
    problems.join("\n"),
  );
}

function throwUnknown(error: unknown): never {
  if (!(error instanceof UnknownMirrorError)) throw error;
  throw new AdminError(SQLSTATE.undefinedObject, error.message);
}

/** `[general]` and the lists, key by key; the console hides the secrets. */
function configRows(config: Config): ConfigRow[] {
  const row = (
    table: string,
    place: string,
    key: string,
    value: unknown,
    defaultValue: unknown,
  ): ConfigRow => ({
    key: `${place}.${key}`,
    value: text(value),
    default: text(defaultValue),
    changeable: isChangeable(table, key),
  });
  const { general: defaults } = DEFAULTS;
  return [
    ...Object.entries(config.general).map(([key, value]) =>
      row(
        "general",
        "general",
        key,
        value,
        defaults[key as keyof typeof defaults],
      )
    ),
    ...Object.entries(config.admin).map(([key, value]) =>
      row(
        "admin",
        "admin",
        key,
        value,
        DEFAULTS.admin[key as keyof typeof DEFAULTS.admin],
      )
    ),
    ...(["databases", "mirroring"] as const).flatMap((table) =>
      config[table].flatMap((entry, i) =>
        Object.entries(entry).map(([key, value]) =>
          row(table, `${table}[${i}]`, key, value, undefined)
        )
      )
    ),
  ];
}

/** The smallest configuration, for what its keys are when nobody sets them. */
const DEFAULTS = parseConfig(
  '[[databases]]\nname = "default"\nhost = "localhost"',
  "",
  {},
).config;

function text(value: unknown): string | null {
  return value === undefined ? null : String(value);
}
