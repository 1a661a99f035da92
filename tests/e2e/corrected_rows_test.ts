import assert from "node:assert/strict";
import postgres from "postgres";
import { onServer } from "../support/on_server.ts";
import type { TestProxy } from "../support/proxy.ts";
import {
  assertEqualTables,
  count,
  mismatches,
  rowsOf,
  said,
  startLoggedTwin,
} from "../support/primary_log.ts";
import { isMismatch, isNoise } from "../../src/stats/mod.ts";
import { seenResults } from "../support/seen_results.ts";

/** A trigger writes a row of its own, with a number, a token and a time that only the server knows. */
const SCHEMA = `
create table orders (
  id bigserial primary key, who int, status text not null default 'new'
);
create table audit (
  id bigserial primary key, order_id bigint not null references orders,
  status text, token uuid default gen_random_uuid(),
  at timestamptz not null default now(), t timestamp not null
);
create table "Log" ("Id" serial primary key, who int, at timestamptz default now());
create function audit_order() returns trigger language plpgsql as $$
begin
  insert into audit (order_id, status, t) values (new.id, new.status || ' é''$\\', localtimestamp);
  insert into "Log" (who) values (new.who);
  return null;
end $$;
create trigger audit_order after insert or update on orders
  for each row execute function audit_order();
`;
const TABLES = ["orders", "audit", '"Log"'];

async function client(url: string, who: number, steps: number): Promise<void> {
  const sql = postgres(url, { max: 1, fetch_types: false, onnotice() {} });
  const run = (
    db: postgres.Sql | postgres.TransactionSql,
    text: string,
    ...values: number[]
  ) =>
    who % 3 === 0
      ? db.unsafe(text.replace(/\$(\d)/g, (_, n) => `${values[n - 1]}`))
      : db.unsafe(text, values, { prepare: who % 3 === 1 });
  try {
    for (let i = 0; i < steps; i++) {
      const [{ id } = { id: 0 }] = await run(
        sql,
        "insert into orders (who) values ($1) returning id",
        who,
      );
      await run(
        sql,
        "insert into orders (who) values ($1), ($1), ($2)",
        who,
        100 + i,
      );
      await run(sql, "update orders set status = 'paid' where id = $1", id);
      await sql.begin(async (db) => {
        await run(db, "insert into orders (who) values ($1)", who);
        await assert.rejects(
          db.savepoint(async (inner) => {
            await run(inner, "insert into orders (who) values ($1)", who);
            await run(inner, "select 1 / 0");
          }),
          { code: "22012" },
        );
        await db.savepoint((inner) =>
          run(inner, "insert into orders (who) values ($1)", 200 + who)
        );
        await run(db, "update orders set status = 'sent' where id = $1", id);
      });
      await assert.rejects(
        run(sql, "insert into orders (who, status) values ($1, null)", who),
        { code: "23502" },
      );
      await run(
        sql,
        "select status, t, token from audit where order_id = $1 order by id",
        id,
      );
    }
  } finally {
    await sql.end();
  }
}

for (const version of ["15", "18"] as const) {
  Deno.test({
    name:
      `corrected rows: a trigger's rows are the primary's, ids and times, 15 -> ${version}`,
    sanitizeOps: false,
    sanitizeResources: false,
    async fn() {
      await using twin = await startLoggedTwin({ schema: SCHEMA, version });
      const { proxy } = twin;
      await Promise.all(
        Array.from({ length: 6 }, (_, who) => client(proxy.url(), who, 12)),
      );
      await proxy.settled();
      const differ = (result: number) => isMismatch(result) || isNoise(result);
      assert.deepEqual(await seenResults(proxy, differ, 10_000), []);
      assert.equal(count(proxy, "mirror_log_missed_total"), 0);
      await assertEqualTables(twin, TABLES);
    },
  });
}

const STATUS = "select status from audit order by order_id, status";

/** What the mirror has otherwise, and a statement that shows it. */
const DEFECTS: readonly {
  readonly name: string;
  readonly defect: string;
  readonly shows: string;
  readonly result?: string;
}[] = [
  {
    name: "a trigger is missing",
    defect: "drop trigger audit_order on orders;",
    shows: "select count(*) from audit",
  },
  {
    name: "a trigger writes another text",
    defect:
      "create or replace function audit_order() returns trigger language plpgsql as $$ begin insert into audit (order_id, status, t) values (new.id, 'x' || new.status, localtimestamp); return null; end $$;",
    shows: STATUS,
  },
  {
    name: "a trigger writes a row too many",
    defect:
      "create trigger again after insert on orders for each row execute function audit_order();",
    shows: "select count(*) from audit",
  },
  {
    name: "a default is an hour off",
    defect: "alter table audit alter at set default now() - interval '1 hour';",
    shows: "select at from audit order by order_id, status",
  },
  {
    name: "a sequence is behind",
    defect:
      "insert into orders (id, who) overriding system value values (-1, 0); select setval('audit_id_seq', 1, false);",
    shows: "select count(*) from audit",
    result: "mismatch_error_on_mirror",
  },
];

/** By itself, and in a block. */
async function place(proxy: TestProxy, last: string): Promise<void> {
  await onServer({ url: () => proxy.url() }, async (sql) => {
    for (let i = 0; i < 3; i++) {
      await sql`insert into orders (who) values (${i})`;
      await sql.begin((db) =>
        db`insert into orders (who) values (${i}) returning id`
      );
    }
    await sql.unsafe(last);
  });
}

for (const { name, defect, shows, result = "mismatch_rows" } of DEFECTS) {
  Deno.test({
    name: `corrected rows: a defect is found: ${name}`,
    sanitizeOps: false,
    sanitizeResources: false,
    async fn() {
      await using twin = await startLoggedTwin({ schema: SCHEMA, defect });
      await place(twin.proxy, shows);
      const { statements } = await twin.proxy.settled();
      assert.ok(
        mismatches(statements).includes(result),
        JSON.stringify(statements),
      );
    },
  });
}

/** Rows that are left as the mirror made them, and what both servers have for it. */
const LEFT: Readonly<Record<string, string>> = {
  "a trigger would see the UPDATE":
    "create table seen (id int); create function see() returns trigger language plpgsql as $$ begin insert into seen values (1); return null; end $$; create trigger see after update on audit for each row execute function see();",
  "a foreign key holds the number, at COMMIT only":
    "create table notes (audit_id bigint references audit deferrable initially deferred, n int); create function note() returns trigger language plpgsql as $$ begin insert into notes values (new.id); return null; end $$; create trigger note after insert on audit for each row execute function note();",
};

for (const [name, schema] of Object.entries(LEFT)) {
  Deno.test({
    name: `corrected rows: left alone, and nothing fails: ${name}`,
    sanitizeOps: false,
    sanitizeResources: false,
    async fn() {
      await using twin = await startLoggedTwin({
        schema: `${SCHEMA}${schema} create table if not exists seen (id int);`,
      });
      const { mirror, primary, proxy } = twin;
      await place(proxy, "select count(*) from audit");
      const { statements } = await proxy.settled();
      assert.deepEqual(mismatches(statements), []);
      assert.deepEqual(await rowsOf(mirror, "seen"), []);
      assert.equal((await rowsOf(mirror, "audit")).length, 6);
      await assertEqualTables({ primary, mirror }, ["orders", '"Log"']);
    },
  });
}

Deno.test({
  name:
    "corrected rows: a user that may not use plpgsql is told nothing, and nothing fails",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    await using twin = await startLoggedTwin({
      schema:
        `${SCHEMA} create role app login; grant all on all tables in schema public to app; grant all on all sequences in schema public to app;`,
      defect: "revoke usage on language plpgsql from public;",
      mirrorUser: "app",
    });
    await place(twin.proxy, "select count(*) from audit");
    const { statements } = await twin.proxy.settled();
    assert.deepEqual(mismatches(statements), []);
    await assertEqualTables(twin, ["orders"]);
    await said(twin.proxy, "The mirror refuses to correct rows");
  },
});
