import { SCHEMA_SETS } from "./schema_sets.ts";

/**
 * Queries over the server and the database. A column that only newer versions
 * have is read through `to_jsonb`, which gives null where it is missing.
 *
 * @module
 */

/** Database `d` is the one that we are connected to. */
const THIS_DATABASE = "d.datname = current_database()";

const SERVER_SETS = {
  // In UTC and to the microsecond: two servers do not share it.
  server: () => `
select current_setting('server_version') as version,
  current_setting('server_version_num') as version_num,
  to_char(pg_postmaster_start_time() at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') as started_at,
  d.oid as database_oid, pg_is_in_recovery() as in_recovery,
  (select count(*) from pg_stat_subscription) as subscriptions
from pg_database d where ${THIS_DATABASE}`,

  // Managed services may not permit it.
  control: () =>
    "select system_identifier::text as system_identifier from pg_control_system()",

  database: (versionNum: number) => `
select pg_encoding_to_char(d.encoding) as encoding, d.datcollate as collate, d.datctype as ctype,
  case j ->> 'datlocprovider' when 'i' then 'icu' when 'b' then 'builtin' else 'libc' end as provider,
  coalesce(j ->> 'datlocale', j ->> 'daticulocale') as locale,
  j ->> 'datcollversion' as recorded_version,
  ${
    versionNum >= 150_000
      ? "pg_database_collation_actual_version(d.oid)"
      : "null"
  } as actual_version
from pg_database d, to_jsonb(d) j where ${THIS_DATABASE}`,

  // Those that a column of the user's sorts by, and the user's own. "in" is hashed; with
  // "exists" each of ICU's hundreds would scan pg_attribute.
  collations: () => `
select format('%I.%I', n.nspname, l.collname) as name, l.collversion as recorded_version,
  pg_collation_actual_version(l.oid) as actual_version
from pg_collation l join pg_namespace n on n.oid = l.collnamespace
where l.collname <> 'default' and (l.oid >= 16384 or l.oid in (
  select a.attcollation from pg_attribute a where a.attrelid >= 16384))`,

  // The reset value is what a session begins with, whatever this one has set since.
  settings: () => `
select name, reset_val as value, boot_val as default_value, unit, pending_restart
from pg_settings where name <> 'application_name'`,

  role_settings: () => `
select coalesce(r.rolname, '') as role, s.setdatabase <> 0 as in_database,
  coalesce(r.rolcanlogin, false) as can_login,
  split_part(c, '=', 1) as setting, substr(c, strpos(c, '=') + 1) as value
from pg_db_role_setting s left join pg_roles r on r.oid = s.setrole
cross join unnest(s.setconfig) c
where s.setdatabase = 0
  or s.setdatabase = (select d.oid from pg_database d where ${THIS_DATABASE})`,

  roles: () => `
select rolname as name, rolcanlogin as can_login, rolsuper as superuser, rolinherit as inherits,
  rolreplication as replication, rolbypassrls as bypasses_row_security, rolconnlimit as connection_limit
from pg_roles where rolname !~ '^pg_'`,

  extensions: () => `
select e.extname as name, e.extversion as version, n.nspname as schema,
  a.default_version
from pg_extension e join pg_namespace n on n.oid = e.extnamespace
left join pg_available_extensions a on a.name = e.extname`,
} as const satisfies Readonly<Record<string, (versionNum: number) => string>>;

/** Every query, in the order in which they run; `server` must be the first. */
export const SETS = { ...SERVER_SETS, ...SCHEMA_SETS } as const;

export type SetName = keyof typeof SETS;
