/** Characters of a definition in one row, and how many of them the next row says again. */
const PART = 3_000;
const OVERLAP = 128;

/** `text` in parts, so that no row is long. */
const parts = (text: string) =>
  `substr(${text}, at, ${PART + OVERLAP})
  from generate_series(1, length(${text}), ${PART}) at`;

const OF_USERS =
  "n.nspname <> 'information_schema' and n.nspname not like 'pg\\_%'";

/**
 * Asks a server for its schema: rows of a kind, a name, and a text. Names are
 * without their schemas, as in shapes. PostgreSQL 12 and later.
 */
export const CATALOG_QUESTION = `
with r as (
  select c.oid, c.relname::text as name, c.relkind as kind
  from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  where c.relkind in ('r', 'p', 'v', 'm', 'f') and ${OF_USERS})
select 'relation', name, oid::text from r
union all
select 'key', r.oid::text, (
    select string_agg(a.attname, chr(10)) from pg_catalog.pg_attribute a
    where a.attrelid = r.oid
      and a.attnum = any ((i.indkey::int2[])[0:i.indnkeyatts - 1]))
  from pg_catalog.pg_index i join r on r.oid = i.indrelid
  where i.indisunique and i.indisvalid and i.indimmediate
    and i.indpred is null and i.indexprs is null
    and (r.kind = 'p' or not exists (
      select from pg_catalog.pg_inherits h where h.inhparent = r.oid))
    and not exists (
      select from pg_catalog.pg_attribute a
      where a.attrelid = r.oid and not a.attnotnull
        and a.attnum = any ((i.indkey::int2[])[0:i.indnkeyatts - 1]))
union all
select 'child', c.name, p.name from pg_catalog.pg_inherits h
  join r c on c.oid = h.inhrelid join r p on p.oid = h.inhparent
union all
select 'cascade', c.name, p.name from pg_catalog.pg_constraint f
  join r c on c.oid = f.conrelid join r p on p.oid = f.confrelid
  where f.contype = 'f'
    and (f.confdeltype in ('c', 'n', 'd') or f.confupdtype in ('c', 'n', 'd'))
union all
select 'view', s.* from (
  select name, pg_catalog.pg_get_viewdef(oid) as def from r where kind in ('v', 'm') offset 0) v,
  lateral (select v.name, ${parts("v.def")}) s
union all
select 'trigger', s.* from (
  select r.name, p.prosrc as def from pg_catalog.pg_trigger t
    join r on r.oid = t.tgrelid join pg_catalog.pg_proc p on p.oid = t.tgfoid
    where not t.tgisinternal
  union all
  select r.name, pg_catalog.pg_get_ruledef(w.oid) from pg_catalog.pg_rewrite w
    join r on r.oid = w.ev_class where w.rulename <> '_RETURN') v,
  lateral (select v.name, ${parts("v.def")}) s
union all
select 'function', s.* from (
  select p.proname::text as name, pg_catalog.pg_get_functiondef(p.oid) as def
    from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid = p.pronamespace
    join pg_catalog.pg_language l on l.oid = p.prolang
    where ${OF_USERS} and l.lanname in ('sql', 'plpgsql')
      and p.prokind in ('f', 'p') and p.provolatile <> 'i' offset 0) v,
  lateral (select v.name, ${parts("v.def")}) s`;
