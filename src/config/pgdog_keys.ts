/**
 * Keys that PgDog's pgdog.toml knows and PgDog Mirror does not use. A file
 * written for PgDog loads; each such key is a warning. Source: PgDog's
 * documentation, "Configuration".
 *
 * @module
 */

export const PGDOG_TABLES: ReadonlySet<string> = new Set([
  "users",
  "sharded_tables",
  "sharded_schemas",
  "sharded_mappings",
  "omnisharded_tables",
  "manual_queries",
  "replica_lag",
  "replication",
  "rewrite",
  "stats",
  "tcp",
  "multi_tenant",
  "memory",
]);

const PGDOG_KEYS: Readonly<Record<string, ReadonlySet<string>>> = {
  general: new Set([
    "default_pool_size",
    "min_pool_size",
    "pooler_mode",
    "healthcheck_interval",
    "idle_healthcheck_interval",
    "idle_healthcheck_delay",
    "healthcheck_timeout",
    "healthcheck_port",
    "ban_timeout",
    "ban_replica_lag",
    "ban_replica_lag_bytes",
    "rollback_timeout",
    "load_balancing_strategy",
    "read_write_strategy",
    "read_write_split",
    "shutdown_termination_timeout",
    "query_log",
    "query_parser",
    "query_parser_enabled",
    "prepared_statements",
    "prepared_statements_limit",
    "query_cache_limit",
    "passthrough_auth",
    "connect_attempts",
    "connect_attempt_delay",
    "query_timeout",
    "checkout_timeout",
    "client_connection_recovery",
    "client_idle_timeout",
    "client_idle_in_transaction_timeout",
    "idle_timeout",
    "server_lifetime",
    "dry_run",
    "cross_shard_disabled",
    "dns_ttl",
    "pub_sub_channel_size",
    "expanded_explain",
    "two_phase_commit",
    "two_phase_commit_auto",
    "stats_period",
    "connection_recovery",
    "broadcast_address",
    "broadcast_port",
    "lsn_check_delay",
    "lsn_check_interval",
    "lsn_check_timeout",
    "log_connections",
    "log_disconnections",
    "unique_id_min",
    "reload_schema_on_ddl",
    "load_schema",
  ]),
  databases: new Set([
    "role",
    "shard",
    "pool_size",
    "min_pool_size",
    "pooler_mode",
    "statement_timeout",
    "idle_timeout",
    "read_only",
    "server_lifetime",
    "lb_weight",
  ]),
  mirroring: new Set(),
  admin: new Set(),
  plugin: new Set(),
};

/** True if PgDog has `key` in `table` and we do not. */
export function isPgdogKey(table: string, key: string): boolean {
  return PGDOG_KEYS[table]?.has(key) ?? false;
}
