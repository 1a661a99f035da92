/**
 * What is never replayed unless the configuration allows it, by the names that
 * allow it. It reaches beyond the mirror's database: it acts on the server, on
 * its files or on another server, and names what is the primary's own (a pid, a
 * slot, a path).
 *
 * @module
 */

/** Functions of the server, which stand in pg_catalog. */
const SERVER_FUNCTIONS = [
  // Manual, "Server Signaling Functions": a pid is somebody else's on the mirror
  "pg_cancel_backend",
  "pg_terminate_backend",
  "pg_log_backend_memory_contexts",
  "pg_reload_conf",
  "pg_rotate_logfile",
  // "Backup Control Functions"
  "pg_backup_start",
  "pg_backup_stop",
  "pg_start_backup",
  "pg_stop_backup",
  "pg_create_restore_point",
  "pg_switch_wal",
  // "Recovery Control Functions"
  "pg_promote",
  "pg_wal_replay_pause",
  "pg_wal_replay_resume",
  // "Replication Management Functions": a peek holds the slot against its reader
  "pg_create_physical_replication_slot",
  "pg_create_logical_replication_slot",
  "pg_drop_replication_slot",
  "pg_copy_physical_replication_slot",
  "pg_copy_logical_replication_slot",
  "pg_logical_slot_get_changes",
  "pg_logical_slot_get_binary_changes",
  "pg_logical_slot_peek_changes",
  "pg_logical_slot_peek_binary_changes",
  "pg_replication_slot_advance",
  "pg_replication_origin_create",
  "pg_replication_origin_drop",
  "pg_replication_origin_session_setup",
  "pg_replication_origin_session_reset",
  "pg_replication_origin_xact_setup",
  "pg_replication_origin_xact_reset",
  "pg_replication_origin_advance",
  "pg_sync_replication_slots",
  "pg_log_standby_snapshot",
  // "Generic File Access Functions": the path leads to a file of another host
  "pg_read_file",
  "pg_read_binary_file",
  // "Server-Side Functions" of large objects
  "lo_import",
  "lo_export",
  // Manual, "adminpack"
  "pg_file_write",
  "pg_file_sync",
  "pg_file_rename",
  "pg_file_unlink",
] as const;

/**
 * Functions of the extension dblink that open a connection to another server, or
 * need one (manual, "dblink"). It may stand in any schema.
 */
const DBLINK_FUNCTIONS = [
  "dblink",
  "dblink_exec",
  "dblink_connect",
  "dblink_connect_u",
  "dblink_disconnect",
  "dblink_open",
  "dblink_fetch",
  "dblink_close",
  "dblink_send_query",
  "dblink_get_result",
  "dblink_get_notify",
  "dblink_cancel_query",
  "dblink_is_busy",
  "dblink_error_message",
] as const;

/** Statements by the types of their nodes. */
export const UNSAFE_STATEMENTS = {
  AlterSystemStmt: "alter_system",
  // A name of another database or a folder: what it hits on the mirror's server is no copy.
  CreatedbStmt: "create_database",
  DropdbStmt: "drop_database",
  CreateTableSpaceStmt: "create_tablespace",
  DropTableSpaceStmt: "drop_tablespace",
  // They connect to the publisher, and make or drop a slot there.
  CreateSubscriptionStmt: "create_subscription",
  AlterSubscriptionStmt: "alter_subscription",
  DropSubscriptionStmt: "drop_subscription",
} as const;

/** All names. */
export const UNSAFE_KINDS = [
  ...SERVER_FUNCTIONS,
  "dblink",
  ...Object.values(UNSAFE_STATEMENTS),
  // COPY to or from a file or a program of the server
  "copy_file",
  "copy_program",
  // A write to a foreign table (manual, "postgres_fdw")
  "foreign_write",
  // A FunctionCall message with an OID that another function may have on the mirror
  "function_call",
  // A statement whose text is not known, of a session with too many names
  "unknown_statement",
] as const satisfies readonly string[];

/** A name of {@linkcode UNSAFE_KINDS}. */
export type UnsafeKind = typeof UNSAFE_KINDS[number];

const SERVER: ReadonlySet<string> = new Set(SERVER_FUNCTIONS);
const DBLINK: ReadonlySet<string> = new Set(DBLINK_FUNCTIONS);

/** The kind of a call. @param schema undefined: the search_path leads, to pg_catalog first. */
export function kindOfCall(
  name: string,
  schema?: string,
): UnsafeKind | undefined {
  if (DBLINK.has(name)) return "dblink";
  const isOfServer = schema === undefined || schema === "pg_catalog";
  return isOfServer && SERVER.has(name) ? name as UnsafeKind : undefined;
}

/** The kind of what a function in C does, by the name that it has there: `be_lo_import`, `pg_read_file_all`. */
export function kindOfSymbol(symbol: string): UnsafeKind | undefined {
  const name = symbol.replace(/^be_/, "");
  return kindOfCall(name) ??
    SERVER_FUNCTIONS.find((one) => name.startsWith(`${one}_`));
}

/** The server's own functions by OID, which all versions share (`pg_proc.dat`). */
const FUNCTION_OIDS: Readonly<Record<number, UnsafeKind>> = {
  764: "lo_import",
  765: "lo_export",
  767: "lo_import",
  2096: "pg_terminate_backend",
  2171: "pg_cancel_backend",
  2172: "pg_backup_start",
  2173: "pg_stop_backup",
  2621: "pg_reload_conf",
  2622: "pg_rotate_logfile",
  4099: "pg_rotate_logfile",
  2624: "pg_read_file",
  3293: "pg_read_file",
  3826: "pg_read_file",
  4100: "pg_read_file",
  6208: "pg_read_file",
  3295: "pg_read_binary_file",
  3827: "pg_read_binary_file",
  3828: "pg_read_binary_file",
  6209: "pg_read_binary_file",
  2739: "pg_backup_stop",
  2848: "pg_switch_wal",
  3071: "pg_wal_replay_pause",
  3072: "pg_wal_replay_resume",
  3098: "pg_create_restore_point",
  3436: "pg_promote",
  3779: "pg_create_physical_replication_slot",
  3780: "pg_drop_replication_slot",
  3782: "pg_logical_slot_get_changes",
  3783: "pg_logical_slot_get_binary_changes",
  3784: "pg_logical_slot_peek_changes",
  3785: "pg_logical_slot_peek_binary_changes",
  3786: "pg_create_logical_replication_slot",
  3878: "pg_replication_slot_advance",
  4220: "pg_copy_physical_replication_slot",
  4221: "pg_copy_physical_replication_slot",
  4222: "pg_copy_logical_replication_slot",
  4223: "pg_copy_logical_replication_slot",
  4224: "pg_copy_logical_replication_slot",
  4543: "pg_log_backend_memory_contexts",
  6003: "pg_replication_origin_create",
  6004: "pg_replication_origin_drop",
  6006: "pg_replication_origin_session_setup",
  6007: "pg_replication_origin_session_reset",
  6010: "pg_replication_origin_xact_setup",
  6011: "pg_replication_origin_xact_reset",
  6012: "pg_replication_origin_advance",
  6305: "pg_log_standby_snapshot",
  6344: "pg_sync_replication_slots",
};
/** From here on an OID is another function's on another server (`FirstGenbkiObjectId`). */
const FIRST_ASSIGNED_OID = 10_000;

/** The kind of a FunctionCall message. */
export function kindOfFunctionOid(oid: number): UnsafeKind | undefined {
  return oid >= FIRST_ASSIGNED_OID ? "function_call" : FUNCTION_OIDS[oid];
}

/** Function names and words of statements, of which no unsafe text has none. */
const WORDS = new RegExp(
  `pg_(?:${
    SERVER_FUNCTIONS.filter((name) => name.startsWith("pg_"))
      .map((name) => name.slice(3)).join("|")
  })|dblink|lo_(?:import|export)|copy|system|database|tablespace|subscription|u&`,
  "i",
);

/** Whether a text may be unsafe at all. False: no parser need look. */
export function mayBeUnsafe(text: string): boolean {
  return WORDS.test(text);
}
