import { lastName, type Node } from "./tree.ts";

/** What makes a value differ on an equal server. */
export type Nature =
  /** The moment. */
  | "time"
  /** Everything else: chance, the session, the server, sequences. */
  | "chance"
  /** An equal server may take other rows, or other orders, of equal right. */
  | "choice";

/** Functions that tell the moment (manual, "Date/Time Functions and Operators"). */
const TIME_FUNCTIONS: ReadonlySet<string> = new Set([
  "now",
  "clock_timestamp",
  "statement_timestamp",
  "transaction_timestamp",
  "timeofday",
  "pg_conf_load_time",
  "pg_postmaster_start_time",
  "pg_last_xact_replay_timestamp",
]);

/** Functions of sequences (manual, "Sequence Manipulation Functions"). */
export const SEQUENCE_FUNCTIONS: ReadonlySet<string> = new Set([
  "nextval",
  "currval",
  "lastval",
  "setval",
]);

/** Functions that draw lots. */
const RANDOM = [
  "random",
  "random_normal",
  "gen_random_uuid",
  "gen_random_bytes",
  "uuidv4",
  "uuidv7",
  "uuid_generate_v1",
  "uuid_generate_v1mc",
  "uuid_generate_v4",
];

/** Functions that tell which transactions are under way. */
const TRANSACTION = [
  "txid_current",
  "txid_current_if_assigned",
  "txid_current_snapshot",
  "txid_snapshot_xmin",
  "txid_snapshot_xmax",
  "txid_status",
  "pg_current_xact_id",
  "pg_current_xact_id_if_assigned",
  "pg_current_snapshot",
  "pg_snapshot_xmin",
  "pg_snapshot_xmax",
  "pg_xact_status",
];

/** Functions that ask for a lock, and do not wait. */
const TRY_LOCK = [
  "pg_try_advisory_lock",
  "pg_try_advisory_lock_shared",
  "pg_try_advisory_xact_lock",
  "pg_try_advisory_xact_lock_shared",
];

/**
 * Functions whose result depends on the session, the server or chance (manual,
 * "Functions and Operators": UUID, sequence, system information and
 * administration functions; "Server-Side Functions" of large objects).
 */
const CHANCE_FUNCTIONS: ReadonlySet<string> = new Set([
  // Chance
  ...RANDOM,
  "setseed",
  ...SEQUENCE_FUNCTIONS,
  // Transactions and write-ahead log
  ...TRANSACTION,
  "pg_xact_commit_timestamp",
  "pg_last_committed_xact",
  "pg_current_wal_lsn",
  "pg_current_wal_insert_lsn",
  "pg_current_wal_flush_lsn",
  "pg_last_wal_replay_lsn",
  "pg_last_wal_receive_lsn",
  "pg_switch_wal",
  "pg_create_restore_point",
  "pg_walfile_name",
  "pg_walfile_name_offset",
  "pg_export_snapshot",
  // Session and server
  "pg_backend_pid",
  "pg_blocking_pids",
  "pg_safe_snapshot_blocking_pids",
  "pg_cancel_backend",
  "pg_terminate_backend",
  "pg_is_in_recovery",
  "pg_my_temp_schema",
  "pg_is_other_temp_schema",
  "inet_client_addr",
  "inet_client_port",
  "inet_server_addr",
  "inet_server_port",
  "current_database",
  "current_setting",
  "version",
  ...TRY_LOCK,
  // True if the session holds the lock, which it may not have got
  "pg_advisory_unlock",
  "pg_advisory_unlock_shared",
  // OIDs of large objects
  "lo_create",
  "lo_creat",
  "lo_from_bytea",
  "lo_import",
  // Sizes, statistics and files
  "pg_column_size",
  "pg_database_size",
  "pg_indexes_size",
  "pg_relation_size",
  "pg_table_size",
  "pg_tablespace_size",
  "pg_total_relation_size",
  "pg_relation_filenode",
  "pg_relation_filepath",
  "pg_stat_file",
]);

/** Those that may let no row through on one of two equal servers: they draw lots, ask for a lock that another session may hold, or tell which transactions are under way. */
export const DRAWS: ReadonlySet<string> = new Set([
  ...RANDOM,
  ...TRY_LOCK,
  ...TRANSACTION,
]);

/** Families of the same kind: statistics, pg_control, files of the data directory. */
const CHANCE_PREFIXES = ["pg_stat_get_", "pg_control_", "pg_ls_"];

/** What is sorted by one of these comes in any order. */
const RANDOM_FUNCTIONS: ReadonlySet<string> = new Set(RANDOM);

/** Whether an expression draws lots. */
export function isRandom(expression: unknown): boolean {
  if (typeof expression !== "object" || expression === null) return false;
  return Object.entries(expression).some(([type, node]) =>
    type === "FuncCall" &&
      RANDOM_FUNCTIONS.has(lastName((node as Node).funcname)) || isRandom(node)
  );
}

/** The nature of what a function gives; undefined: its arguments decide. */
export function natureOfCall(
  name: string,
  args: number,
): Nature | undefined {
  if (TIME_FUNCTIONS.has(name)) return "time";
  // Of one argument it counts from today on.
  if (name === "age") return args === 1 ? "time" : undefined;
  if (CHANCE_FUNCTIONS.has(name)) return "chance";
  return CHANCE_PREFIXES.some((prefix) => name.startsWith(prefix))
    ? "chance"
    : undefined;
}

/** Aggregates whose result tells the order of their input (manual, "Aggregate Functions"). */
export const ORDERED_AGGREGATES: ReadonlySet<string> = new Set([
  "array_agg",
  "string_agg",
  "json_agg",
  "jsonb_agg",
  "json_object_agg",
  "jsonb_object_agg",
  "xmlagg",
]);

/** Window functions that number rows, or look at neighbours. */
export const ORDERED_WINDOW_FUNCTIONS: ReadonlySet<string> = new Set([
  "row_number",
  "ntile",
  "lag",
  "lead",
  "first_value",
  "last_value",
  "nth_value",
]);

/** Those of them that number rows. */
export const NUMBERING: ReadonlySet<string> = new Set(["row_number", "ntile"]);

/** System columns: where a row lies, and which transaction wrote it. */
export const PHYSICAL_COLUMNS: ReadonlySet<string> = new Set([
  "ctid",
  "xmin",
  "xmax",
  "cmin",
  "cmax",
  "tableoid",
]);

/** Types of which some literals tell the moment (manual, "Special Values"). */
export const TIME_TYPES: ReadonlySet<string> = new Set([
  "date",
  "time",
  "timetz",
  "timestamp",
  "timestamptz",
]);

/** The literals that do. */
export const TIME_LITERAL = /^(now|today|tomorrow|yesterday)$/i;
