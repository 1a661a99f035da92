/**
 * Queries over the schema: one for each kind of object, over all schemas of
 * the user's. What belongs to an extension is left to the extension's version.
 *
 * @module
 */

/** Namespace `n` is the user's. */
const USER_SCHEMA = "n.nspname !~ '^pg_' and n.nspname <> 'information_schema'";

/** The object is no extension's. */
function own(catalog: string, oid: string): string {
  return `not exists (select from pg_depend x where x.classid = '${catalog}'::regclass
    and x.objid = ${oid} and x.deptype = 'e')`;
}

/** A relation `c` in schema `n`, of one of `kinds` (pg_class.relkind). */
function relation(kinds: string): string {
  return `c.relkind in (${kinds}) and ${USER_SCHEMA} and ${
    own("pg_class", "c.oid")
  }`;
}

const RELATION_NAME = "format('%I.%I', n.nspname, c.relname)";
const IN_SCHEMA = "join pg_namespace n on n.oid = c.relnamespace";

export const SCHEMA_SETS = {
  relations: () => `
select ${RELATION_NAME} as name,
  case c.relkind when 'r' then 'table' when 'p' then 'partitioned table' when 'v' then 'view'
    when 'm' then 'materialized view' else 'foreign table' end as kind,
  case c.relpersistence when 'u' then 'unlogged' else 'logged' end as persistence,
  case c.relkind when 'p' then pg_get_partkeydef(c.oid) end as partition_key,
  pg_get_expr(c.relpartbound, c.oid) as partition_bound,
  (select string_agg(i.inhparent::regclass::text, ', ' order by i.inhseqno)
   from pg_inherits i where i.inhrelid = c.oid) as parents,
  (select a.amname from pg_am a where a.oid = c.relam) as access_method,
  c.relrowsecurity as row_security, c.relforcerowsecurity as forced_row_security,
  row_security_active(c.oid) as row_security_active,
  c.relreplident as replica_identity, array_to_string(c.reloptions, ', ') as options,
  c.reltuples::bigint as estimated_rows, c.relkind in ('r', 'm') as has_rows,
  coalesce(greatest(s.last_analyze, s.last_autoanalyze) is not null, false) as analyzed,
  has_schema_privilege(n.oid, 'usage') and has_table_privilege(c.oid, 'select') as can_read,
  c.relkind in ('m') or has_table_privilege(c.oid, 'insert')
    and has_table_privilege(c.oid, 'update') and has_table_privilege(c.oid, 'delete') as can_write
from pg_class c ${IN_SCHEMA} left join pg_stat_all_tables s on s.relid = c.oid
where ${relation("'r', 'p', 'v', 'm', 'f'")}`,

  // pg_stats shows what the user may read; 18's pg_upgrade brings statistics along.
  statistics: () => `
select distinct format('%I.%I', n.nspname, s.tablename) as name
from pg_stats s join pg_namespace n on n.nspname = s.schemaname where ${USER_SCHEMA}`,

  // From 17 on a partition has its parent's identity: it is compared there.
  columns: () => `
select ${RELATION_NAME} || '.' || quote_ident(a.attname) as name, ${RELATION_NAME} as relation,
  format_type(a.atttypid, a.atttypmod) as type, not a.attnotnull as nullable,
  pg_get_expr(d.adbin, d.adrelid) as "default",
  case when c.relispartition then null
    when a.attidentity = 'a' then 'always' when a.attidentity = 'd' then 'by default' end as identity,
  case a.attgenerated when 's' then 'stored' when 'v' then 'virtual' end as generated,
  (select l.collname from pg_collation l where l.oid = a.attcollation) as collation,
  row_number() over (partition by a.attrelid order by a.attnum) as position
from pg_attribute a join pg_class c on c.oid = a.attrelid ${IN_SCHEMA}
left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
where a.attnum > 0 and not a.attisdropped and ${
    relation("'r', 'p', 'v', 'm', 'f', 'c'")
  }`,

  // A constraint's own index is reported as the constraint.
  indexes: () => `
select format('%I.%I', n.nspname, ic.relname) as name, ${RELATION_NAME} as relation,
  pg_get_indexdef(i.indexrelid) as definition, i.indisunique as is_unique,
  i.indisvalid and i.indisready as valid,
  exists (select from pg_constraint k where k.conindid = i.indexrelid
    and k.contype in ('p', 'u', 'x')) as of_constraint
from pg_index i join pg_class ic on ic.oid = i.indexrelid
join pg_class c on c.oid = i.indrelid ${IN_SCHEMA}
where ${relation("'r', 'p', 'm'")}`,

  // From 18 on a NOT NULL is a constraint too; it is compared as a column's.
  constraints: () => `
select format('%I on %s', k.conname, ${RELATION_NAME}) as name, ${RELATION_NAME} as relation,
  regexp_replace(pg_get_constraintdef(k.oid), ' NOT VALID$', '') as definition,
  k.convalidated or coalesce((to_jsonb(k) ->> 'conenforced') = 'false', false) as valid,
  k.contype = 'n' as not_null
from pg_constraint k join pg_class c on c.oid = k.conrelid ${IN_SCHEMA}
where k.contype <> 't' and (k.contype <> 'n' or not k.convalidated)
  and ${relation("'r', 'p', 'f'")}`,

  sequences: () => `
select ${RELATION_NAME} as name, format_type(q.seqtypid, null) as type,
  q.seqincrement as increment, q.seqmin as minimum, q.seqmax as maximum,
  q.seqcycle as cycles, q.seqstart as start, q.seqcache as cache,
  has_sequence_privilege(c.oid, 'select,usage') as readable,
  case when has_sequence_privilege(c.oid, 'select,usage')
    then pg_sequence_last_value(c.oid) end as last_value,
  has_sequence_privilege(c.oid, 'usage') as can_use
from pg_sequence q join pg_class c on c.oid = q.seqrelid ${IN_SCHEMA}
where ${relation("'S'")}`,

  // By the types alone: 14 and later write IN before a procedure's arguments.
  functions: (versionNum: number) => `
select format('%s %I.%I(%s)',
    case p.prokind when 'p' then 'procedure' when 'a' then 'aggregate' else 'function' end,
    n.nspname, p.proname, (
      select string_agg(format_type(a.type, null), ', ' order by a.place)
      from unnest(p.proargtypes) with ordinality a (type, place))) as name,
  array_to_string(p.proargnames, ', ', '-') as argument_names,
  pg_get_expr(p.proargdefaults, 0) as argument_defaults,
  pg_get_function_result(p.oid) as result, l.lanname as language,
  case p.provolatile when 'i' then 'immutable' when 's' then 'stable' else 'volatile' end as volatility,
  p.proisstrict as strict, p.prosecdef as security_definer,
  case p.proparallel when 's' then 'safe' when 'r' then 'restricted' else 'unsafe' end as parallel,
  array_to_string(p.proconfig, ', ') as settings,
  md5(concat(p.prosrc, p.probin)) as body,
  ${
    versionNum >= 140_000
      ? "pg_get_function_sqlbody(p.oid)"
      : "null"
  } as sql_body
from pg_proc p join pg_namespace n on n.oid = p.pronamespace
join pg_language l on l.oid = p.prolang
where ${USER_SCHEMA} and ${own("pg_proc", "p.oid")}`,

  views: () => `
select ${RELATION_NAME} as name, pg_get_viewdef(c.oid) as definition
from pg_class c ${IN_SCHEMA} where ${relation("'v', 'm'")}`,

  triggers: () => `
select format('%I on %s', t.tgname, ${RELATION_NAME}) as name, ${RELATION_NAME} as relation,
  pg_get_triggerdef(t.oid) as definition,
  case t.tgenabled when 'O' then 'enabled' when 'D' then 'disabled'
    when 'R' then 'enabled on replicas' else 'enabled always' end as state
from pg_trigger t join pg_class c on c.oid = t.tgrelid ${IN_SCHEMA}
where not t.tgisinternal and ${relation("'r', 'p', 'v', 'f'")}`,

  event_triggers: () => `
select quote_ident(e.evtname) as name,
  concat(e.evtevent, ' ', e.evtfoid::regprocedure, ' ', e.evttags) as definition,
  case e.evtenabled when 'O' then 'enabled' when 'D' then 'disabled'
    when 'R' then 'enabled on replicas' else 'enabled always' end as state
from pg_event_trigger e where ${own("pg_event_trigger", "e.oid")}`,

  types: () => `
select format('%I.%I', n.nspname, t.typname) as name,
  case t.typtype when 'e' then 'enum: ' || (
    select string_agg(quote_literal(e.enumlabel), ', ' order by e.enumsortorder)
    from pg_enum e where e.enumtypid = t.oid)
  else concat('domain: ', format_type(t.typbasetype, t.typtypmod),
    case when t.typnotnull then ' not null' end, ' default ' || t.typdefault,
    (select string_agg(' ' || pg_get_constraintdef(k.oid), '' order by k.conname)
     from pg_constraint k where k.contypid = t.oid and k.contype = 'c')) end as definition
from pg_type t join pg_namespace n on n.oid = t.typnamespace
where t.typtype in ('e', 'd') and ${USER_SCHEMA} and ${
    own("pg_type", "t.oid")
  }`,

  policies: () => `
select format('%I on %I.%I', p.policyname, p.schemaname, p.tablename) as name,
  format('%I.%I', p.schemaname, p.tablename) as relation,
  concat(p.permissive, ' for ', p.cmd, ' to ', array_to_string(p.roles, ', '),
    ' using (' || p.qual || ')', ' with check (' || p.with_check || ')') as definition
from pg_policies p join pg_namespace n on n.nspname = p.schemaname where ${USER_SCHEMA}`,

  rules: () => `
select format('%I on %s', r.rulename, ${RELATION_NAME}) as name, ${RELATION_NAME} as relation,
  pg_get_ruledef(r.oid) as definition
from pg_rewrite r join pg_class c on c.oid = r.ev_class ${IN_SCHEMA}
where r.rulename <> '_RETURN' and ${relation("'r', 'p', 'v', 'f'")}`,

  extended_statistics: () => `
select format('%I.%I', n.nspname, e.stxname) as name, e.stxrelid::regclass::text as relation,
  pg_get_statisticsobjdef(e.oid) as definition
from pg_statistic_ext e join pg_namespace n on n.oid = e.stxnamespace where ${USER_SCHEMA}`,
} as const satisfies Readonly<Record<string, (versionNum: number) => string>>;
