/** Characters of a text in one row: a longer row would not be read. */
const PART = 3_000;
/** Beyond so many columns none is asked for: they are most of an answer, which has bounds. */
const MAX_COLUMNS = 250_000;
/** Beyond so many types none is asked for: each relation is two. */
const MAX_TYPES = 60_000;
/** Characters of a default that are asked for. */
export const MAX_DEFAULT = 1_000;

/** `text` in parts, so that no row is long, and `more` in each of them. */
const parts = (text: string, more = "''") =>
  `substr(${text}, at, ${PART}), ${more}
  from generate_series(1, length(${text}), ${PART}) at`;

const OF_USERS =
  "n.nspname <> 'information_schema' and n.nspname not like 'pg\\_%'";

/**
 * Types by OID: the name, and a domain's base, else 0. The name is qualified
 * but for the schemas that every database has. An array is named by its
 * element: its own name may be another one.
 */
const TYPES = `
select 'type', t.oid::text, case
    when n.nspname in ('pg_catalog', 'public') then '' else n.nspname || '.'
  end || coalesce(e.typname || '[]', t.typname), t.typbasetype::text
  from pg_catalog.pg_type t
  join pg_catalog.pg_namespace n on n.oid = t.typnamespace
  left join pg_catalog.pg_type e on e.oid = t.typelem and e.typarray = t.oid
  where n.nspname not like 'pg\\_toast%' and n.nspname not like 'pg\\_temp%'
    and (select count(*) from pg_catalog.pg_type) <= ${MAX_TYPES}`;

/** Asks a server for the names of its types, in rows as CATALOG_QUESTION has them. */
export const TYPES_QUESTION = `${TYPES} and t.oid >= 10000`;

/**
 * Asks a server for its schema: rows of a kind, a name, a text, and one text
 * more. Parts of one text have the same around them. Views name all that they
 * read with its schema, since nothing but pg_catalog is in the search_path
 * then. PostgreSQL 12 and later.
 */
export const CATALOG_QUESTION = `
select 'path', schema::text, '', ''
  from unnest(pg_catalog.current_schemas(false)) with ordinality p (schema, place)
  order by place;
set local search_path = pg_catalog;
with r as (
  select c.oid, c.relname::text as name, c.relkind as kind, n.nspname::text as schema,
    c.relrowsecurity as secured
  from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  where c.relkind in ('r', 'p', 'v', 'm', 'f') and ${OF_USERS}),
a as (
  select a.attrelid, a.attnum, a.attname, a.atttypid, a.attcollation,
    a.attidentity::text || a.attgenerated::text
      || case when a.attcollation <> 0 then 't' else '' end as flags
  from pg_catalog.pg_attribute a join r on r.oid = a.attrelid
  where a.attnum > 0 and not a.attisdropped),
changers as (
  select r.oid::text, t.tgfoid, t.tgargs
  from pg_catalog.pg_trigger t join r on r.oid = t.tgrelid
  where not t.tgisinternal and t.tgenabled <> 'D'
    and (t.tgtype & 1) <> 0 and (t.tgtype & 66) <> 0 and (t.tgtype & 20) <> 0)
select 'relation', name, oid::text, schema from r
union all
select 'unlogged', oid::text, '', '' from pg_catalog.pg_class c
  where c.relpersistence = 'u' and c.relkind = 'r' and c.oid in (select oid from r)
union all
select 'foreign', name, oid::text, schema from r where kind = 'f'
union all
select 'sequence', c.relname::text, c.oid::text, n.nspname::text
  from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  where c.relkind = 'S' and ${OF_USERS}
union all
(select 'key', r.oid::text, (
    select string_agg(a.attname, chr(10)) from pg_catalog.pg_attribute a
    where a.attrelid = r.oid
      and a.attnum = any ((i.indkey::int2[])[0:i.indnkeyatts - 1])), coalesce((
    select string_agg(a.attname, chr(10)) from pg_catalog.pg_attribute a
    where a.attrelid = r.oid and not a.attnotnull
      and a.attnum = any ((i.indkey::int2[])[0:i.indnkeyatts - 1])), '')
  from pg_catalog.pg_index i join r on r.oid = i.indrelid
  where i.indisunique and i.indisvalid and i.indimmediate
    and i.indpred is null and i.indexprs is null
    and (r.kind = 'p' or not exists (
      select from pg_catalog.pg_inherits h where h.inhparent = r.oid))
  order by i.indisprimary desc)
union all
select distinct 'leaves out', r.oid::text, '', ''
  from pg_catalog.pg_trigger t join r on r.oid = t.tgrelid
  join pg_catalog.pg_proc p on p.oid = t.tgfoid
  join pg_catalog.pg_language l on l.oid = p.prolang
  where not t.tgisinternal and t.tgtype & 3 = 3 and t.tgtype & 24 <> 0
    and (l.lanname <> 'plpgsql' or pg_catalog.regexp_replace(
      p.prosrc, '[[:<:]]return[[:space:]]+(new|old)[[:>:]]', '', 'gi')
      ~* '[[:<:]]return[[:>:]]')
union all
select distinct 'leaves out', r.oid::text, '', ''
  from pg_catalog.pg_rewrite w join r on r.oid = w.ev_class
  where w.rulename <> '_RETURN'
union all
select 'unique', r.oid::text, coalesce((
    select string_agg(a.attname, chr(10)) from pg_catalog.pg_attribute a
    where a.attrelid = r.oid
      and a.attnum = any ((i.indkey::int2[])[0:i.indnkeyatts - 1])), ''), ''
  from pg_catalog.pg_index i join r on r.oid = i.indrelid
  where i.indisunique and i.indisvalid
union all
select distinct 'excluding', r.oid::text, '', ''
  from pg_catalog.pg_index i join r on r.oid = i.indrelid
  where i.indisexclusion or i.indisunique and i.indexprs is not null
union all
select 'child', c.name, p.name, c.oid || ' ' || p.oid || ' ' || p.kind::text
  from pg_catalog.pg_inherits h
  join r c on c.oid = h.inhrelid join r p on p.oid = h.inhparent
union all
select 'cascade', c.name, p.name, '' from pg_catalog.pg_constraint f
  join r c on c.oid = f.conrelid join r p on p.oid = f.confrelid
  where f.contype = 'f' and f.confdeltype in ('c', 'n', 'd')
union all
select 'cascade', c.name, p.name, (
    select string_agg(a.attname, chr(10)) from pg_catalog.pg_attribute a
    where a.attrelid = p.oid and a.attnum = any (f.confkey))
  from pg_catalog.pg_constraint f
  join r c on c.oid = f.conrelid join r p on p.oid = f.confrelid
  where f.contype = 'f' and f.confupdtype in ('c', 'n', 'd')
union all
select 'reference', c.name, p.name,
  case when f.confdeltype in ('c', 'n', 'd') or f.confupdtype in ('c', 'n', 'd')
    then 'cascade' else '' end
  from pg_catalog.pg_constraint f
  join r c on c.oid = f.conrelid join r p on p.oid = f.confrelid
  where f.contype = 'f'
union all
select 'view', s.* from (
  select oid, name, pg_catalog.pg_get_viewdef(oid) as def
    from r where kind in ('v', 'm') offset 0) v,
  lateral (select v.name, ${parts("v.def", "v.oid::text")}) s
union all
select 'trigger', s.* from (
  select t.oid, r.name, p.prosrc as def from pg_catalog.pg_trigger t
    join r on r.oid = t.tgrelid join pg_catalog.pg_proc p on p.oid = t.tgfoid
    where not t.tgisinternal
  union all
  select w.oid, r.name, pg_catalog.pg_get_ruledef(w.oid)
    from pg_catalog.pg_rewrite w
    join r on r.oid = w.ev_class where w.rulename <> '_RETURN') v,
  lateral (select v.name, ${parts("v.def", "v.oid::text")}) s
union all
select 'policy', s.* from (
  select p.oid, r.name, concat_ws(' ', pg_catalog.pg_get_expr(p.polqual, p.polrelid),
      pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid)) as def
    from pg_catalog.pg_policy p join r on r.oid = p.polrelid
    where r.secured offset 0) v,
  lateral (select v.name, ${parts("v.def", "v.oid::text")}) s
union all
select 'function', s.* from (
  select p.oid, p.proname::text as name, pg_catalog.pg_get_functiondef(p.oid) as def
    from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid = p.pronamespace
    join pg_catalog.pg_language l on l.oid = p.prolang
    where ${OF_USERS} and l.lanname in ('sql', 'plpgsql')
      and p.prokind in ('f', 'p') and p.provolatile <> 'i' offset 0) v,
  lateral (select v.name, ${parts("v.def", "v.oid::text")}) s
union all
select 'body', s.* from (
  select p.oid, p.proname::text as name, case
      when p.prokind = 'a' then 'select ' || a.aggtransfn::regproc || '()'
      else pg_catalog.pg_get_functiondef(p.oid) end as def
    from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid = p.pronamespace
    join pg_catalog.pg_language l on l.oid = p.prolang
    left join pg_catalog.pg_aggregate a on a.aggfnoid = p.oid
    where ${OF_USERS} and (p.provolatile = 'i' or l.lanname not in ('sql', 'plpgsql')
      or p.prokind not in ('f', 'p'))
      and (p.prokind = 'a' or l.lanname not in ('c', 'internal')
        or p.prosrc ~ '^(dblink|be_lo_|pg_)')
    offset 0) v,
  lateral (select v.name, ${parts("v.def", "v.oid::text")}) s
union all
select 'functions', s.* from (
  select string_agg(distinct p.proname, chr(10)) as def
    from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid = p.pronamespace
    where n.nspname not like 'pg\\_temp%' offset 0) v,
  lateral (select '', ${parts("v.def")}) s
union all
select distinct 'volatile', p.proname::text, l.lanname::text, ''
  from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid = p.pronamespace
  join pg_catalog.pg_language l on l.oid = p.prolang
  where ${OF_USERS} and p.provolatile = 'v'
union all
select distinct 'stable', p.proname::text, '', ''
  from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid = p.pronamespace
  join pg_catalog.pg_language l on l.oid = p.prolang
  where ${OF_USERS} and p.provolatile = 's'
    and l.lanname not in ('sql', 'plpgsql', 'c', 'internal')
union all
select 'columns', s.* from (
  select a.attrelid::text as oid, json_agg(json_build_array(
      a.attnum, a.attname, a.atttypid::int8,
      a.flags || case when not k.collisdeterministic then 'n' else '' end
        || case when q.name is null or
          pg_catalog.has_sequence_privilege(q.name, 'usage') then coalesce(r.given, '') else '' end,
      coalesce('nextval(' || quote_literal(q.name) || '::regclass)',
        substr(pg_catalog.pg_get_expr(d.adbin, d.adrelid), 1, ${MAX_DEFAULT})))
      order by a.attnum)::text as def
    from a left join pg_catalog.pg_attrdef d
      on d.adrelid = a.attrelid and d.adnum = a.attnum
    left join lateral (
      select case when has_column_privilege(r.oid, a.attnum, 'insert') then 'w' else '' end as given
      from r where r.oid = a.attrelid and r.kind in ('r', 'p')
        and (d.adbin is not null or a.flags ~ '[ad]')
        and not exists (select from pg_catalog.pg_rewrite w
          where w.ev_class = r.oid and w.ev_type = '3')) r on true
    left join lateral (
      select pg_catalog.pg_get_serial_sequence(
        quote_ident(r.schema) || '.' || quote_ident(r.name), a.attname) as name
      from r where r.oid = a.attrelid and a.flags ~ '[ad]') q on true
    left join pg_catalog.pg_collation k on k.oid = a.attcollation
    where (select count(*) from a) <= ${MAX_COLUMNS}
    group by a.attrelid) v,
  lateral (select v.oid, ${parts("v.def")}) s
union all
select 'changer', oid, tgfoid::text, encode(tgargs, 'escape') from changers
union all
select 'changer', r.oid::text, '0', '' from pg_catalog.pg_rewrite w
  join r on r.oid = w.ev_class
  where w.is_instead and w.rulename <> '_RETURN' and w.ev_type <> '4'
    and pg_catalog.pg_get_ruledef(w.oid) ilike '% returning %'
union all
select 'change', s.* from (
  select p.oid::text, p.prosrc as def, l.lanname || ' ' || p.proname as name
    from pg_catalog.pg_proc p join pg_catalog.pg_language l on l.oid = p.prolang
    where p.oid in (select tgfoid from changers)) v,
  lateral (select v.oid, ${parts("v.def", "v.name")}) s
union all
select 'domain', t.oid::text, substr(t.typdefault, 1, ${MAX_DEFAULT}), ''
  from pg_catalog.pg_type t where t.typtype = 'd' and t.typdefault is not null and t.oid >= 10000
union all
${TYPES}`;
