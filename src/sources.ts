import type { AdminSources, ClientRow, ConfigRow } from "./admin/mod.ts";
import { type Config, parseConfig } from "./config/mod.ts";
import type { PluginStatus } from "./plugin/mod.ts";
import type { ClientTable } from "./stats/client_table.ts";
import { VERSION } from "./version.ts";

/** Where the admin console's built-in commands look. */
export interface SourceOptions {
  readonly config: Config;
  /** One for each proxy worker. */
  readonly clients: readonly ClientTable[];
  readonly lanes: ClientTable;
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
  const { databases, mirroring } = config;
  const clients = () =>
    options.clients.flatMap((table, worker) =>
      table.read().map((row) => ({ ...row, worker }))
    );
  return {
    version: VERSION,
    config: () => configRows(config),
    databases: () =>
      databases.map((database) => ({
        name: database.name,
        host: database.host,
        port: database.port,
        database: database.database_name ?? database.name,
        user: database.user ?? null,
        mirrors: mirroring
          .filter(({ source_db }) => source_db === database.name)
          .map(({ destination_db }) => destination_db),
      })),
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
      // The console's own clients have a route behind the databases, and no server.
      ...clients().filter((row) =>
        row.pid !== 0 && row.route < databases.length
      ).map((row) => ({
        kind: "primary" as const,
        database: row.database,
        user: row.user,
        address: databases[row.route]?.host ?? "",
        port: databases[row.route]?.port ?? 0,
        state: row.state,
        clientId: row.worker * WORKER_STRIDE + row.id,
        connectedAt: new Date(row.connectedAt),
        pid: row.pid,
      })),
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
    plugins: () =>
      options.plugins().map((plugin) => ({
        ...plugin,
        source: options.pluginPaths[plugin.id] ?? "built-in",
      })),
    shutdown: options.shutdown,
  };
}

/** `[general]` and the lists, key by key; the console hides the secrets. */
function configRows(config: Config): ConfigRow[] {
  const row = (
    key: string,
    value: unknown,
    defaultValue: unknown,
  ): ConfigRow => ({
    key,
    value: text(value),
    default: text(defaultValue),
    changeable: false,
  });
  const { general: defaults } = DEFAULTS;
  return [
    ...Object.entries(config.general).map(([key, value]) =>
      row(`general.${key}`, value, defaults[key as keyof typeof defaults])
    ),
    ...Object.entries(config.admin).map(([key, value]) =>
      row(
        `admin.${key}`,
        value,
        DEFAULTS.admin[key as keyof typeof DEFAULTS.admin],
      )
    ),
    ...(["databases", "mirroring"] as const).flatMap((table) =>
      config[table].flatMap((entry, i) =>
        Object.entries(entry).map(([key, value]) =>
          row(`${table}[${i}].${key}`, value, undefined)
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
