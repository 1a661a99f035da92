import postgres from "postgres";

/** Objects of the schema, by what gives their OIDs. */
const OBJECTS = {
  table: "'app.orders'::regclass",
  view: "'app.open_orders'::regclass",
  index: "'app.orders_open'::regclass",
  parted: "'app.measure'::regclass",
  part: "'app.measure_2024'::regclass",
  sequence: "'app.orders_id_seq'::regclass",
  routine: "'app.total'::regproc",
  type: "'app.status'::regtype",
  types: "'app.status[]'::regtype",
  schema: "'app'::regnamespace",
  role: "'app_reader'::regrole",
  check: "(select oid from pg_constraint where conname = 'fair')",
  trigger: "(select oid from pg_trigger where tgname = 'touch')",
  rule: "(select oid from pg_rewrite where rulename = 'no_delete')",
  statistics: "(select oid from pg_statistic_ext)",
} as const;

/** What clients ask by an OID that they read before, a parameter or a literal. */
const QUESTIONS: readonly (readonly [keyof typeof OBJECTS, string])[] = [
  ["view", "select pg_get_viewdef($1::oid)"],
  ["view", "select pg_get_viewdef($1::oid, true) as definition, 1 as one"],
  [
    "index",
    "select pg_get_indexdef($1::oid), pg_get_indexdef($1::oid, 1, true)",
  ],
  ["check", "select pg_get_constraintdef($1::oid)"],
  ["trigger", "select pg_get_triggerdef($1::oid)"],
  ["rule", "select pg_get_ruledef($1::oid)"],
  ["routine", "select pg_get_functiondef($1::oid)"],
  [
    "routine",
    "select pg_get_function_arguments($1::oid), pg_get_function_result($1::oid)",
  ],
  ["routine", "select pg_function_is_visible($1::oid), $1::oid::regprocedure"],
  ["parted", "select pg_get_partkeydef($1::oid)"],
  [
    "part",
    "select pg_get_partition_constraintdef($1::oid), pg_partition_root($1::oid)",
  ],
  ["parted", "select relid, isleaf from pg_partition_tree($1::oid)"],
  ["statistics", "select pg_get_statisticsobjdef($1::oid)"],
  ["role", "select pg_get_userbyid($1::oid), $1::oid::regrole"],
  ["role", "select acldefault('r', $1::oid)"],
  ["role", "select shobj_description($1::oid, 'pg_authid')"],
  ["type", "select format_type($1::oid, null), pg_type_is_visible($1::oid)"],
  ["type", "select t, format_type(t, -1) from (values ($1::oid)) v(t)"],
  ["types", "select $1::oid::regtype, cast($1::oid as regtype)::text"],
  [
    "table",
    "select obj_description($1::oid, 'pg_class'), col_description($1::oid, 1)",
  ],
  ["table", "select pg_describe_object('pg_class'::regclass, $1::oid, 0)"],
  [
    "table",
    "select * from pg_identify_object('pg_class'::regclass, $1::oid, 0)",
  ],
  [
    "table",
    "select pg_table_is_visible($1::oid), has_table_privilege('app_reader', $1::oid, 'select')",
  ],
  [
    "table",
    "select pg_relation_size($1::oid), pg_total_relation_size($1::oid)",
  ],
  [
    "table",
    "select pg_stat_get_live_tuples($1::oid), pg_relation_filenode($1::oid)",
  ],
  ["table", "select $1::oid::regclass"],
  ["table", "select tableoid = $1::oid from app.orders where id = 1"],
  [
    "table",
    "select attname from pg_attribute where attrelid = $1::oid and attnum > 0",
  ],
  [
    "schema",
    "select $1::oid::regnamespace, has_schema_privilege('app_reader', $1::oid, 'usage')",
  ],
  ["sequence", "select pg_sequence_last_value($1::oid)"],
];

/** What gives OIDs, and nothing of a catalog stands in its FROM. */
const OIDS = [
  "select 'app.orders'::regclass::oid, 'app.total'::regproc::oid",
  "select 'app.status'::regtype::oid::bigint, 'app'::regnamespace::int",
  "select to_regclass('app.orders')::oid, to_regtype('app.status')::oid",
  "select pg_get_serial_sequence('app.orders', 'id')::regclass::oid",
  "select array['app.orders'::regclass::oid], row('app.orders'::regclass::oid, 1)",
  "select json_build_object('oid', 'app.orders'::regclass::oid)",
  "select tableoid, tableoid::regclass, id from app.orders where id = 1",
  "select max(tableoid::bigint), count(*) from app.measure",
  "select pg_typeof(state)::oid, pg_typeof(state) from app.orders where id = 1",
  "select (aclexplode(relacl)).* from pg_class where relname = 'customer'",
  "select * from app.orders_id_seq",
  "copy (select oid, relname from pg_class where relname = 'orders') to stdout",
  "select specific_name from information_schema.routines where routine_schema = 'app' order by 1",
  "select * from information_schema.columns where table_schema = 'app' order by 3, 5",
  "select * from information_schema.tables where table_schema = 'app' order by 3",
] as const;

/** Asks by OIDs of the primary, as parameters and as literals. */
export function askByOid(port: number): Promise<void> {
  return connected(port, async (sql) => {
    const oids = new Map<string, string>();
    for (const [name, object] of Object.entries(OBJECTS)) {
      const [row] = await sql.unsafe(`select ${object}::oid::text as oid`);
      oids.set(name, row?.oid);
    }
    for (const [object, text] of QUESTIONS) {
      const oid = oids.get(object) ?? "";
      await sql.unsafe(text, [oid], { prepare: true });
      await sql.unsafe(text.replaceAll("$1", oid)).simple();
      await sql.unsafe(text.replaceAll("$1", `'${oid}'`)).simple();
    }
    for (const text of OIDS) await sql.unsafe(text);
    await sql.begin(async (sql) => {
      await sql`declare listed cursor for select oid, relname from pg_class where relname like 'orders%' order by 2`;
      await sql`fetch all from listed`;
    });
    await sql`prepare definition(oid) as select pg_get_viewdef($1)`;
    await sql.unsafe(`execute definition(${oids.get("view")})`);
  });
}

/** Parameters with the OIDs of the schema's types, as drivers send them that have looked them up. */
export function sendOwnTypes(port: number): Promise<void> {
  return connected(port, async (sql) => {
    const [types] = await sql`
      select 'app.status'::regtype::oid::int as one, 'app.status[]'::regtype::oid::int as many,
        'app.address'::regtype::oid::int as row`;
    const state = () => sql.typed("sent" as never, types?.one);
    const states = () => sql.typed("{new,sent}" as never, types?.many);
    const address = () => sql.typed("(s,c,1)" as never, types?.row);
    await sql`select ${state()}, ${states()}, ${address()}`;
    await sql`select * from app.orders where state = ${state()} order by id limit 3`;
    await sql`select * from app.orders where state = any(${states()}) order by id limit 3`;
    const undone = new Error("Rolled back");
    await sql.begin(async (sql) => {
      await sql`update app.customer set lives = ${address()} where id = 1 returning id, lives`;
      await sql`select lives from app.customer where id = 1`;
      throw undone;
    }).catch((error) => {
      if (error !== undone) throw error;
    });
  });
}

async function connected(
  port: number,
  use: (sql: postgres.Sql) => Promise<void>,
): Promise<void> {
  const sql = postgres(`postgres://postgres@127.0.0.1:${port}/postgres`, {
    max: 1,
    fetch_types: false,
  });
  try {
    await use(sql);
  } finally {
    await sql.end();
  }
}
