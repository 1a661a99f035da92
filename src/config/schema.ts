import { z } from "zod";

/**
 * The configuration's keys, their defaults and one line on each. The names are
 * PgDog's where PgDog has the key. Every duration is in milliseconds.
 *
 * @module
 */

const port = () => z.int().min(1).max(65_535);
const portOrOff = () => z.int().min(0).max(65_535);
const milliseconds = () => z.int().min(1).max(2_147_483_647);
const ratio = () => z.number().min(0).max(1);
const GIB = 1024 ** 3;

/** Relative to the configuration file. */
const path = () => z.string().min(1);
const TLS_VERIFY = [
  "disabled",
  "prefer",
  "require",
  "verify-ca",
  "verify-full",
] as const;
/** TLS to servers: in `[general]` for all, in `[[databases]]` for one. PgDog writes "verify_ca" and "verify_full". */
const serverTls = (missing: string) => ({
  tls_verify: z.preprocess(
    (value) => typeof value === "string" ? value.replaceAll("_", "-") : value,
    z.enum(TLS_VERIFY).optional(),
  ).describe(
    `TLS to servers, ${missing}: "disabled", "prefer", "require" (neither verifies), "verify-ca" or "verify-full".`,
  ),
  tls_server_ca_certificate: path().optional()
    .describe(
      "Authorities that may sign the server's certificate (PEM); default: the public ones of the system.",
    ),
  tls_server_certificate: path().optional()
    .describe("The proxy's own certificate for the server (PEM)."),
  tls_server_private_key: path().optional()
    .describe("Its private key (PEM, not encrypted)."),
});

export const generalSchema = z.strictObject({
  host: z.string().min(1).default("0.0.0.0")
    .describe("Address to listen on."),
  port: port().default(6432).describe("Port for clients."),
  unix_socket_dir: z.string().regex(/^(?:\/.*)?$/, "must be an absolute path")
    .default("")
    .describe("Folder for a unix socket to listen on, too; empty: none."),
  workers: z.int().min(0).max(256).default(0)
    .describe(
      "Proxy workers; 0: one for each core but one, which is the mirror worker's.",
    ),
  auth_type: z.enum(["relay", "scram", "md5", "plain", "trust"])
    .default("relay")
    .describe(
      'How clients log in. "relay": to the primary, no user list is needed; else to the proxy, as one of [[users]].',
    ),
  tls_certificate: path().optional()
    .describe(
      "Certificate (PEM, its chain behind it) for TLS to clients; none: no TLS.",
    ),
  tls_private_key: path().optional()
    .describe("Its private key (PEM, not encrypted)."),
  tls_client_required: z.boolean().default(false)
    .describe("Refuse clients that do not use TLS."),
  ...serverTls("as libpq's sslmode; without it in clear"),
  openssl_folder: z.string().regex(/^(?:\/.*)?$/, "must be an absolute path")
    .default("")
    .describe(
      "Folder of libssl.so.3 and libcrypto.so.3; empty: where the system looks.",
    ),
  connect_timeout: milliseconds().default(5_000)
    .describe("Time for a connection to the primary or a login to the mirror."),
  client_login_timeout: milliseconds().default(60_000)
    .describe("Time for a client to send its startup packet and to log in."),
  max_clients: z.int().min(0).default(0)
    .describe(
      "Clients that may be logged in at once, those of the admin console aside; 0: any number.",
    ),
  max_database_clients: z.int().min(0).default(0)
    .describe("The same for each database."),
  max_user_clients: z.int().min(0).default(0)
    .describe("The same for each user."),
  dns_ttl: z.int().min(0).max(2_147_483_647).default(60_000)
    .describe(
      "How often the names of primaries and mirrors are resolved anew; 0: only at RELOAD.",
    ),
  shutdown_timeout: milliseconds().default(60_000)
    .describe("Time for open transactions and queued replays at shutdown."),
  mirror_queue: z.int().min(1).max(1_000_000).default(10_000)
    .describe("Transactions that may wait for the mirror, per client."),
  mirror_queue_bytes: z.int().min(1024 * 1024).max(64 * GIB)
    .default(64 * 1024 * 1024)
    .describe(
      "Bytes that may wait for the mirrors, over all clients: what it takes in memory, 1.7 kB for a short transaction.",
    ),
  mirror_max_transaction_bytes: z.int().min(1024).max(GIB)
    .default(32 * 1024 * 1024)
    .describe(
      "A transaction that takes more is not mirrored (too_large): the bytes that the client sends, 64 for each statement and 248 for each ReadyForQuery. Above mirror_queue_bytes that is the bound.",
    ),
  mirror_exposure: ratio().default(1)
    .describe("Share of transactions to replay; 0 replays none."),
  mirror_timeout: milliseconds().default(30_000)
    .describe(
      "Time for a reply of the mirror, beyond what the primary took for it.",
    ),
  mirror_max_connections: z.int().min(0).max(100_000).default(0)
    .describe(
      "Connections to each mirror at once; 0: as many as there are clients. Beyond them those at rest make room, and who finds none waits.",
    ),
  mirror_idle_timeout: z.int().min(0).max(86_400_000).default(600_000)
    .describe(
      "A mirror's connection that had nothing to replay for so long is given up, and made anew with the session's state; 0: none is.",
    ),
  mirror_pacing: z.enum(["original", "asap"]).default("original")
    .describe(
      'Within a transaction: "original" keeps the client\'s pauses, "asap" leaves them out.',
    ),
  mirror_order: z.enum(["commit", "client"]).default("commit")
    .describe(
      '"commit" keeps the primary\'s order among transactions that write, "client" only each client\'s own.',
    ),
  mirror_values: z.enum(["own", "answers", "log"]).default("answers")
    .describe(
      'Values that the primary generated (ids, uuids, times): "answers" gives the mirror those that RETURNING told, where its own sequence or clock would do as well; "log" also those that the primary\'s log tells (wal_level = logical, and a login of the source database with REPLICATION); "own" has it make its own. What skips locked rows takes those that the primary gave with "answers" and "log", what it finds with "own".',
    ),
  mirror_compare: z.enum(["rows", "shape", "off"]).default("rows")
    .describe(
      'What is compared: "rows", "shape" (columns, tags, row counts) or "off" (errors only).',
    ),
  mirror_compare_bytes: z.int().min(0).max(GIB).default(65_536)
    .describe("Rows of a reply that are compared, in bytes."),
  mirror_examples: z.enum(["redacted", "clear"]).default("redacted")
    .describe(
      '"clear" keeps the values of statements that differed; they are shown to whoever has the http_token.',
    ),
  mirror_max_latency_ratio: z.number().min(1).max(1000).default(1.25)
    .describe("A statement slower by more than this factor is a regression."),
  mirror_cleartext_password_allowed: z.boolean().default(false)
    .describe("Send the mirror's password in clear if the mirror asks so."),
  mirror_max_error_rate: ratio().default(0.01)
    .describe("READY allows this share of replayed requests with errors."),
  mirror_max_latency_ms: z.number().min(0).default(1_000)
    .describe("READY allows this average time of a statement on the mirror."),
  mirror_min_runtime_hours: z.number().min(0).default(24)
    .describe("READY needs so many hours with traffic."),
  mirror_min_requests: z.int().min(0).default(100_000)
    .describe("READY needs so many replayed requests."),
  mirror_error_threshold: z.int().min(1).default(100)
    .describe("So many consecutive errors are an alarm, and NOT READY."),
  mirror_latency_threshold_ms: z.number().min(0).default(5_000)
    .describe("Such an average latency of the mirror is an alarm."),
  mirror_metrics_reset_interval: z.int().min(0).default(0)
    .describe(
      "Begins a new window of SHOW MIRROR_STATS every so many seconds; 0: never.",
    ),
  mirror_metrics_enabled: z.boolean().default(true)
    .describe("Count what the mirror does; false loads no probes."),
  admin_port: portOrOff().default(0)
    .describe(
      "A port of its own for the admin console; 0: only the main port.",
    ),
  openmetrics_port: portOrOff().default(0)
    .describe(
      "HTTP port for the web page, /metrics, /readiness, /healthz; 0: none.",
    ),
  openmetrics_host: z.string().min(1).default("127.0.0.1")
    .describe("Address of the HTTP port."),
  http_token: z.string().regex(/^[\w.~+/-]{16,}=*$/, {
    error: "must be 16 or more characters of A-Z a-z 0-9 - . _ ~ + /",
  }).optional()
    .describe(
      "Asked for on the HTTP port, except on /healthz and /readyz; without one no values of statements are shown there.",
    ),
  openmetrics_namespace: z.string().regex(/^([a-zA-Z_][a-zA-Z0-9_]*)?$/)
    .default("pgdog_")
    .describe("Begins every metric's name."),
  log_level: z.enum(["debug", "info", "warn", "error"]).default("info")
    .describe("The least that is logged, to standard error."),
  log_format: z.enum(["text", "json"]).default("text")
    .describe("One line of text or one JSON object for each event."),
});

export const databaseSchema = z.strictObject({
  name: z.string().min(1)
    .describe("The name that clients ask for, or that [[mirroring]] uses."),
  host: z.string().min(1)
    .refine(
      (host) => !host.includes(","),
      "names several hosts, and one is meant: take a name whose address follows the server",
    )
    .describe("Name or address, or the folder of a unix socket."),
  port: port().default(5432).describe("Port of the server."),
  database_name: z.string().min(1).optional()
    .describe("The database's name on the server; default: name."),
  max_clients: z.int().min(0).optional()
    .describe("Instead of general.max_database_clients."),
  user: z.string().min(1).optional()
    .describe(
      "User for the mirror's logins; a destination needs it. Of a source: for check --connect, and to ask the primary for its types' names and how it sorts.",
    ),
  password: z.string().optional()
    .describe(
      'Its password; "${NAME}" takes it from the environment, "${file:PATH}" from a file.',
    ),
  ...serverTls("instead of general.tls_verify"),
});

export const mirroringSchema = z.strictObject({
  source_db: z.string().min(1)
    .describe("Whose transactions are replayed: a name of [[databases]]."),
  destination_db: z.string().min(1)
    .describe("Where: a name of [[databases]]."),
  queue_length: z.int().min(1).max(1_000_000).optional()
    .describe("Instead of general.mirror_queue."),
  exposure: ratio().optional()
    .describe("Instead of general.mirror_exposure."),
  level: z.enum(["all", "dml", "ddl", "read"]).default("all")
    .describe(
      'Which transactions: "dml" those without DDL, "ddl" those with it, "read" those that write nothing.',
    ),
  allow_unsafe: z.array(z.string()).default([])
    .describe(
      "What is replayed although it reaches beyond the mirror's database: names of SHOW MIRROR EXCLUDES, as pg_switch_wal or copy_file.",
    ),
});

export const excludeSchema = z.strictObject({
  user: z.string().min(1).optional()
    .describe("Transactions of this user only, as the client names itself."),
  database: z.string().min(1).optional()
    .describe("Of this source database only: a name of [[databases]]."),
  application_name: z.string().optional()
    .describe("Of clients that gave this application_name at their login."),
  fingerprint: z.string().regex(/^(?:[0-9a-f]{16}|other)$/).optional()
    .describe("With a statement of this fingerprint only."),
  pattern: z.string().min(1).superRefine((pattern, context) => {
    try {
      new RegExp(pattern, "u");
    } catch (error) {
      context.addIssue({
        code: "custom",
        message: `is no regular expression: ${(error as Error).message}`,
      });
    }
  }).optional()
    .describe(
      "With a statement in whose text, as SHOW MIRROR STATEMENTS has it, this regular expression is found.",
    ),
  reason: z.string().min(1)
    .describe("Why it is not replayed; shown with the verdict."),
}).refine(
  ({ reason: _reason, ...names }) =>
    Object.values(names).some((name) => name !== undefined),
  "names no user, database, application_name, fingerprint or pattern: it would exclude everything",
);

export const ignoreSchema = z.strictObject({
  fingerprint: z.string().regex(/^(?:[0-9a-f]{16}|other)$/).optional()
    .describe("Statements with this fingerprint only."),
  sqlstate: z.string().regex(/^[0-9A-Z]{5}$/)
    .refine((code) => code !== "00000", "is no error: 00000 is success")
    .optional()
    .describe("Differences with this SQLSTATE on either side only."),
  class: z.enum([
    "rows",
    "row_count",
    "columns",
    "command_tag",
    "error_on_mirror",
    "error_on_primary",
    "sqlstate",
    "limit",
    "ties",
    "time_boundary",
    "volatile",
    "concurrent_write",
    "concurrency",
  ]).optional().describe(
    "Differences of this class only; one of noise is accepted by its name alone.",
  ),
  reason: z.string().min(1)
    .describe("Why the difference is accepted; shown with the verdict."),
  until: z.iso.date().optional()
    .describe("The first day on which it is not accepted any more."),
}).refine(
  (rule) => rule.fingerprint ?? rule.sqlstate ?? rule.class,
  "names no fingerprint, class or sqlstate: it would accept every difference",
);

export const adminSchema = z.strictObject({
  name: z.string().min(1).default("admin")
    .describe("The database that a client of the console asks for."),
  user: z.string().min(1).default("admin").describe("Its user."),
  password: z.string().optional()
    .describe("Without one nobody can log in to the console."),
  stats_user: z.string().min(1).default("stats")
    .describe("A user who may read figures, and nothing else."),
  stats_password: z.string().optional()
    .describe("Without one there is no such user."),
});

export const userSchema = z.strictObject({
  name: z.string().min(1).describe("The user that clients log in as."),
  database: z.string().min(1).optional()
    .describe("As databases, of one; without either for all."),
  databases: z.array(z.string().min(1))
    .min(1, "names no database: nobody could log in").optional()
    .describe(
      "For these databases only, and not for replication, which reads all of them.",
    ),
  all_databases: z.boolean().optional()
    .describe("For all of them; the same as to name none."),
  password: z.string().optional()
    .describe(
      'In clear, as "${NAME}" from the environment, "${file:PATH}" from a file, or as PostgreSQL stores it.',
    ),
  server_user: z.string().min(1).optional()
    .describe("The user on the primary; default: name."),
  server_password: z.string().optional()
    .describe("Its password; default: password, if that is in clear."),
  max_clients: z.int().min(0).optional()
    .describe("Instead of general.max_user_clients."),
});

export const pluginFileSchema = z.strictObject({
  path: z.string().min(1)
    .describe("A module with a plugin, relative to this file."),
});

export const configSchema = z.strictObject({
  general: generalSchema.prefault({}),
  databases: z.array(databaseSchema).min(1, "at least one is needed"),
  mirroring: z.array(mirroringSchema).default([]),
  ignore: z.array(ignoreSchema).default([]),
  exclude: z.array(excludeSchema).default([]),
  admin: adminSchema.prefault({}),
  users: z.array(userSchema).default([]),
  plugins: z.record(z.string(), z.record(z.string(), z.unknown())).default({}),
  plugin: z.array(pluginFileSchema).default([]),
});

/** The whole configuration, defaults filled in. */
export type Config = z.output<typeof configSchema>;
export type General = Config["general"];
export type Database = Config["databases"][number];
export type User = Config["users"][number];

/** The databases that a user may open; undefined: all. */
export function databasesOf(
  { database, databases }: User,
): readonly string[] | undefined {
  return database === undefined ? databases : [database];
}

/** Tables and their key schemas, for nearest names, environment and documentation. */
export const TABLES = {
  general: generalSchema,
  databases: databaseSchema,
  mirroring: mirroringSchema,
  ignore: ignoreSchema,
  exclude: excludeSchema,
  admin: adminSchema,
  users: userSchema,
  plugin: pluginFileSchema,
} as const;
