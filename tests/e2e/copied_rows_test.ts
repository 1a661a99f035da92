import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import postgres from "postgres";
import { isMismatch, isNoise } from "../../src/stats/mod.ts";
import { onServer } from "../support/on_server.ts";
import {
  assertEqualTables,
  count,
  type LoggedTwin,
  mismatches,
  startLoggedTwin,
} from "../support/primary_log.ts";
import { hasProgram, PYTHON, runProgram } from "../support/programs.ts";
import { seenResults } from "../support/seen_results.ts";

const SCHEMA = `
create table orders (
  id bigserial primary key, token uuid default gen_random_uuid(),
  name text, n int, who int, at timestamptz not null default now(),
  t timestamp default clock_timestamp(), day date default current_date,
  fixed int default 7, double int generated always as (who * 2) stored
);
create table items (
  name text, id int generated always as identity primary key, who int,
  code text default 'A-' || gen_random_uuid(), constraint small check (who < 1000000)
);
`;
const TABLES = ["orders", "items"];
const SCRIPT = new URL("../support/psycopg_copy.py", import.meta.url).pathname;

const connect = (url: string) =>
  postgres(url, { max: 1, fetch_types: false, onnotice() {} });

/** Sends data as they are, a message for each part. */
async function copy(
  sql: postgres.Sql,
  text: string,
  ...parts: readonly string[]
): Promise<void> {
  await pipeline(
    Readable.from(parts.map((part) => new TextEncoder().encode(part))),
    await sql.unsafe(text).writable(),
  );
}

/** By the extended protocol, prepared or not: rows in several messages. */
async function load(url: string, who: number, steps: number): Promise<void> {
  const sql = connect(url);
  for (let i = 0; i < steps; i++) {
    const data = [`a\\tb\t1\t${who}\nb`, `\t2\t${who}`, "\n", `c\t3\t${who}`];
    await pipeline(
      Readable.from(data),
      await sql`copy orders (name, n, who) from stdin`.writable(),
    );
    await copy(
      sql,
      "copy orders (who, n) from stdin with csv delimiter ';' quote '''' null 'x'",
      `'${who}';x\n`,
    );
    await copy(sql, "copy orders (who) from stdin", "");
    await copy(sql, "copy items (who) from stdin", `${who}\n`, "\\.\n");
  }
  await sql.end();
}

/** INSERTs of which the mirror is told all beside. */
async function insert(url: string, who: number, steps: number): Promise<void> {
  const sql = connect(url);
  for (let i = 0; i < steps; i++) {
    const [row] =
      await sql`insert into orders (who) values (${who}) returning *`;
    await sql`update orders set n = ${i} where id = ${row?.id ?? 0}`;
    await sql`insert into items (who) values (${who})`;
  }
  await sql.end();
}

async function psql(url: string, text: string, data: string): Promise<void> {
  const file = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(file, data);
    await runProgram("psql", [
      url,
      "-Xqc",
      `\\copy ${text.replace("stdin", `'${file}'`)}`,
    ]);
  } finally {
    await Deno.remove(file);
  }
}

/** Nothing differs on both servers, and nothing was left to chance. */
async function assertAlike(
  twin: LoggedTwin,
  tables: readonly string[] = TABLES,
): Promise<void> {
  const { proxy } = twin;
  await proxy.settled();
  const own = proxy.logs.filter((line) => line.includes("by itself"));
  assert.deepEqual(own, []);
  assert.equal(count(proxy, "mirror_log_missed_total"), 0);
  await assertEqualTables(twin, tables);
  const differ = (result: number) => isMismatch(result) || isNoise(result);
  assert.deepEqual(await seenResults(proxy, differ, 10_000), []);
}

for (const version of ["15", "18"] as const) {
  Deno.test({
    name:
      `copied rows: each format and driver beside INSERTs, 15 -> ${version}: equal rows, ids and times`,
    sanitizeOps: false,
    sanitizeResources: false,
    ignore: !hasProgram("psql"),
    async fn() {
      await using twin = await startLoggedTwin({ schema: SCHEMA, version });
      const url = twin.proxy.url();
      await Promise.all([
        runProgram(PYTHON, [SCRIPT, url, "load", "5", "2"]),
        load(url, 100, 10),
        load(url, 200, 10),
        insert(url, 300, 20),
        insert(url, 400, 20),
        psql(url, "orders (name, who) from stdin", "a\t1\n\\N\t2\n\\.\n"),
        psql(
          url,
          "orders (name, who) from stdin (format csv, header)",
          'name,who\n"a\r\n""b""",1\n,2',
        ),
      ]);
      await assertAlike(twin);
    },
  });
}

Deno.test({
  name:
    "copied rows: what the primary has rolled back or refused takes no number of another row, and none is lost",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    await using twin = await startLoggedTwin({ schema: SCHEMA });
    const url = twin.proxy.url();
    await Promise.all([
      runProgram(PYTHON, [SCRIPT, url, "fail", "10", "2"]),
      load(url, 100, 10),
      insert(url, 300, 20),
    ]);
    await assertAlike(twin);
  },
});

const NEXT = "select nextval('orders_id_seq') as next";

Deno.test({
  name:
    "copied rows: the mirror's sequence gives the number behind them to the next INSERT",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    await using twin = await startLoggedTwin({ schema: SCHEMA });
    const { primary, mirror, proxy } = twin;
    const sql = connect(proxy.url());
    await copy(sql, "copy orders (who) from stdin", "1\n2\n3\n");
    await sql`copy orders (who) from stdin`.writable().then((stream) =>
      pipeline(Readable.from(["4\n", "5"]), stream)
    );
    await sql`insert into orders (who) values (6)`;
    await sql.end();
    await assertAlike(twin, ["orders"]);
    const next = await Promise.all(
      [primary, mirror].map((server) =>
        onServer(server, (sql) => sql.unsafe(NEXT))
      ),
    );
    assert.deepEqual(next.map(([row]) => String(row?.next)), ["7", "7"]);
    assert.equal(count(proxy, "mirror_given_rows_total"), 6);
  },
});

Deno.test({
  name: "copied rows: lastval() and currval() behind them are answered",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    await using twin = await startLoggedTwin({ schema: SCHEMA });
    const sql = connect(twin.proxy.url());
    await copy(sql, "copy orders (who) from stdin", "1\n2\n");
    await sql`select lastval()`;
    await copy(sql, "copy items (who) from stdin", "1\n2\n");
    await sql`insert into orders (who) values (currval('items_id_seq'))`;
    await sql.end();
    await assertAlike(twin);
  },
});

/** The log has the rows of each by itself, COPY's data have them in turn. */
const PARTITIONED = `
create table events (id bigserial, kind numeric, who numeric) partition by list (kind);
create table events_1 partition of events for values in (1);
create table events_2 partition of events for values in (2);
`;

Deno.test({
  name: "copied rows: those of partitions are given nothing of others",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    await using twin = await startLoggedTwin({ schema: SCHEMA + PARTITIONED });
    const sql = connect(twin.proxy.url());
    const rows = [1, 2, 3, 4, 5, 6].map((who) => `${1 + who % 2}\t${who}\n`);
    await copy(sql, "copy events (kind, who) from stdin", ...rows);
    await sql.unsafe("select * from events order by who");
    await sql.end();
    const { statements } = await twin.proxy.settled();
    assert.deepEqual(mismatches(statements), []);
    assert.equal(count(twin.proxy, "mirror_given_rows_total"), 0);
    await assertEqualTables(twin, ["events"]);
  },
});

/** What the mirror has otherwise, and what shows it behind two COPYs. */
const DEFECTS: readonly (readonly [
  name: string,
  defect: string,
  shows: string,
  result: string,
])[] = [
  [
    "a default that is an hour off",
    "alter table orders alter at set default now() - interval '1 hour'",
    "select at from orders where who = 1",
    "mismatch_rows",
  ],
  [
    "another default",
    "alter table orders alter fixed set default 8",
    "select fixed from orders where who = 1",
    "mismatch_rows",
  ],
  [
    "a trigger that is lost",
    "drop trigger counted on orders",
    "select n from orders where who = 1",
    "mismatch_rows",
  ],
  [
    "a trigger that sets a given column",
    "create function g() returns trigger language plpgsql as $$begin new.at := '2020-01-01'; return new; end$$; create trigger h before insert on orders for each row execute function g()",
    "select at from orders where who = 1",
    "mismatch_rows",
  ],
  [
    "a sequence that is behind",
    "select setval('orders_id_seq', 50)",
    "select 1",
    "mismatch_error_on_mirror",
  ],
];

const TRIGGER = `
create function f() returns trigger language plpgsql as $$begin new.n := 3; return new; end$$;
create trigger counted before insert on orders for each row execute function f();
insert into orders (who, token, at, t, day)
  select 0, null, '2026-01-01', null, null from generate_series(1, 100);
`;

for (const [name, defect, shows, result] of DEFECTS) {
  Deno.test({
    name: `copied rows: ${name} is found`,
    sanitizeOps: false,
    sanitizeResources: false,
    async fn() {
      await using twin = await startLoggedTwin({
        schema: SCHEMA + TRIGGER,
        defect,
      });
      const { proxy } = twin;
      const sql = connect(proxy.url());
      for (const who of [1, 2]) {
        await copy(sql, "copy orders (who) from stdin", `${who}\n`, `${who}`);
      }
      await sql.unsafe(shows);
      await sql.end();
      const { statements } = await proxy.settled();
      assert.ok(
        mismatches(statements).includes(result),
        JSON.stringify(statements),
      );
    },
  });
}

Deno.test({
  name: "copied rows: without a defect the same finds nothing",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    await using twin = await startLoggedTwin({ schema: SCHEMA + TRIGGER });
    const sql = connect(twin.proxy.url());
    for (const who of [1, 2]) {
      await copy(sql, "copy orders (who) from stdin", `${who}\n`, `${who}`);
      await copy(sql, "copy items (who) from stdin", `${who}\n`);
    }
    for (const [, , shows] of DEFECTS) await sql.unsafe(shows);
    await sql.end();
    await assertAlike(twin);
  },
});
