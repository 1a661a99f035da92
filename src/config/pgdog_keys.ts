/**
 * Keys that PgDog knows and PgDog Mirror does not have. A file written for PgDog
 * loads: a key that may be left out without letting anybody or anything in is a
 * warning. One that PgDog keeps somebody or something out by is refused in words.
 * Source: PgDog's documentation, "Configuration", and its published JSON schema.
 *
 * @module
 */

/** What is to be said of a key that PgDog knows. */
export interface PgdogKey {
  readonly severity: "warning" | "problem";
  readonly message: string;
}

/** A key that narrows: what it does in PgDog, and what to do here. */
interface Narrowing {
  readonly why: string;
  /** A value that keeps nobody out; default: false. */
  readonly harmless?: unknown;
}

const READ_ONLY: Narrowing = {
  why:
    "is not kept up here, and clients may undo what PgDog sets; revoke the writes on the primary, or name a replica as host",
};

/** Tables and keys (`table.key`) that keep out. */
const NARROWING: Readonly<Record<string, Narrowing>> = {
  multi_tenant: {
    why:
      "refuses statements of other tenants, which PgDog Mirror does not; use row security on the primary and take the table out",
  },
  "general.tls_client_ca_certificate": {
    why:
      "asks clients for certificates, which PgDog Mirror does not; let them prove themselves by auth_type and take the key out",
  },
  "general.query_size_limit_action": {
    why:
      "refuses long statements, which PgDog Mirror does not; take the key out",
    harmless: "warn",
  },
  "databases.read_only": READ_ONLY,
  "databases.resharding_only": {
    why:
      "keeps clients out, which PgDog Mirror does not; take the database out",
  },
  "databases.role": {
    why:
      "sends reads only there, which PgDog Mirror does not: it relays everything; let the server itself be a replica and take the key out",
    harmless: ["primary", "auto"],
  },
  "users.read_only": READ_ONLY,
  "users.identity": {
    why:
      "asks for a client certificate, which PgDog Mirror does not; give the user a password and take the key out",
  },
  "users.tls_client_certificate_required": {
    why:
      "asks for a client certificate, which PgDog Mirror does not; give the user a password and take the key out",
  },
  "users.passwords": {
    why:
      "are several, and PgDog Mirror knows one of each user: put it into password",
  },
  "users.password_hash": {
    why: "is not read here: put what PostgreSQL stores into password",
  },
  "users.vault_path": {
    why:
      'is not asked for passwords here: put one into password, perhaps as "${file:PATH}"',
  },
  "users.server_auth": {
    why:
      "is not a way to the primary that PgDog Mirror knows; give server_user and server_password",
    harmless: "password",
  },
};

/** Tables that have no part in who may do what. */
const TABLES: ReadonlySet<string> = new Set([
  "sharded_tables",
  "sharded_schemas",
  "sharded_mappings",
  "omnisharded_tables",
  "manual_queries",
  "query_parsers",
  "replica_lag",
  "replication",
  "rewrite",
  "stats",
  "tcp",
  "memory",
  "otel",
  "vault",
  "control",
]);

/** Of each pool: `[[databases]]` and `[[users]]` have them alike. */
const POOL_KEYS = [
  "pool_size",
  "pool_size_primary",
  "pool_size_replica",
  "min_pool_size",
  "min_pool_size_primary",
  "min_pool_size_replica",
  "pooler_mode",
  "statement_timeout",
  "lock_timeout",
  "idle_timeout",
  "idle_timeout_primary",
  "idle_timeout_replica",
  "server_lifetime",
  "server_lifetime_jitter",
];

/** Keys that have no part in it either: pools, routing, shards, time-outs, the log. */
const KEYS: Readonly<Record<string, ReadonlySet<string>>> = {
  general: new Set([
    "default_pool_size",
    "max_pool_size",
    "min_pool_size",
    "pooler_mode",
    "healthcheck_interval",
    "idle_healthcheck_interval",
    "idle_healthcheck_delay",
    "healthcheck_timeout",
    "healthcheck_port",
    "require_healthcheck_on_discovery",
    "ban_timeout",
    "ban_replica_lag",
    "ban_replica_lag_bytes",
    "rollback_timeout",
    "load_balancing_strategy",
    "read_write_strategy",
    "read_write_split",
    "shutdown_termination_timeout",
    "query_log",
    "query_log_stdout",
    "query_parser",
    "query_parser_enabled",
    "query_parser_engine",
    "query_size_limit",
    "regex_parser_limit",
    "prepared_statements",
    "prepared_statements_limit",
    "prepared_statements_ttl",
    "prepared_statements_ttl_jitter",
    "query_cache_limit",
    "passthrough_auth", // lets in whom no entry names
    "connect_attempts",
    "connect_attempt_delay",
    "query_timeout",
    "checkout_timeout",
    "client_connection_recovery",
    "client_idle_timeout",
    "client_idle_in_transaction_timeout",
    "idle_timeout",
    "server_lifetime",
    "server_lifetime_jitter",
    "dry_run",
    "cross_shard_disabled",
    "omnisharded_sticky",
    "canonicalize_type_information",
    "system_catalogs",
    "sharding_lookup_cache_size",
    "sharding_lookup_timeout",
    "pub_sub_channel_size",
    "expanded_explain",
    "two_phase_commit",
    "two_phase_commit_auto",
    "two_phase_commit_wal_checkpoint_interval",
    "two_phase_commit_wal_dir",
    "two_phase_commit_wal_fsync_interval",
    "two_phase_commit_wal_segment_size",
    "stats_period",
    "connection_recovery",
    "broadcast_address",
    "broadcast_port",
    "lsn_check_delay",
    "lsn_check_interval",
    "lsn_check_timeout",
    "log_connections",
    "log_disconnections",
    "log_dedup_threshold",
    "log_dedup_window",
    "log_min_duration_parse",
    "log_query_sample_length",
    "unique_id_min",
    "unique_id_function",
    "reload_schema_on_ddl",
    "load_schema",
    "cutover_last_transaction_delay",
    "cutover_replication_lag_threshold",
    "cutover_save_config",
    "cutover_timeout",
    "cutover_timeout_action",
    "cutover_traffic_stop_threshold",
    "resharding_copy_format",
    "resharding_copy_retry_max_attempts",
    "resharding_copy_retry_min_delay",
    "resharding_parallel_copies",
    "resharding_replication_retry_max_attempts",
    "resharding_replication_retry_min_delay",
  ]),
  databases: new Set([...POOL_KEYS, "shard", "lb_weight"]),
  users: new Set([
    ...POOL_KEYS,
    "replication_mode", // lets replication in
    "replication_sharding",
    "schema_admin",
    "cross_shard_disabled",
    "two_phase_commit",
    "two_phase_commit_auto",
    "server_iam_region",
    "server_vault_path",
    "vault_refresh_percent",
  ]),
};

/** @param place its table and itself, or a table alone. @returns undefined if PgDog has no such key. */
export function pgdogKey(
  place: readonly [table: string, key?: string],
  value: unknown,
): PgdogKey | undefined {
  const [table, key] = place;
  const name = place.join(".");
  const narrowing = Object.hasOwn(NARROWING, name)
    ? NARROWING[name]
    : undefined;
  if (narrowing !== undefined) {
    const { why, harmless = false } = narrowing;
    if (![harmless].flat().includes(value)) {
      return { severity: "problem", message: `${why} (a key of PgDog's)` };
    }
  } else if (!(key === undefined ? TABLES.has(table) : KEYS[table]?.has(key))) {
    return undefined;
  }
  return {
    severity: "warning",
    message: "is a key of PgDog's that PgDog Mirror does not use",
  };
}
