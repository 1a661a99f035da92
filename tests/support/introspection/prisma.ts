import postgres from "postgres";

/** What Prisma's schema engine reads of the catalogs, by the same joins and parameters. */
const READS = [
  `select ns.nspname as namespace_name from pg_namespace ns
   where ns.nspname = any ($1) order by ns.nspname`,
  `select t.relname as table_name, ns.nspname as namespace,
     (t.relhassubclass and t.relkind = 'p') as is_partition,
     (t.relhassubclass and t.relkind = 'r') as has_subclass,
     t.relrowsecurity as has_row_level_security, t.reloptions,
     obj_description(t.oid, 'pg_class') as description
   from pg_class t join pg_namespace ns on ns.oid = t.relnamespace
   where (t.relkind = 'r' and not t.relispartition or t.relkind in ('p', 'f'))
     and ns.nspname = any ($1)
   order by namespace, table_name`,
  `select v.viewname as view_name, v.definition as view_sql, v.schemaname as namespace,
     obj_description(c.oid, 'pg_class') as description
   from pg_catalog.pg_views v
   join pg_catalog.pg_namespace ns on v.schemaname = ns.nspname
   join pg_catalog.pg_class c on c.relnamespace = ns.oid and c.relname = v.viewname
   where schemaname = any ($1)`,
  `select o.namespace, i.table_name, i.column_name,
     format_type(a.atttypid, a.atttypmod) as formatted_type,
     i.numeric_precision, i.numeric_scale, i.datetime_precision, i.data_type,
     i.udt_schema as type_schema_name, i.udt_name as full_data_type,
     pg_get_expr(d.adbin, d.adrelid) as column_default, i.is_nullable, i.is_identity,
     i.character_maximum_length, col_description(a.attrelid, ordinal_position) as description
   from information_schema.columns i
   join pg_attribute a on a.attname = i.column_name
   join (select c.oid, relname, ns.nspname as namespace from pg_class c
         join pg_namespace ns on ns.oid = c.relnamespace and ns.nspname = any ($1)
         where reltype > 0) o
     on o.oid = a.attrelid and relname = i.table_name and namespace = i.table_schema
   left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
   where table_schema = any ($1)
   order by namespace, table_name, ordinal_position`,
  `select k.oid as con_id, child.attname as child_column, target.relname as parent_table,
     parent.attname as parent_column, k.confdeltype, k.confupdtype, conname as constraint_name,
     table_name, namespace, condeferrable, condeferred
   from (select ns.nspname as namespace, unnest(f.conkey) as parent, unnest(f.confkey) as child,
           c.relname as table_name, generate_subscripts(f.conkey, 1) as position, f.*
         from pg_class c join pg_constraint f on f.conrelid = c.oid
         join pg_namespace ns on c.relnamespace = ns.oid
         where ns.nspname = any ($1) and f.contype = 'f' order by position) k
   join pg_attribute parent on parent.attrelid = k.confrelid and parent.attnum = k.child
   join pg_class target on target.oid = k.confrelid
   join pg_attribute child on child.attrelid = k.conrelid and child.attnum = k.parent
   order by namespace, table_name, constraint_name, con_id, k.position`,
  `select ns.nspname as namespace, t.relname as table_name, k.conname as constraint_name,
     k.contype as constraint_type, pg_get_constraintdef(k.oid) as constraint_definition,
     k.condeferrable as is_deferrable, k.condeferred as is_deferred
   from pg_constraint k join pg_class t on t.oid = k.conrelid
   join pg_namespace ns on ns.oid = t.relnamespace
   where ns.nspname = any ($1) and contype not in ('p', 'u', 'f')
   order by namespace, table_name, k.contype, constraint_name`,
  `with raw as (
     select indrelid, indexrelid, indisunique, indisprimary, unnest(indkey) as key,
       generate_subscripts(indkey, 1) as position, unnest(indclass) as class,
       unnest(indoption) as option
     from pg_index where indpred is null and not indisexclusion)
   select ns.nspname as namespace, i.relname as index_name, t.relname as table_name,
     a.attname as column_name, raw.indisunique as is_unique, raw.indisprimary as is_primary_key,
     raw.position as column_index, opc.opcname as opclass, opc.opcdefault, am.amname as index_algo,
     case raw.option & 1 when 1 then 'DESC' else 'ASC' end as column_order,
     k.condeferrable, k.condeferred
   from raw
   join pg_class t on t.oid = raw.indrelid join pg_class i on i.oid = raw.indexrelid
   join pg_namespace ns on ns.oid = t.relnamespace
   left join pg_attribute a on a.attrelid = t.oid and a.attnum = raw.key
   join pg_am am on am.oid = i.relam left join pg_opclass opc on opc.oid = raw.class
   left join pg_constraint k on raw.indexrelid = k.conindid and k.contype <> 'f'
   where ns.nspname = any ($1)
   order by namespace, table_name, index_name, column_index`,
  `select sequence_name, sequence_schema as namespace, start_value::int8,
     minimum_value::int8 as min_value, maximum_value::int8 as max_value,
     increment::int8 as increment_by, (case cycle_option when 'yes' then true else false end) as cycle
   from information_schema.sequences where sequence_schema = any ($1) order by sequence_name`,
  `select t.typname as name, e.enumlabel as value, ns.nspname as namespace,
     obj_description(t.oid, 'pg_type') as description
   from pg_type t join pg_enum e on t.oid = e.enumtypid
   join pg_catalog.pg_namespace ns on ns.oid = t.typnamespace
   where ns.nspname = any ($1) order by e.enumsortorder`,
  `select t.typname as name, ns.nspname as namespace
   from pg_type t join pg_catalog.pg_namespace ns on ns.oid = t.typnamespace
   where ns.nspname = any ($1) and t.typtype = 'b' and t.typinput::regproc::text <> 'array_in'`,
  `select p.proname as name, ns.nspname as namespace,
     case when l.lanname = 'internal' then p.prosrc else pg_get_functiondef(p.oid) end as definition
   from pg_proc p left join pg_namespace ns on p.pronamespace = ns.oid
   left join pg_language l on p.prolang = l.oid
   where ns.nspname = any ($1) and p.prokind = 'f'`,
  `select e.extname as extension_name, e.extversion as extension_version,
     e.extrelocatable as extension_relocatable, ns.nspname as extension_schema
   from pg_extension e join pg_namespace ns on e.extnamespace = ns.oid
   where ns.nspname = any ($1) order by e.extname`,
] as const;

/** Reads the schema as Prisma does before it writes a model or a migration. */
export async function readAsPrisma(port: number): Promise<void> {
  const sql = postgres(`postgres://postgres@127.0.0.1:${port}/postgres`, {
    max: 1,
    fetch_types: false,
  });
  try {
    await sql`select version(), current_setting('server_version_num')::integer as numeric_version`;
    for (const text of READS) {
      const parameters = text.includes("$1") ? ["{app,public}"] : [];
      const rows = await sql.unsafe(text, parameters, { prepare: true });
      if (rows.length === 0 && !/typtype = 'b'/.test(text)) {
        throw new Error(`No rows: ${text}`);
      }
    }
  } finally {
    await sql.end();
  }
}
