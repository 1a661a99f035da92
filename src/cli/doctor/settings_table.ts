/**
 * What a setting that differs can do to the comparison or to clients after the
 * switch. `results`: replies, errors included. `plans`: plans or speed.
 * `capacity`: less of it on the mirror means refusals there.
 */
export type SettingEffect = "results" | "plans" | "capacity";

/** Replies differ, or one side fails: values as text, names found, rows seen, time-outs. */
const RESULTS = [
  // How values are printed and read.
  "TimeZone",
  "timezone_abbreviations",
  "DateStyle",
  "IntervalStyle",
  "bytea_output",
  "extra_float_digits",
  "lc_monetary",
  "lc_numeric",
  "lc_time",
  "xmlbinary",
  "xmloption",
  // How SQL is read.
  "search_path",
  "standard_conforming_strings",
  "backslash_quote",
  "array_nulls",
  "transform_null_equals",
  "default_text_search_config",
  "check_function_bodies",
  // What a transaction sees and may do.
  "default_transaction_isolation",
  "default_transaction_read_only",
  "default_transaction_deferrable",
  "row_security",
  "session_replication_role",
  "lo_compat_privileges",
  "gin_fuzzy_search_limit",
  // What ends it.
  "statement_timeout",
  "lock_timeout",
  "transaction_timeout",
  "idle_in_transaction_session_timeout",
] as const;

/** Beside all of `enable_*`. */
const PLANS = [
  "work_mem",
  "hash_mem_multiplier",
  "maintenance_work_mem",
  "shared_buffers",
  "effective_cache_size",
  "effective_io_concurrency",
  "random_page_cost",
  "seq_page_cost",
  "cpu_tuple_cost",
  "cpu_index_tuple_cost",
  "cpu_operator_cost",
  "parallel_setup_cost",
  "parallel_tuple_cost",
  "parallel_leader_participation",
  "min_parallel_table_scan_size",
  "min_parallel_index_scan_size",
  "max_parallel_workers_per_gather",
  "max_parallel_workers",
  "max_worker_processes",
  "debug_parallel_query",
  "jit",
  "jit_above_cost",
  "jit_inline_above_cost",
  "jit_optimize_above_cost",
  "default_statistics_target",
  "constraint_exclusion",
  "cursor_tuple_fraction",
  "recursive_worktable_factor",
  "from_collapse_limit",
  "join_collapse_limit",
  "geqo",
  "geqo_threshold",
  "plan_cache_mode",
  "autovacuum",
  "track_counts",
  "synchronous_commit",
  "fsync",
  "full_page_writes",
  "shared_preload_libraries",
] as const;

/** A lane is a connection for each client: the mirror needs as many. */
const CAPACITY = [
  "max_connections",
  "max_locks_per_transaction",
  "max_prepared_transactions",
  "temp_file_limit",
] as const;

const EFFECTS: ReadonlyMap<string, SettingEffect> = new Map([
  ...RESULTS.map((name) => [name.toLowerCase(), "results"] as const),
  ...PLANS.map((name) => [name.toLowerCase(), "plans"] as const),
  ...CAPACITY.map((name) => [name.toLowerCase(), "capacity"] as const),
]);

/** What `name` does, or undefined for what neither clients nor plans notice. */
export function settingEffect(name: string): SettingEffect | undefined {
  const lower = name.toLowerCase();
  return lower.startsWith("enable_") ? "plans" : EFFECTS.get(lower);
}

/** Names of one time zone, as far as anything printed tells. */
const UTC = /^(?:etc\/)?(?:utc|uct|gmt|zulu|universal)$/i;

/** The value in a form in which equal settings are equal texts. */
export function canonicalSetting(name: string, value: string): string {
  const lower = name.toLowerCase();
  if (lower === "timezone" && UTC.test(value)) return "UTC";
  if (lower.startsWith("lc_")) return canonicalLocale(value);
  return value.replaceAll(/\s*,\s*/g, ", ").trim();
}

/** `en_US.utf8` and `en_US.UTF-8` are one locale to libc. */
export function canonicalLocale(name: string): string {
  return name.replace(/\.utf-?8$/i, ".UTF-8");
}
