import assert from "node:assert/strict";
import postgres from "postgres";
import { onServer } from "../support/on_server.ts";
import {
  assertEqualTables,
  count,
  type LoggedTwin,
  mismatches,
  NOT_READ,
  READ,
  rowsOf,
  said,
  startLoggedTwin,
} from "../support/primary_log.ts";
import { waitFor } from "../support/wait.ts";

const SCHEMA = `
create table orders (id bigserial primary key, who int);
create table items (id bigserial primary key, order_id bigint references orders);
create table audit (id bigserial primary key, order_id bigint);
create function f() returns trigger language plpgsql as $$ begin
  insert into audit (order_id) values (new.who); return null; end $$;
create trigger t after insert on orders for each row execute function f();
create table parents (id int primary key);
insert into parents values (1);
create table loads (id bigserial primary key, p int references parents);
`;
const TEST = { sanitizeOps: false, sanitizeResources: false };
const ONE = { max: 1, fetch_types: false, onnotice() {} };

/** Ends the slot; while somebody's transaction is open there is no other. */
async function endLog({ primary, proxy }: LoggedTwin): Promise<void> {
  await onServer(
    primary,
    (sql) =>
      sql`select pg_terminate_backend(active_pid) from pg_replication_slots`,
  );
  await said(proxy, NOT_READ);
}

/** Two clients. */
function clients({ proxy }: LoggedTwin) {
  const [one, other] = [
    postgres(proxy.url(), ONE),
    postgres(proxy.url(), ONE),
  ];
  return {
    one,
    other,
    async [Symbol.asyncDispose]() {
      await Promise.all([one.end(), other.end()]);
    },
  };
}

async function assertClean({ proxy }: LoggedTwin): Promise<void> {
  const { statements, failed } = await proxy.settled();
  assert.deepEqual([mismatches(statements), failed], [[], {}]);
}

Deno.test(
  "made numbers: a transaction that asks for what it drew has the mirror's own",
  TEST,
  async () => {
    await using twin = await startLoggedTwin({ schema: SCHEMA });
    {
      await using both = clients(twin);
      await both.other.begin(async (open) => {
        await open`insert into parents values (2)`;
        await endLog(twin);
        for (let who = 10; who < 13; who++) {
          await both.one.begin(async (db) => {
            await db`insert into orders (who) values (${who})`;
            await db`insert into items (order_id) values (currval('orders_id_seq'))`;
          });
        }
      });
    }
    await assertClean(twin);
    const parents =
      "(select who, i.id from orders o join items i on i.order_id = o.id)";
    await assertEqualTables(twin, [parents]);
  },
);

Deno.test(
  "made numbers: what a client by itself has rolled back behind a COPY meets no row",
  TEST,
  async () => {
    await using twin = await startLoggedTwin({ schema: SCHEMA });
    const sql = postgres(twin.proxy.url(), ONE);
    const copy = await sql`copy loads (p) from stdin`.writable();
    const isDone = new Promise<void>((resolve) => copy.on("finish", resolve));
    copy.end("1\n1\n1\n");
    await isDone;
    await assert.rejects(sql`insert into loads (p) values (99)`, {
      code: "23503",
    });
    await sql.end();
    await assertClean(twin);
    await assertEqualTables(twin, ["loads"]);
  },
);

Deno.test(
  "made numbers: a sequence that was left is followed when the log is read again at once",
  TEST,
  async () => {
    await using twin = await startLoggedTwin({ schema: SCHEMA });
    const { proxy } = twin;
    const given = () => count(proxy, "mirror_given_rows_total");
    const sql = postgres(proxy.url(), ONE);
    await sql`with x as (insert into loads (p) values (1) returning id) select id from x`;
    await sql`insert into loads (p) values (1)`;
    await waitFor("both", () => proxy.ledger().replayed === 2, 20_000);
    assert.equal(given(), 0, "it was left");
    await endLog(twin);
    await said(proxy, READ, 2);
    // What is prepared stays as it was written.
    await sql`insert into loads (p) values (1), (1)`;
    await sql.end();
    await assertClean(twin);
    assert.equal(given(), 2);
  },
);

Deno.test(
  "made numbers: rows of triggers are corrected beside one",
  TEST,
  async () => {
    await using twin = await startLoggedTwin({ schema: SCHEMA });
    const { mirror, proxy } = twin;
    {
      await using both = clients(twin);
      await both.other.begin(async (open) => {
        await open`insert into parents values (2)`;
        await endLog(twin);
        await both.one`insert into audit (order_id) values (99)`;
      });
      await said(proxy, READ, 2);
      await both.one.begin(async (db) => {
        await db`insert into orders (who) values (1)`;
        // It has the next number, and commits first.
        await both.other`insert into orders (who) values (2)`;
        await waitFor(
          "the other's row on the mirror",
          async () => (await rowsOf(mirror, "orders")).length === 1,
          20_000,
        );
      });
    }
    await assertClean(twin);
    await assertEqualTables(twin, [
      "(select * from audit where order_id < 99)",
      "orders",
    ]);
  },
);
