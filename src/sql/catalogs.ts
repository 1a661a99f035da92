/** Schemas of the server's own relations. */
const SCHEMAS: ReadonlySet<string> = new Set([
  "pg_catalog",
  "information_schema",
  "pg_toast",
]);

/**
 * Tables and views of pg_catalog in PostgreSQL 15 to 18, without `pg_`
 * (`pg_class` of real servers). An unqualified name finds them before any table
 * of a user. The last line is of extensions that show the server's own state.
 */
const RELATIONS: ReadonlySet<string> = new Set(
  `aggregate aios am amop amproc attrdef attribute auth_members authid
available_extension_versions available_extensions backend_memory_contexts cast
class collation config constraint conversion cursors database db_role_setting
default_acl depend description enum event_trigger extension file_settings
foreign_data_wrapper foreign_server foreign_table group hba_file_rules
ident_file_mappings index indexes inherits init_privs language largeobject
largeobject_metadata locks matviews namespace opclass operator opfamily
parameter_acl partitioned_table policies policy prepared_statements
prepared_xacts proc publication publication_namespace publication_rel
publication_tables range replication_origin replication_origin_status
replication_slots rewrite roles rules seclabel seclabels sequence sequences
settings shadow shdepend shdescription shmem_allocations shmem_allocations_numa
shseclabel stat_activity stat_all_indexes stat_all_tables stat_archiver
stat_bgwriter stat_checkpointer stat_database stat_database_conflicts
stat_gssapi stat_io stat_progress_analyze stat_progress_basebackup
stat_progress_cluster stat_progress_copy stat_progress_create_index
stat_progress_vacuum stat_recovery_prefetch stat_replication
stat_replication_slots stat_slru stat_ssl stat_subscription
stat_subscription_stats stat_sys_indexes stat_sys_tables stat_user_functions
stat_user_indexes stat_user_tables stat_wal stat_wal_receiver
stat_xact_all_tables stat_xact_sys_tables stat_xact_user_functions
stat_xact_user_tables statio_all_indexes statio_all_sequences statio_all_tables
statio_sys_indexes statio_sys_sequences statio_sys_tables statio_user_indexes
statio_user_sequences statio_user_tables statistic statistic_ext
statistic_ext_data stats stats_ext stats_ext_exprs subscription
subscription_rel tables tablespace timezone_abbrevs timezone_names transform
trigger ts_config ts_config_map ts_dict ts_parser ts_template type user
user_mapping user_mappings views wait_events
stat_statements stat_statements_info buffercache`.split(/\s+/).map((name) =>
    `pg_${name}`
  ),
);

/** Whether a name as it stands in a statement is a catalog's. */
export function isCatalog(schema: string | undefined, name: string): boolean {
  return schema === undefined ? RELATIONS.has(name) : SCHEMAS.has(schema);
}

/**
 * Functions about objects by OID (manual, "System Catalog Information
 * Functions", "Comment Information Functions"): what they give follows from a
 * number that the client has read before.
 */
export function isCatalogFunction(name: string): boolean {
  return name.startsWith("pg_get_") && name !== "pg_get_serial_sequence" ||
    /^pg_\w+_is_visible$/.test(name) || CATALOG_FUNCTIONS.has(name);
}

const CATALOG_FUNCTIONS: ReadonlySet<string> = new Set([
  "acldefault",
  "format_type",
  "obj_description",
  "col_description",
  "shobj_description",
  "pg_describe_object",
  "pg_identify_object",
  "pg_identify_object_as_address",
  "pg_settings_get_flags",
  "pg_show_all_settings",
  "pg_show_all_file_settings",
  "pg_hba_file_rules",
  "pg_timezone_names",
  "pg_timezone_abbrevs",
  "pg_available_extensions",
  "pg_available_extension_versions",
  "pg_extension_config_dump",
  "pg_partition_tree",
  "pg_partition_ancestors",
  "pg_lock_status",
  "pg_prepared_statement",
  "pg_cursor",
  "pg_config",
  "pg_tablespace_location",
  "pg_tablespace_databases",
  "pg_sequence_parameters",
  "pg_sequence_last_value",
]);

/** Settings that tell of the server's version and place, not of its behaviour. */
export function isServerSetting(name: string): boolean {
  return /^(all|server_version(_num)?|port|listen_addresses|cluster_name|\w+_(file|directory|directories|command)|log_filename|shared_memory_size\w*|primary_\w+)$/i
    .test(name);
}
