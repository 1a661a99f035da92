import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import postgres from "postgres";
import type { PairReport } from "../../src/cli/doctor/output.ts";
import {
  type Cluster,
  pair,
  SHOP_DATABASE,
  startCluster,
} from "../support/cluster.ts";

const MAIN = fileURLToPath(new URL("../../main.ts", import.meta.url));
const OPTIONS = { sanitizeOps: false, sanitizeResources: false };

interface Answer {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `check` as a process. */
async function check(
  config: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  const path = await Deno.makeTempFile({ suffix: ".toml" });
  try {
    await Deno.writeTextFile(path, config);
    await Deno.chmod(path, 0o600);
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-q", "-A", MAIN, "check", "--config", path, ...args],
      env,
    }).output();
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    return { code, stdout: text(stdout), stderr: text(stderr) };
  } finally {
    await Deno.remove(path);
  }
}

function doctor(config: string, ...args: string[]): Promise<Answer> {
  return check(config, ["--connect", ...args]);
}

/** `severity rule object` of each finding, sorted. */
function found({ stdout, stderr }: Answer): string[] {
  assert.notEqual(stdout, "", stderr);
  const { pairs } = JSON.parse(stdout) as { pairs: PairReport[] };
  return pairs.flatMap(({ findings }) =>
    findings.map(({ severity, rule, object }) =>
      `${severity} ${rule} ${object}`
    )
  ).sort();
}

interface Login {
  readonly host?: string;
  readonly database?: string;
  readonly login?: string;
}

function config(
  primary: Pick<Cluster, "port">,
  mirror: Pick<Cluster, "port">,
  options: { source?: Login; destination?: Login; general?: string } = {},
): string {
  const { source = {}, destination = {}, general = "" } = options;
  const server = (port: number, login: Login) => `
host = "${login.host ?? "127.0.0.1"}"
port = ${port}
database_name = "${login.database ?? SHOP_DATABASE}"
${login.login ?? 'user = "postgres"\npassword = "postgres"'}`;
  return `
[general]
${general}
[[databases]]
name = "shop"${server(primary.port, source)}
[[databases]]
name = "next"${server(mirror.port, destination)}
[[mirroring]]
source_db = "shop"
destination_db = "next"
[admin]
password = "pw"
`;
}

function run(cluster: Cluster, ...statements: string[]): Promise<void> {
  return runIn(SHOP_DATABASE, cluster, ...statements);
}

async function runIn(
  database: string,
  cluster: Cluster,
  ...statements: string[]
): Promise<void> {
  const sql = postgres(cluster.url(database), {
    max: 1,
    onnotice() {},
  });
  try {
    for (const statement of statements) await sql.unsafe(statement);
  } finally {
    await sql.end();
  }
}

/** On both sides: kinds of objects that the shop has none of. Versions print some differently. */
const MORE_SCHEMA = [
  `create type mood as enum ('good', 'bad');
   create domain short as text check (length(value) < 10) not null;
   create type point3 as (x float8, y float8, z float8);
   create table events (id bigint generated always as identity, at date not null default '2024-01-01 10:00+00'::timestamptz,
     mood mood, price numeric, doubled numeric generated always as (price * 2) stored) partition by range (at);
   create table events_2024 partition of events for values from ('2024-01-01') to ('2025-01-01');
   create table events_2025 partition of events for values from ('2025-01-01') to ('2026-01-01');
   create index events_mood on events (mood) where price > 1.5;
   create table secrets (id int primary key, owner name, name short, tags text[] collate "C");
   alter table secrets enable row level security;
   create policy own_rows on secrets using (owner = current_user) with check (id > 0);
   create view paid as select orders.id, customers.name from orders join customers on customers.id = orders.customer_id where (orders.status = 'paid' or orders.note is null);
   create view one_table as select o.id, o.status from orders o where o.id > 5;
   create materialized view totals as select order_id, sum(price * quantity) as total from order_items group by order_id;
   create function total(o bigint) returns numeric language sql stable as 'select sum(price) from order_items where order_id = o';
   create function twice(a integer) returns integer language sql immutable return a * 2;
   create procedure nothing(a integer default 5) language plpgsql as 'begin end';
   create function touch() returns trigger language plpgsql as 'begin return new; end';
   create trigger touch_orders before update on orders for each row when (old.* is distinct from new.*) execute function touch();
   create rule quiet as on delete to secrets do instead nothing;
   create sequence tickets increment -2 cache 5;
   create statistics orders_both (dependencies) on customer_id, status from orders;
   create unlogged table scratch (id int);
   create extension citext; create extension pg_trgm; create extension pg_stat_statements;
   create role app login; create role team`,
  "create materialized view empty as select 1 as a where false",
  "insert into secrets values (1, 'app', 'x', '{}')",
  "analyze",
];

/** What makes the mirror differ, and the finding that must say so. */
const SEEDS: readonly (readonly [
  side: "primary" | "mirror",
  sql: string,
  ...expected: string[],
])[] = [
  [
    "mirror",
    "alter database shop set timezone = 'Europe/Berlin'",
    "error setting_results TimeZone",
    "error role_setting all roles in this database: TimeZone",
  ],
  [
    "mirror",
    "alter role postgres set work_mem = '1MB'",
    "warning setting_plans work_mem",
  ],
  [
    "primary",
    "alter role app set search_path = 'private, public'",
    "error role_setting role app: search_path",
    "warning role_setting_not_replayed role app: search_path",
  ],
  [
    "mirror",
    "drop extension pg_trgm",
    "error extension_missing extension pg_trgm",
  ],
  [
    "mirror",
    "drop extension citext; create extension citext version '1.5'",
    "warning extension_version extension citext",
  ],
  [
    "mirror",
    "drop table scratch",
    "error relations_missing table public.scratch",
  ],
  [
    "mirror",
    "create table spare (id int)",
    "note relations_extra table public.spare",
    "warning never_analyzed table public.spare",
  ],
  [
    "mirror",
    "alter table events detach partition events_2025",
    "error relations_partition_bound table public.events_2025",
    "error relations_parents table public.events_2025",
  ],
  [
    "mirror",
    "drop materialized view empty; create view empty as select 1 as a where false",
    "error relations_kind materialized view public.empty",
  ],
  [
    "mirror",
    "alter table products alter price type numeric(12, 2)",
    "error columns_type column public.products.price",
  ],
  [
    "mirror",
    "update orders set note = '' where note is null; alter table orders alter note set not null",
    "error columns_nullable column public.orders.note",
  ],
  [
    "mirror",
    "alter table stock alter sold set default 1",
    "error columns_default column public.stock.sold",
  ],
  [
    "mirror",
    "alter table audit drop detail, add extra int, add detail bytea",
    "error columns_extra column public.audit.extra",
    "error columns_position column public.audit.detail",
  ],
  [
    "mirror",
    "alter table products alter id set generated always",
    "error columns_identity column public.products.id",
  ],
  [
    "mirror",
    "drop index orders_customer_id",
    "warning indexes_missing index public.orders_customer_id",
  ],
  [
    "mirror",
    "create index products_name on products (name)",
    "note indexes_extra index public.products_name",
  ],
  [
    "mirror",
    "drop index events_mood; create index events_mood on events (mood) where price > 2.5",
    "warning indexes_definition index public.events_mood",
    "warning indexes_definition index public.events_2024_mood_idx",
  ],
  [
    "mirror",
    "alter table order_items drop constraint order_items_quantity_check",
    "error constraints_missing constraint order_items_quantity_check on public.order_items",
  ],
  [
    "mirror",
    "alter table customers add constraint two check (length(country) = 2) not valid",
    "warning constraints_extra constraint two on public.customers",
    "warning constraint_not_validated constraint two on public.customers",
  ],
  [
    "primary",
    "select nextval('customers_id_seq')",
    "error sequence_behind sequence public.customers_id_seq",
  ],
  [
    "primary",
    "select nextval('tickets')",
    "error sequence_behind sequence public.tickets",
  ],
  [
    "mirror",
    "alter sequence tickets cycle",
    "error sequences_cycles sequence public.tickets",
  ],
  [
    "mirror",
    "create or replace function total(o bigint) returns numeric language sql volatile as 'select 1.0'",
    "error functions_body function public.total(bigint)",
    "warning functions_volatility function public.total(bigint)",
  ],
  [
    "mirror",
    "create or replace function twice(a integer) returns integer language sql immutable return a * 3",
    "warning functions_sql_body function public.twice(integer)",
  ],
  [
    "mirror",
    "drop procedure nothing",
    "error functions_missing procedure public.nothing(integer)",
  ],
  [
    "mirror",
    "create or replace view one_table as select o.id, o.status from orders o where o.id > 6",
    "warning views_definition view public.one_table",
  ],
  [
    "mirror",
    "alter table orders disable trigger touch_orders",
    "error triggers_state trigger touch_orders on public.orders",
  ],
  [
    "mirror",
    "alter type mood add value 'fair'",
    "error types_definition type public.mood",
  ],
  [
    "mirror",
    "alter policy own_rows on secrets using (true)",
    "error policies_definition policy own_rows on public.secrets",
  ],
  [
    "mirror",
    "drop rule quiet on secrets",
    "error rules_missing rule quiet on public.secrets",
  ],
  [
    "mirror",
    "drop statistics orders_both",
    "warning extended_statistics_missing statistics object public.orders_both",
  ],
  [
    "mirror",
    "delete from order_items where line > 1; analyze order_items",
    "warning row_count table public.order_items",
  ],
  ["mirror", "drop role team", "warning role_missing role team"],
  [
    "mirror",
    "alter role app connection limit 3",
    "warning role_attribute role app",
  ],
  [
    "mirror",
    "create subscription incoming connection 'dbname=postgres' publication p with (connect = false)",
    'error replica level = "all"',
  ],
];

/** What two versions cause by themselves: the mirror's replays log in as the superuser, too. */
const EXPECTED = [
  "note setting_default effective_io_concurrency",
  "note version server version",
  "warning row_security_bypassed table public.secrets",
];

Deno.test({
  name: "check --connect: PostgreSQL 15 against 18",
  ...OPTIONS,
  async fn(t) {
    await using servers = await pair({ auth: "scram-sha-256" });
    const { primary, mirror } = servers;

    await t.step(
      "equal schemas: nothing but what the versions cause, exit 0",
      async () => {
        const answer = await doctor(
          config(primary, mirror),
          "--format",
          "json",
        );
        assert.deepEqual(found(answer), EXPECTED.slice(0, 2));
        assert.equal(answer.code, 0);
      },
    );

    await t.step("every kind of object, equal: no more than that", async () => {
      await run(primary, ...MORE_SCHEMA);
      await run(mirror, ...MORE_SCHEMA);
      const answer = await doctor(config(primary, mirror), "--format", "json");
      assert.deepEqual(found(answer), [
        // 18 brings newer ones along; their views' columns are no findings.
        "note extension_version extension citext",
        "note extension_version extension pg_stat_statements",
        ...EXPECTED,
      ]);
      assert.equal(answer.code, 1);
    });

    await t.step(
      "each seeded difference is found and named, and nothing else",
      async () => {
        for (const [side, sql] of SEEDS) {
          await run(side === "primary" ? primary : mirror, ...sql.split("; "));
        }
        await run(
          mirror,
          "create table fresh as select generate_series(1, 10) as id",
        );
        await run(
          primary,
          "create table fresh as select generate_series(1, 10) as id",
          "analyze fresh",
        );
        await assert.rejects(
          run(
            mirror,
            "create unique index concurrently broken on orders (status)",
          ),
        );
        const answer = await doctor(
          config(primary, mirror),
          "--format",
          "json",
        );
        assert.deepEqual(
          found(answer),
          [
            ...EXPECTED,
            "note extension_version extension pg_stat_statements",
            ...SEEDS.flatMap(([, , ...expected]) => expected),
            "warning never_analyzed table public.fresh",
            "note indexes_extra index public.broken",
            "error index_invalid index public.broken",
          ].sort(),
        );
        assert.equal(answer.code, 2);
      },
    );

    await t.step(
      "text: grouped, both values, what to do, a summary line",
      async () => {
        const { stdout, code } = await doctor(config(primary, mirror));
        assert.match(
          stdout,
          /schema\n(?:.*\n)*? {2}error {4}column public\.products\.price: type differs\n +primary +numeric\(10,2\)\n +mirror +numeric\(12,2\)\n/,
        );
        assert.match(
          stdout,
          /error {4}index public\.broken: is invalid .*\n +→ Run REINDEX/,
        );
        assert.match(stdout, /\n\d+ errors, \d+ warnings, \d+ notes\n$/);
        assert.equal(code, 2);
      },
    );

    await t.step("it reads only, and names itself", async () => {
      await run(primary, "alter system set log_statement = 'all'");
      await run(
        primary,
        "alter system set log_line_prefix = '%a|'",
        "select pg_reload_conf()",
      );
      await doctor(config(primary, mirror));
      const log = await Deno.readTextFile(primary.logFile);
      const own = log.split("\n").filter((line) =>
        line.startsWith("pgdog-mirror-check|")
      );
      assert.ok(own.length > 20, log);
      assert.match(
        own.join("\n"),
        /begin isolation level repeatable read read only/,
      );
    });

    await t.step(
      "a login without rights: what it lacks is said, the rest goes on",
      async () => {
        await run(
          mirror,
          "create role replayer login password 'replayer'",
          "grant select on all tables in schema public to replayer",
        );
        const answer = await doctor(
          config(primary, mirror, {
            destination: { login: 'user = "replayer"\npassword = "replayer"' },
          }),
          "--format",
          "json",
        );
        const lines = found(answer);
        assert.ok(
          lines.includes("warning privilege table public.orders"),
          lines.join("\n"),
        );
        assert.ok(lines.includes("warning privilege sequence public.tickets"));
        // Row security holds for it.
        assert.ok(
          !lines.some((line) => line.includes("row_security_bypassed")),
        );
        assert.ok(lines.includes("error index_invalid index public.broken"));
      },
    );

    await t.step(
      "no login for the source: said, and the mirror is looked at",
      async () => {
        const answer = await doctor(
          config(primary, mirror, { source: { login: "" } }),
          "--format",
          "json",
        );
        const lines = found(answer);
        assert.ok(
          lines.includes("error credentials primary"),
          lines.join("\n"),
        );
        assert.ok(lines.includes("error index_invalid index public.broken"));
        assert.equal(answer.code, 2);
      },
    );

    await t.step("without --connect no server is asked", async () => {
      const answer = await check(config({ port: 1 }, { port: 2 }), []);
      assert.match(answer.stdout, /: ok\n$/);
      assert.equal(answer.code, 0);
    });
  },
});

Deno.test({
  name: "check --connect: a mirror that is the primary is refused",
  ...OPTIONS,
  async fn(t) {
    await using server = await startCluster({
      version: "15",
      auth: "scram-sha-256",
      password: "pw",
      initSql: `create role plain login password 'plain';
         revoke execute on function pg_control_system from public`,
    });
    await runIn("postgres", server, "create database other");
    // By name and by number: the configuration alone can't tell.
    const itself = (login: string) =>
      config(server, server, {
        source: { database: "postgres", login },
        destination: { host: "localhost", database: "postgres", login },
      });
    const postgresLogin = 'user = "postgres"\npassword = "pw"';
    const plainLogin = 'user = "plain"\npassword = "plain"';

    await t.step(
      "by system identifier and start: exit 2, nothing compared",
      async () => {
        const answer = await doctor(itself(postgresLogin), "--format", "json");
        assert.deepEqual(found(answer), ["error identity mirror"]);
        assert.equal(answer.code, 2);
      },
    );

    await t.step(
      "where pg_control_system is not permitted, by the start alone",
      async () => {
        const answer = await doctor(itself(plainLogin), "--format", "json");
        assert.deepEqual(found(answer), ["error identity mirror"]);
        assert.match(answer.stdout, /system identifier not permitted/);
        assert.equal(answer.code, 2);
      },
    );

    await t.step("--force compares", async () => {
      const answer = await doctor(
        itself(postgresLogin),
        "--force",
        "--format",
        "json",
      );
      assert.deepEqual(found(answer), ["warning identity mirror"]);
      assert.equal(answer.code, 1);
    });

    await t.step(
      "another database of the same server is a warning",
      async () => {
        const answer = await doctor(
          config(server, server, {
            source: { database: "postgres", login: postgresLogin },
            destination: { database: "other", login: postgresLogin },
          }),
          "--format",
          "json",
        );
        assert.deepEqual(found(answer), ["warning identity mirror"]);
      },
    );

    await t.step(
      "the source's login from PGUSER, or from --password-file",
      async () => {
        const toml = config(server, server, {
          source: { database: "postgres", login: "" },
          destination: { database: "other", login: postgresLogin },
        });
        const args = ["--connect", "--format", "json"];
        const env = { PGUSER: "postgres", PGPASSWORD: "pw" };
        assert.equal((await check(toml, args, env)).code, 1);

        const file = await Deno.makeTempFile();
        await Deno.writeTextFile(file, "pw\n");
        const more = ["--user", "postgres", "--password-file", file];
        await Deno.chmod(file, 0o600);
        assert.equal((await check(toml, [...args, ...more])).code, 1);
        await Deno.chmod(file, 0o644);
        const open = await check(toml, [...args, ...more]);
        assert.match(open.stderr, /is open to others/);
        assert.equal(open.code, 2);
        await Deno.remove(file);

        const wrong = await check(toml, args, { ...env, PGPASSWORD: "no" });
        assert.deepEqual(found(wrong), ["error credentials primary"]);
        assert.match(wrong.stdout, /28P01/);
      },
    );

    await t.step(
      "what is not permitted is said, and all the rest compared",
      async () => {
        await runIn("postgres", server, "create table one (id int)");
        const answer = await doctor(
          config(server, server, {
            source: { database: "postgres", login: plainLogin },
            destination: { database: "other", login: plainLogin },
          }),
          "--format",
          "json",
        );
        assert.deepEqual(found(answer), [
          "error relations_missing table public.one",
          "note unread control", // the right was taken in one database
          "warning identity mirror",
        ]);
        assert.match(answer.stdout, /42501/);
      },
    );
  },
});
