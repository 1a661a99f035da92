import assert from "node:assert/strict";
import postgres from "postgres";
import { type Cluster, startCluster } from "../support/cluster.ts";
import { onServer } from "../support/on_server.ts";
import { mirrored, Program } from "../support/program.ts";
import { TestProxy } from "../support/proxy.ts";
import { isMismatch, isNoise } from "../../src/stats/mod.ts";
import {
  assertEqualTables,
  count,
  LOG,
  LOGICAL,
  LOGIN,
  mismatches,
  NOT_READ,
  READ,
  rowsOf,
  said,
  startLoggedTwin,
} from "../support/primary_log.ts";
import { seenResults } from "../support/seen_results.ts";
import { waitFor } from "../support/wait.ts";

const SCHEMA = `
create table orders (
  id bigserial primary key, token uuid default gen_random_uuid(),
  total int, who int, at timestamptz default now(), t timestamp default clock_timestamp()
);
create table items (
  id bigint generated always as identity primary key, n int, who int,
  at timestamptz not null default now()
);
create table "Odd ""Names""" (
  "Id" serial primary key, "naïve [x]" text, "select" uuid default gen_random_uuid()
);
create table names (name text primary key, id serial, at timestamptz default now(), n int default 0);
insert into names values ('taken', 0, '2026-01-01');
`;
const UNLOGGED =
  "create unlogged table hits (id serial, who int, at timestamptz default now());";
const TABLES = ["orders", "items", '"Odd ""Names"""', "names"];

/** Drawn on the mirror, by nobody: its sequences are elsewhere. */
const DRIFT =
  "select nextval(oid::regclass) from pg_class, generate_series(1, 1000) where relkind = 'S'";

const literal = (value: number | string | undefined) =>
  typeof value === "string" ? `'${value}'` : String(value);

/** What one client of several does: nobody is told anything. */
async function shop(url: string, who: number, steps: number): Promise<void> {
  const sql = postgres(url, {
    max: 1,
    prepare: who % 2 === 0,
    fetch_types: false,
    onnotice() {},
  });
  const isSimple = who % 4 === 1;
  const run = (
    db: postgres.Sql | postgres.TransactionSql,
    text: string,
    ...values: (number | string)[]
  ) =>
    isSimple
      ? db.unsafe(text.replace(/\$(\d)/g, (_, n) => literal(values[n - 1])))
      : db.unsafe(text, values, { prepare: who % 2 === 0 });
  try {
    for (let i = 0; i < steps; i++) {
      const total = i + 10;
      await run(
        sql,
        "insert into orders (total, who) values ($1, $2)",
        total,
        who,
      );
      await run(
        sql,
        "insert into orders (who, at, t, token, id) values ($1, now(), localtimestamp, gen_random_uuid(), nextval('orders_id_seq')), (1 + $1, now() - interval '1 day', clock_timestamp() at time zone 'UTC', gen_random_uuid(), nextval('orders_id_seq'))",
        1000 * (who + 1) + 2 * i,
      );
      await run(
        sql,
        "update only orders o set at = now(), token = gen_random_uuid(), id = nextval('orders_id_seq'), t = current_timestamp + $1 * interval '1 day' where who = $2 and total = $1",
        total,
        who,
      );
      await run(
        sql,
        "insert into items (n, who) values ($1, $2), ($3, $2)",
        i,
        who,
        i + 1,
      );
      await sql.begin(async (db) => {
        await run(db, "insert into orders (who) values ($1)", who);
        await run(db, "insert into items (n) values ($1)", 7);
        await run(db, "insert into hits (who) values ($1)", who);
        // As Django's get_or_create() does it.
        await assert.rejects(
          db.savepoint(async (inner) => {
            await run(inner, "insert into items (who) values ($1)", who);
            await run(inner, "insert into names (name) values ('taken')");
          }),
          { code: "23505" },
        );
        await db.savepoint((inner) =>
          run(inner, "insert into items (who) values ($1)", 100 + who)
        );
        // Of several rows they have in common what now() gave.
        await run(
          db,
          "update orders set total = 1, at = now() where who = $1",
          who,
        );
      });
      await run(
        sql,
        "insert into names (name) values ($1) on conflict (name) do update set n = names.n + 1",
        `name ${i}`,
      );
      // Who was told nothing is like all others that were told nothing.
      await run(
        sql,
        'insert into "Odd ""Names""" ("naïve [x]") values (\'it\'\'s\')',
      );
    }
  } finally {
    await sql.end();
  }
}

for (const version of ["15", "18"] as const) {
  Deno.test({
    name:
      `primary's log: 8 clients that are told nothing, 15 -> ${version}: equal rows, ids and times`,
    sanitizeOps: false,
    sanitizeResources: false,
    async fn() {
      await using primary = await startCluster({
        version: "15",
        initSql: SCHEMA + UNLOGGED,
        settings: LOGICAL,
      });
      await using mirror = await startCluster({
        version,
        initSql: SCHEMA + UNLOGGED,
      });
      await onServer(mirror, (sql) => sql.unsafe(DRIFT));
      await using proxy = await TestProxy.start({
        primary,
        mirror,
        general: LOG,
        primaryKeys: LOGIN,
      });
      await said(proxy, READ);
      await said(proxy, "Mirror's schema is known");
      await Promise.all(
        Array.from({ length: 8 }, (_, who) => shop(proxy.url(), who, 20)),
      );
      await proxy.settled();
      assert.equal(count(proxy, "mirror_log_missed_total"), 0);
      await assertEqualTables({ primary, mirror }, TABLES);
      const differ = (result: number) => isMismatch(result) || isNoise(result);
      assert.deepEqual(await seenResults(proxy, differ, 10_000), []);
    },
  });
}

const PARTITIONED = `
create table events (
  id bigserial, kind int not null, who int, at timestamptz not null default now(),
  token uuid default gen_random_uuid(), primary key (kind, id)
) partition by list (kind);
create table events_1 partition of events for values in (1);
create table events_2 (who int, id bigint not null, kind int not null,
  token uuid default gen_random_uuid(), at timestamptz not null default now());
alter table events attach partition events_2 for values in (2);
create table places (id serial primary key, who int, at timestamptz default now());
create table shops (owner text) inherits (places);
`;

Deno.test({
  name:
    "primary's log: rows of partitions and heirs are the primary's, ids and times",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    await using twin = await startLoggedTwin({ schema: PARTITIONED });
    const { mirror, proxy } = twin;
    await onServer(mirror, (sql) => sql.unsafe(DRIFT));
    await Promise.all(
      Array.from({ length: 4 }, async (_, who) => {
        const sql = postgres(proxy.url(), { max: 1, fetch_types: false });
        for (let i = 0; i < 10; i++) {
          await sql`insert into events (kind, who) values (1, ${who}), (2, ${who})`;
          await sql`insert into places (who) values (${who})`;
          await sql`insert into shops (who, owner) values (${who}, 'x')`;
          await sql`update events set at = now(), who = ${
            10 * who + i
          } where who = ${who}`;
          await sql.begin(async (db) => {
            await db`insert into events (kind, who) values (2, ${100 + who})`;
            await db`insert into events_1 (kind, who) values (1, ${200 + who})
              returning id, at, token`;
          });
        }
        await sql.end();
      }),
    );
    const { statements } = await proxy.settled();
    assert.deepEqual(mismatches(statements), []);
    assert.equal(count(proxy, "mirror_log_missed_total"), 0);
    await assertEqualTables(twin, ["events", "places", "shops"]);
  },
});

Deno.test({
  name: "primary's log: a defect of one partition is found",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    await using twin = await startLoggedTwin({
      schema: PARTITIONED,
      defect:
        "create function f() returns trigger language plpgsql as $$begin new.who := new.who + 1; return new; end$$; create trigger x before insert on events_1 for each row execute function f()",
    });
    const { proxy } = twin;
    await onServer({ url: () => proxy.url() }, async (sql) => {
      await sql`insert into events (kind, who) values (1, 5), (2, 5)`;
      await sql`select who from events`;
    });
    const { statements } = await proxy.settled();
    assert.ok(mismatches(statements).includes("mismatch_rows"));
  },
});

async function slots(primary: Cluster): Promise<number> {
  const [row] = await onServer(
    primary,
    (sql) => sql`select count(*)::int as count from pg_replication_slots`,
  );
  return Number(row?.count);
}

Deno.test({
  name:
    "primary's log: its slot is gone with the proxy, and with another setting",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    await using primary = await startCluster({
      version: "15",
      initSql: SCHEMA + UNLOGGED,
      settings: LOGICAL,
    });
    await using mirror = await startCluster({
      version: "15",
      initSql: SCHEMA + UNLOGGED,
    });
    const options = { primary, mirror, general: LOG, primaryKeys: LOGIN };
    {
      await using proxy = await TestProxy.start(options);
      await said(proxy, READ);
      assert.equal(await slots(primary), 1);
      const { toml } = proxy;
      proxy.toml = toml.replace('"log"', '"answers"');
      await proxy.admin("RELOAD");
      await waitFor(
        "no slot with answers",
        async () => await slots(primary) === 0,
        10_000,
      );
      proxy.toml = toml;
      await proxy.admin("RELOAD");
      await said(proxy, READ, 2);
      assert.equal(await slots(primary), 1);
    }
    await waitFor(
      "no slot without a proxy",
      async () => await slots(primary) === 0,
      10_000,
    );
  },
});

Deno.test({
  name: "primary's log: its slot is gone with a proxy that is killed",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    await using primary = await startCluster({
      version: "15",
      settings: LOGICAL,
    });
    await using mirror = await startCluster({ version: "15" });
    await using program = new Program();
    const config = program.config(primary, 'mirror_values = "log"')
      .replace(`port = ${primary.port}`, `port = ${primary.port}\n${LOGIN}`);
    program.start(config + mirrored(mirror));
    await waitFor(
      "a slot",
      async () => await slots(primary) === 1,
      30_000,
    );
    program.kill("SIGKILL");
    await waitFor(
      "no slot without the proxy",
      async () => await slots(primary) === 0,
      10_000,
    );
  },
});

Deno.test({
  name:
    "primary's log: a primary that restarts is mirrored by its answers, and its log read again",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    await using primary = await startCluster({
      version: "15",
      initSql: SCHEMA + UNLOGGED,
      settings: LOGICAL,
    });
    await using mirror = await startCluster({
      version: "15",
      initSql: SCHEMA + UNLOGGED,
    });
    await using proxy = await TestProxy.start({
      primary,
      mirror,
      general: LOG,
      primaryKeys: LOGIN,
    });
    await said(proxy, READ);
    await said(proxy, "Mirror's schema is known");
    await shop(proxy.url(), 0, 3);
    await proxy.settled();
    const given = () => count(proxy, "mirror_given_rows_total");
    const before = given();
    assert.ok(before > 0);
    await primary.stop();
    await said(proxy, NOT_READ);
    // Another database would not come up in the moment between.
    await onServer(
      mirror,
      (sql) => sql.unsafe("alter sequence orders_id_seq restart 5000"),
    );
    await primary.start();
    await said(proxy, READ, 2);
    await shop(proxy.url(), 1, 3);
    const { statements } = await proxy.settled();
    assert.ok(given() > before);
    await assertEqualTables({ primary, mirror }, TABLES);
    assert.deepEqual(mismatches(statements), []);
  },
});

Deno.test({
  name:
    "primary's log: a role without REPLICATION, a server without wal_level, no login: words, and answers go on",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    const initSql =
      `${SCHEMA}; create role app login superuser; create role plain login`;
    await using primary = await startCluster({
      version: "15",
      initSql,
      settings: LOGICAL,
    });
    await using other = await startCluster({ version: "15", initSql });
    await using mirror = await startCluster({ version: "15", initSql });
    const cases = [
      [primary, 'user = "plain"', "its login has not REPLICATION"],
      [other, LOGIN, "wal_level"],
      [primary, "", "has no user for the source database"],
    ] as const;
    for (const [server, primaryKeys, words] of cases) {
      await using proxy = await TestProxy.start({
        primary: server,
        mirror,
        general: LOG,
        primaryKeys,
      });
      await said(proxy, NOT_READ);
      assert.ok(
        proxy.logs.some((line) =>
          line.includes(NOT_READ) && line.includes(words)
        ),
        `${words} in ${proxy.logs.join("\n")}`,
      );
      await said(proxy, "Mirror's schema is known");
      await onServer(
        { url: () => proxy.url() },
        (sql) =>
          sql`insert into names (name) values (${words}) returning id, at`,
      );
      await proxy.settled();
      assert.equal(count(proxy, "mirror_given_rows_total"), 1);
    }
  },
});

/** What the mirror has otherwise, and a statement of a client's that shows it. */
const DEFECTS: readonly (readonly [defect: string, shows: string])[] = [
  [
    "create function f() returns trigger language plpgsql as $$begin new.total := new.total + 1; return new; end$$; create trigger x before insert on orders for each row execute function f()",
    "select total from orders",
  ],
  ["alter table names alter n set default 1", "select n from names"],
  [
    // It keeps no value that it is given.
    "create function f() returns trigger language plpgsql as $$begin new.at := new.at - interval '1 day'; return new; end$$; create trigger x before insert on items for each row execute function f()",
    "select at from items",
  ],
];

for (const [defect, shows] of DEFECTS) {
  Deno.test({
    name: `primary's log: a defect is found: ${shows}`,
    sanitizeOps: false,
    sanitizeResources: false,
    async fn() {
      await using primary = await startCluster({
        version: "15",
        initSql: SCHEMA + UNLOGGED,
        settings: LOGICAL,
      });
      await using mirror = await startCluster({
        version: "15",
        initSql: `${SCHEMA}${UNLOGGED}${defect}`,
      });
      await using proxy = await TestProxy.start({
        primary,
        mirror,
        general: LOG,
        primaryKeys: LOGIN,
      });
      await said(proxy, READ);
      await said(proxy, "Mirror's schema is known");
      await shop(proxy.url(), 2, 1);
      await onServer({ url: () => proxy.url() }, async (sql) => {
        await sql`insert into orders (total) values (5)`;
        await sql.unsafe(shows);
      });
      const { statements } = await proxy.settled();
      assert.ok(
        mismatches(statements).includes("mismatch_rows"),
        JSON.stringify(statements),
      );
    },
  });
}

Deno.test({
  name:
    "primary's log: a row that the primary has rolled back takes no number that another one was given",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    await using primary = await startCluster({
      version: "15",
      initSql: SCHEMA + UNLOGGED,
      settings: LOGICAL,
    });
    await using mirror = await startCluster({
      version: "15",
      initSql: SCHEMA + UNLOGGED,
    });
    await using proxy = await TestProxy.start({
      primary,
      mirror,
      general: LOG,
      primaryKeys: LOGIN,
    });
    await said(proxy, READ);
    await said(proxy, "Mirror's schema is known");
    const options = { max: 1, fetch_types: false, onnotice() {} };
    const [one, other] = [
      postgres(proxy.url(), options),
      postgres(proxy.url(), options),
    ];
    const away = new Error("rolled back");
    for (const prepare of [false, true]) {
      await assert.rejects(
        one.begin(async (db) => {
          await db.unsafe("insert into orders (who) values (1)", [], {
            prepare,
          });
          // It has the next number, and commits first.
          await other`insert into orders (who) values (2)`;
          await waitFor(
            "the other's row on the mirror",
            async () =>
              (await rowsOf(mirror, "orders")).length ===
                (await rowsOf(primary, "orders")).length,
            20_000,
          );
          throw away;
        }),
        away,
      );
    }
    await Promise.all([one.end(), other.end()]);
    const { statements } = await proxy.settled();
    assert.deepEqual(mismatches(statements), []);
    const rows = await rowsOf(primary, "orders");
    assert.equal(rows.length, 2);
    assert.deepEqual(await rowsOf(mirror, "orders"), rows);
  },
});
