import assert from "node:assert/strict";
import postgres from "postgres";
import { isMismatch, isNoise } from "../../src/stats/mod.ts";
import {
  assertEqualTables,
  count,
  type LoggedTwin,
  rowsOf,
  startLoggedTwin,
} from "../support/primary_log.ts";
import { onServer } from "../support/on_server.ts";
import { runProgram } from "../support/programs.ts";
import { seenResults } from "../support/seen_results.ts";

const SCHEMA = `
create table products (id int primary key, name text, price numeric(10, 2), stock smallint);
insert into products select i, 'naïve ' || i, i * 1.05, i % 3 from generate_series(1, 20) i;
create table orders (
  id bigserial primary key, who int, label varchar(20), at timestamptz default now()
);
create table items (
  id int generated always as identity primary key, order_id bigint, product_id int,
  name text, price numeric(10, 2), note varchar(9), is_gift bool,
  token uuid default gen_random_uuid(), at timestamptz default clock_timestamp()
);
create table archive (
  n bigserial primary key, item_id int, name text, archived_at timestamptz, t timestamp
);
`;
const TABLES = ["orders", "items", "archive"];
/** The same rows in another order, so that no number of a row is the primary's by itself. */
const REVERSED = `
create table copy as select * from products order by id desc;
truncate products;
insert into products select * from copy;
drop table copy;
`;

const ITEMS = "insert into items (order_id, product_id, name, price)";

async function client(url: string, who: number, steps: number): Promise<void> {
  const sql = postgres(url, { max: 1, fetch_types: false, onnotice() {} });
  const run = (
    db: postgres.Sql | postgres.TransactionSql,
    text: string,
    ...values: (number | string | null)[]
  ) =>
    who % 3 === 0
      ? db.unsafe(text.replace(/\$(\d)/g, (_, n) => literal(values[n - 1])))
      : db.unsafe(text, values, { prepare: who % 3 === 1 });
  try {
    for (let i = 0; i < steps; i++) {
      const [{ id } = { id: 0 }] = await run(
        sql,
        "insert into orders (who, label) select $1, 'new' where not exists (select 1 from orders where who = -1) returning id, at",
        who,
      );
      await run(
        sql,
        `${ITEMS} select $1, p.id, p.name, p.price from products p where p.id between ${i} and ${
          i + 4
        }`,
        id,
      );
      await sql.begin(async (db) => {
        await run(
          db,
          `${ITEMS} select o.id, p.id, p.name, p.price * 1.5 from products p join orders o on o.id = $1 where p.stock = 1 union all select $1, null, $2, null`,
          id,
          `of ${who}`,
        );
        await assert.rejects(
          db.savepoint(async (inner) => {
            await run(
              inner,
              "insert into items (product_id, note) (select id, 'away' from products)",
            );
            await run(inner, "select 1 / 0");
          }),
          { code: "22012" },
        );
        await run(
          db,
          "with cheap as (select id from products where price < 5) insert into items (product_id, is_gift, note) select distinct id, true, $1 from cheap",
          `n${who}`,
        );
        await run(
          db,
          "insert into archive (item_id, name, archived_at, t) select i.id, name, now(), localtimestamp from items as i where order_id = $1 -- all of them",
          id,
        );
      });
      await run(
        sql,
        "insert into items (order_id, note) select max(id), $2 from orders where id = $1 group by id having count(*) > 0",
        id,
        `sum ${who}`,
      );
      await run(
        sql,
        "insert into archive (n, item_id, name) with last as (select id, name from items where order_id = $1 order by id limit 1) select nextval('archive_n_seq'), $2, name from last;",
        id,
        1_000 * who + i,
      );
      await run(
        sql,
        "insert into items (order_id, note) select o.id, label from orders o where o.id = $1",
        id,
      );
      await run(
        sql,
        "select id, token, at, name from items where order_id = $1 order by id",
        id,
      );
      await run(sql, "insert into orders (who) values ($1) returning id", who);
    }
  } finally {
    await sql.end();
  }
}

function literal(value: number | string | null | undefined): string {
  return typeof value === "string" ? `'${value}'` : String(value);
}

/** Its parameters are binary, of the types that the primary has told it. */
const ASYNCPG = `
import asyncio, asyncpg, sys
async def main():
    db = await asyncpg.connect(sys.argv[1])
    for i in range(10):
        id = await db.fetchval(
            "insert into orders (who, label) select $1, $2 where not exists (select 1 from orders where who = -1) returning id", i, "of asyncpg")
        await db.execute(
            "insert into items (order_id, product_id, name, note) select $1, p.id, p.name, $2 from products p where p.id = any($3)",
            id, "binary", [1, 2, 3])
        # Of one that stands elsewhere, too, that place decides.
        await db.execute(
            "insert into archive (item_id, name) select $1, 'twice' from products p where p.id <= $1 and p.id = 1", i)
    await db.close()
asyncio.run(main())
`;

async function settle({ proxy }: LoggedTwin) {
  await proxy.settled();
  const differ = (result: number) => isMismatch(result) || isNoise(result);
  return await seenResults(proxy, differ, 10_000);
}

for (const version of ["15", "18"] as const) {
  Deno.test({
    name:
      `inserted queries: rows are the primary's, ids, tokens and times, 15 -> ${version}`,
    sanitizeOps: false,
    sanitizeResources: false,
    async fn() {
      await using twin = await startLoggedTwin({
        schema: SCHEMA,
        defect: REVERSED,
        version,
      });
      const { proxy } = twin;
      await Promise.all(
        Array.from({ length: 6 }, (_, who) => client(proxy.url(), who, 12)),
      );
      assert.deepEqual(await settle(twin), []);
      assert.equal(count(proxy, "mirror_log_missed_total"), 0);
      await assertEqualTables(twin, TABLES);
    },
  });
}

Deno.test({
  name: "inserted queries: binary parameters are of the type that they had",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    await using twin = await startLoggedTwin({ schema: SCHEMA });
    await runProgram("/usr/bin/python3", ["-c", ASYNCPG, twin.proxy.url()]);
    assert.deepEqual(await settle(twin), []);
    assert.deepEqual(
      await rowsOf(twin.mirror, "orders"),
      await rowsOf(twin.primary, "orders"),
    );
    const given = (cluster: LoggedTwin["primary"]) =>
      onServer(
        cluster,
        (sql) => sql`select * from items where note = 'binary' order by id`,
      );
    const theirs = await given(twin.primary);
    assert.equal(theirs.length, 30);
    assert.deepEqual(await given(twin.mirror), theirs);
  },
});

Deno.test({
  name:
    "inserted queries: without the log RETURNING tells ids, tokens and times",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    await using twin = await startLoggedTwin({
      schema: SCHEMA,
      defect:
        "select nextval(oid::regclass) from pg_class, generate_series(1, 1000) where relkind = 'S';",
      proxy: { general: { mirror_pacing: "asap" } },
      isLogged: false,
    });
    const { proxy } = twin;
    const sql = postgres(proxy.url(), { max: 1, fetch_types: false });
    for (let i = 0; i < 5; i++) {
      await sql`insert into items (order_id, product_id)
        select ${i}, id from products order by id returning id, token, at`;
      await sql`insert into items (order_id) select 7 from products where id = ${
        i + 1
      } returning *`;
    }
    await sql.end();
    assert.deepEqual(await settle(twin), []);
    await assertEqualTables(twin, ["items"]);
  },
});

const COPIED =
  "insert into items (product_id, name) select id, name from products";

/** What the mirror has otherwise, and a statement that shows it. */
const DEFECTS: readonly {
  readonly name: string;
  readonly defect: string;
  readonly shows: string;
  readonly result: string;
}[] = [
  {
    name: "a row of the query has another value",
    defect: "update products set name = 'wrong' where id = 7;",
    shows: "select count(*) from items where name = 'naïve 7'",
    result: "mismatch_rows",
  },
  {
    name: "a row of the query is missing",
    defect: "delete from products where id = 7;",
    shows: COPIED,
    result: "mismatch_command_tag",
  },
  {
    name: "the query has a row too many",
    defect: "insert into products values (99, 'more');",
    shows: COPIED,
    result: "mismatch_command_tag",
  },
  {
    name: "a default is an hour off",
    defect: "alter table items alter at set default now() - interval '1 hour';",
    shows: "select at from items order by id limit 1",
    result: "mismatch_rows",
  },
  {
    name: "a column that is left out has another default",
    defect: "alter table items alter note set default 'wrong';",
    shows: "select note from items order by id limit 1",
    result: "mismatch_rows",
  },
];

for (const { name, defect, shows, result } of DEFECTS) {
  Deno.test({
    name: `inserted queries: ${name}: it is found`,
    sanitizeOps: false,
    sanitizeResources: false,
    async fn() {
      await using twin = await startLoggedTwin({ schema: SCHEMA, defect });
      const sql = postgres(twin.proxy.url(), { max: 1, fetch_types: false });
      await sql.unsafe(COPIED);
      await sql.unsafe(shows);
      await sql.end();
      const seen = await settle(twin);
      assert.ok(
        seen.some((one) =>
          one.result === result && one.text.startsWith(shows.slice(0, 20))
        ),
        JSON.stringify(seen),
      );
    },
  });
}
