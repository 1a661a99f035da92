import type { AdminCommand, Cell } from "../plugin/api.ts";
import { helpWords } from "./catalog.ts";
import type { ControlCommand } from "./control.ts";
import type { AdminSources, ClientRow, ServerRow } from "./sources.ts";

/**
 * The built-in commands, then those of the plugins. SHOW HELP is printed from
 * the very list that it returns.
 *
 * @param more the commands of the plugins
 * @param control listed here, run by the server itself
 */
export function adminCommands(
  sources: AdminSources,
  more: readonly AdminCommand[] = [],
  control: readonly ControlCommand[] = [],
): AdminCommand[] {
  const commands: AdminCommand[] = [
    {
      words: "SHOW HELP",
      help: "The commands of this console",
      columns: [
        { name: "command", type: "text", help: "What to type" },
        { name: "help", type: "text", help: "What it does" },
      ],
      rows: () => [
        ...commands.map(({ words, help }) => [words, help]),
        ...control.map((command) => [helpWords(command), command.help]),
      ],
    },
    {
      words: "SHOW VERSION",
      help: "Version of this program",
      columns: [{ name: "version", type: "text", help: "Name and version" }],
      rows: () => [[`PgDog Mirror ${sources.version}`]],
    },
    showConfig(sources),
    showDatabases(sources),
    showClients(sources),
    showServers(sources),
    showStats(sources),
    showPlugins(sources),
    ...more,
    {
      words: "SHUTDOWN",
      help:
        "Stop taking clients, let transactions finish until shutdown_timeout, then exit",
      columns: [],
      rows() {
        sources.shutdown();
        return [];
      },
    },
  ];
  return commands;
}

/** Keys of the configuration whose value nobody may read. */
const SECRET = /(password|secret|token)$/i;
const REDACTED = "***";

function showConfig(sources: AdminSources): AdminCommand {
  return {
    words: "SHOW CONFIG",
    help: "Configuration in effect; passwords are not shown",
    columns: [
      { name: "key", type: "text", help: "Table and key, e.g. general.port" },
      { name: "value", type: "text", help: "Value in effect" },
      { name: "default", type: "text", help: "Value if the key is not set" },
      { name: "changeable", type: "bool", help: "Whether RELOAD takes it" },
    ],
    rows: () =>
      sources.config().map(({ key, value, default: standard, changeable }) => [
        key,
        hide(key, value),
        hide(key, standard),
        changeable,
      ]),
  };
}

function hide(key: string, value: string | null): string | null {
  return value !== null && value !== "" && SECRET.test(key) ? REDACTED : value;
}

function showDatabases(sources: AdminSources): AdminCommand {
  return {
    words: "SHOW DATABASES",
    help: "Configured databases, and what mirrors what",
    columns: [
      { name: "name", type: "text", help: "Name in the configuration" },
      { name: "host", type: "text", help: "Host of the server" },
      { name: "port", type: "int8", help: "Port of the server" },
      { name: "database", type: "text", help: "Name on the server" },
      {
        name: "user",
        type: "text",
        help: "User for mirror logins; empty if the client's own",
      },
      {
        name: "mirrors",
        type: "text",
        help: "Databases that replay this one's traffic",
      },
    ],
    rows: () =>
      sources.databases().map((row) => [
        row.name,
        row.host,
        row.port,
        row.database,
        row.user,
        row.mirrors.join(", "),
      ]),
  };
}

function showClients(sources: AdminSources): AdminCommand {
  const cells = (row: ClientRow): Cell[] => [
    row.id,
    row.database,
    row.user,
    row.address,
    row.port,
    row.state,
    row.applicationName,
    row.connectedAt,
    row.requests,
    row.worker,
    row.serverPid,
  ];
  return {
    words: "SHOW CLIENTS",
    help: "Connected clients",
    columns: [
      { name: "id", type: "int8", help: "Number of the client" },
      { name: "database", type: "text", help: "Database asked for" },
      { name: "user", type: "text", help: "User" },
      { name: "addr", type: "text", help: "Address of the client" },
      { name: "port", type: "int8", help: "Port of the client" },
      {
        name: "state",
        type: "text",
        help: "login, active, idle or idle in transaction",
      },
      {
        name: "application_name",
        type: "text",
        help: "As told at the login",
      },
      { name: "connect_time", type: "timestamptz", help: "Since when" },
      { name: "requests", type: "int8", help: "Transactions so far" },
      { name: "worker", type: "int8", help: "Proxy worker that serves it" },
      {
        name: "server_pid",
        type: "int8",
        help: "Process on the primary (pg_stat_activity.pid)",
      },
    ],
    rows: () => sources.clients().map(cells),
  };
}

function showServers(sources: AdminSources): AdminCommand {
  const cells = (row: ServerRow): Cell[] => [
    row.kind,
    row.database,
    row.user,
    row.address,
    row.port,
    row.state,
    row.clientId,
    row.connectedAt,
    row.pid,
  ];
  return {
    words: "SHOW SERVERS",
    help: "Connections to primaries and mirrors",
    columns: [
      { name: "kind", type: "text", help: "primary or mirror" },
      { name: "database", type: "text", help: "Name in the configuration" },
      { name: "user", type: "text", help: "User of the connection" },
      { name: "addr", type: "text", help: "Address of the server" },
      { name: "port", type: "int8", help: "Port of the server" },
      { name: "state", type: "text", help: "State of the connection" },
      { name: "client_id", type: "int8", help: "Client that it serves" },
      { name: "connect_time", type: "timestamptz", help: "Since when" },
      { name: "pid", type: "int8", help: "Process on the server" },
    ],
    rows: () => sources.servers().map(cells),
  };
}

function showStats(sources: AdminSources): AdminCommand {
  return {
    words: "SHOW STATS",
    help: "Totals of each database since the start",
    columns: [
      { name: "database", type: "text", help: "Name in the configuration" },
      { name: "total_requests", type: "int8", help: "Transactions" },
      { name: "total_received", type: "int8", help: "Bytes from clients" },
      { name: "total_sent", type: "int8", help: "Bytes to clients" },
    ],
    rows: () =>
      sources.stats().map((row) => [
        row.database,
        row.requests,
        row.receivedBytes,
        row.sentBytes,
      ]),
  };
}

function showPlugins(sources: AdminSources): AdminCommand {
  return {
    words: "SHOW PLUGINS",
    help: "Loaded plugins",
    columns: [
      { name: "plugin", type: "text", help: "Its id" },
      { name: "source", type: "text", help: "built-in, or its path" },
      { name: "state", type: "text", help: "What it is doing" },
      { name: "errors", type: "int8", help: "Times that it threw" },
      { name: "last_error", type: "text", help: "What it threw last" },
    ],
    rows: () =>
      sources.plugins().map((row) => [
        row.id,
        row.source,
        row.state,
        row.errors,
        row.lastError,
      ]),
  };
}
