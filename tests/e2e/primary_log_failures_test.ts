import assert from "node:assert/strict";
import postgres from "postgres";
import { onServer } from "../support/on_server.ts";
import {
  assertEqualTables,
  count,
  LOG,
  type LoggedTwin,
  LOGICAL,
  LOGIN,
  mismatches,
  NOT_READ,
  READ,
  rowsOf,
  said,
  startLoggedTwin,
} from "../support/primary_log.ts";
import { Authority } from "../support/certificates.ts";
import { startCluster } from "../support/cluster.ts";
import { TestProxy } from "../support/proxy.ts";
import { waitFor } from "../support/wait.ts";
import {
  concat,
  int16,
  int32,
  message,
  sync,
  WireClient,
} from "../support/wire_client.ts";

const SCHEMA = `
create table orders (
  id bigserial primary key, who int, token uuid default gen_random_uuid(),
  at timestamptz default now()
);
create table audit (id bigserial primary key, order_id bigint, at timestamptz default now());
create function f() returns trigger language plpgsql as $$ begin
  insert into audit (order_id) values (new.id); return null; end $$;
create trigger t after insert on orders for each row execute function f();
`;
const TABLES = ["orders", "audit"];
const OPTIONS = { sanitizeOps: false, sanitizeResources: false };

/** Nobody is told what the server gave. */
async function place(proxy: TestProxy, from: number, rows = 5): Promise<void> {
  const sql = postgres(proxy.url(), {
    max: 1,
    fetch_types: false,
    onnotice() {},
  });
  try {
    for (let who = from; who < from + rows; who++) {
      await sql`insert into orders (who) values (${who})`;
    }
  } finally {
    await sql.end({ timeout: 1 });
  }
}

/** The primary's process that reads the log for us. */
async function readerOf({ primary }: LoggedTwin): Promise<number> {
  const [row] = await onServer(
    primary,
    (sql) =>
      sql`select active_pid as pid from pg_replication_slots where active`,
  );
  return Number(row?.pid);
}

/** All is replayed, none with another result, and rows from a number on are the primary's. */
async function assertRight(twin: LoggedTwin, from: number): Promise<void> {
  const { statements, dropped, failed, pending } = await twin.proxy.settled();
  assert.deepEqual(mismatches(statements), []);
  assert.deepEqual([dropped, failed, pending], [{}, {}, 0]);
  const [theirs, ours] = [
    await rowsOf(twin.primary, "orders"),
    await rowsOf(twin.mirror, "orders"),
  ];
  assert.equal(ours.length, theirs.length);
  const isLate = (row: string) => Number(row.split(",")[1]) >= from;
  assert.deepEqual(ours.filter(isLate), theirs.filter(isLate));
}

Deno.test({
  name:
    "primary's log: its reader sleeps on the primary: clients go on, the mirror follows, and then it is read again",
  ...OPTIONS,
  async fn() {
    await using twin = await startLoggedTwin({ schema: SCHEMA });
    const { proxy } = twin;
    await place(proxy, 0);
    await assertRight(twin, 0);
    const reader = await readerOf(twin);
    Deno.kill(reader, "SIGSTOP");
    try {
      await place(proxy, 5);
      await assertRight(twin, Infinity);
      assert.equal(count(proxy, "mirror_log_missed_total"), 5);
      // Of a client by itself the mirror's sequence gives the very numbers.
      await assertEqualTables(twin, ["(select id, who from orders)"]);
    } finally {
      Deno.kill(reader, "SIGCONT");
    }
    // What it tells late is nobody's.
    await waitFor("the log to tell again", async () => {
      const before = count(proxy, "mirror_log_missed_total");
      await place(proxy, 10, 1);
      await proxy.settled();
      return count(proxy, "mirror_log_missed_total") === before;
    }, 20_000);
    await place(proxy, 20);
    await assertRight(twin, 20);
  },
});

Deno.test({
  name:
    "primary's log: a primary that sleeps, in the middle of transactions, loses nothing",
  ...OPTIONS,
  async fn() {
    await using twin = await startLoggedTwin({ schema: SCHEMA });
    const { primary, proxy } = twin;
    const clients = [0, 100, 200].map((from) => place(proxy, from, 30));
    await waitFor(
      "some rows on the mirror",
      () => count(proxy, "mirror_given_rows_total") > 5,
      20_000,
    );
    await primary.pause();
    try {
      // What has come in is replayed, with the log or without it.
      await waitFor(
        "nothing to wait",
        () => proxy.ledger().pending === 0,
        20_000,
      );
    } finally {
      primary.resume();
    }
    await Promise.all(clients);
    await place(proxy, 300);
    await assertRight(twin, 300);
  },
});

Deno.test({
  name:
    "primary's log: a primary that crashes under its clients is read again, and nothing is stuck",
  ...OPTIONS,
  async fn() {
    await using twin = await startLoggedTwin({ schema: SCHEMA });
    const { primary, mirror, proxy } = twin;
    // A mirror that is short of processors is another test.
    const isFollowed = () =>
      waitFor(
        "the mirror to follow",
        () => proxy.ledger().pending < 20,
        30_000,
      );
    const lost = Array.from({ length: 3 }, async (_, from) => {
      const isPlaced = () => place(proxy, from).then(() => true, () => false);
      while (await isPlaced()) await isFollowed();
    });
    await waitFor(
      "some transactions on the mirror",
      () => proxy.ledger().replayed > 5,
      20_000,
    );
    await primary.stop("immediate");
    await Promise.all(lost);
    await said(proxy, NOT_READ);
    await proxy.settled();
    await primary.start();
    await said(proxy, READ, 2);
    await place(proxy, 20_000);
    const { statements, pending } = await proxy.settled();
    assert.deepEqual(mismatches(statements), []);
    assert.equal(pending, 0);
    const late = "(select * from orders where who >= 20000)";
    await assertEqualTables({ primary, mirror }, [late]);
  },
});

Deno.test({
  name:
    "primary's log: what waits when it ends takes no number that another row was given",
  ...OPTIONS,
  async fn() {
    await using twin = await startLoggedTwin({ schema: SCHEMA });
    const { primary, mirror, proxy } = twin;
    const options = { max: 1, fetch_types: false, onnotice() {} };
    const [one, other] = [
      postgres(proxy.url(), options),
      postgres(proxy.url(), options),
    ];
    for (let i = 0; i < 2; i++) {
      const before = (await rowsOf(mirror, "orders")).length;
      const reader = await one.begin(async (db) => {
        await db`insert into orders (who) values (1)`;
        // It has the next number, and commits first.
        await other`insert into orders (who) values (2)`;
        await waitFor(
          "the other's row on the mirror",
          async () => (await rowsOf(mirror, "orders")).length > before,
          20_000,
        );
        const reader = await readerOf(twin);
        Deno.kill(reader, "SIGSTOP");
        return reader;
      });
      Deno.kill(reader, "SIGTERM");
      Deno.kill(reader, "SIGCONT");
      await said(proxy, READ, i + 2);
    }
    await Promise.all([one.end(), other.end()]);
    const { statements } = await proxy.settled();
    assert.deepEqual(mismatches(statements), []);
    assert.equal((await rowsOf(mirror, "orders")).length, 4);
    const others = "(select * from orders where who = 2)";
    await assertEqualTables({ primary, mirror }, [others]);
  },
});

Deno.test({
  name:
    "primary's log: what commits behind its end takes no number that another row was given",
  ...OPTIONS,
  async fn() {
    await using twin = await startLoggedTwin({ schema: SCHEMA });
    const { primary, mirror, proxy } = twin;
    const options = { max: 1, fetch_types: false, onnotice() {} };
    const one = postgres(proxy.url(), options);
    await one.begin(async (db) => {
      await db`insert into orders (who) values (1)`;
      // The next number commits first.
      await place(proxy, 20);
      await waitFor(
        "the others' rows on the mirror",
        async () => (await rowsOf(mirror, "orders")).length === 5,
        20_000,
      );
      const reader = await readerOf(twin);
      Deno.kill(reader, "SIGTERM");
      // A new slot waits for this transaction.
      await said(proxy, NOT_READ);
      await place(proxy, 30);
    });
    await one.end();
    await said(proxy, READ, 2);
    await place(proxy, 40);
    const { statements } = await proxy.settled();
    assert.deepEqual(mismatches(statements), []);
    assert.equal((await rowsOf(mirror, "orders")).length, 16);
    const told =
      "(select * from orders where who between 20 and 29 or who >= 40)";
    await assertEqualTables({ primary, mirror }, [told]);
  },
});

Deno.test({
  name:
    "primary's log: a slot can't be dropped under us; with its process it is gone, and made anew",
  ...OPTIONS,
  async fn() {
    await using twin = await startLoggedTwin({ schema: SCHEMA });
    const { primary, proxy } = twin;
    await place(proxy, 0);
    await onServer(primary, async (sql) => {
      await assert.rejects(
        sql`select pg_drop_replication_slot(slot_name) from pg_replication_slots`,
        { code: "55006" },
      );
      const clients = place(proxy, 100, 30);
      await sql`select pg_terminate_backend(active_pid) from pg_replication_slots`;
      await clients;
    });
    await said(proxy, READ, 2);
    await place(proxy, 200);
    await assertRight(twin, 200);
    const [row] = await onServer(
      primary,
      (sql) => sql`select count(*)::int as slots from pg_replication_slots`,
    );
    assert.equal(row?.slots, 1);
  },
});

Deno.test({
  name: "primary's log: over TLS, by the name that the certificate has",
  ...OPTIONS,
  ignore: !Authority.available,
  async fn() {
    await using authority = await Authority.create();
    const ssl = await authority.issue();
    await using primary = await startCluster({
      version: "15",
      initSql: SCHEMA,
      settings: LOGICAL,
      ssl,
    });
    await using mirror = await startCluster({ version: "15", initSql: SCHEMA });
    for (const verify of ["verify-full", "prefer"]) {
      await using proxy = await TestProxy.start({
        primary,
        mirror,
        general: {
          ...LOG,
          tls_verify: "prefer",
          tls_server_ca_certificate: authority.path,
        },
        primaryKeys: `${LOGIN}\ntls_verify = "${verify}"`,
      });
      await said(proxy, READ);
      await said(proxy, "Mirror's schema is known");
      // It takes none in clear.
      const through = { url: () => proxy.url() };
      const [row] = await onServer(
        through,
        (sql) =>
          sql`select ssl from pg_stat_ssl join pg_replication_slots on active_pid = pid`,
      );
      assert.equal(row?.ssl, true);
      await place(proxy, 0);
      await proxy.settled();
      await assertEqualTables({ primary: through, mirror }, TABLES);
    }
  },
});

Deno.test({
  name:
    "primary's log: parameters and answers in binary are found, and what is given is right",
  ...OPTIONS,
  async fn() {
    await using twin = await startLoggedTwin({ schema: SCHEMA });
    const { proxy } = twin;
    using client = await WireClient.connect(proxy.port);
    const run = async (sql: string, ...values: number[]) => {
      const bind = message(
        "B",
        "\0\0",
        int16(1),
        int16(1),
        int16(values.length),
        ...values.flatMap((value) => [int32(4), int32(value)]),
        int16(1),
        int16(1),
      );
      await client.send(concat([
        message("P", `\0${sql}\0`, int16(0)),
        bind,
        message("D", "P\0"),
        message("E", "\0", int32(0)),
        sync(),
      ]));
      await client.ready(1);
    };
    for (let i = 0; i < 5; i++) {
      await run("insert into orders (who) values ($1)", i);
      await run("insert into orders (who) values ($1) returning id", 100 + i);
      await run("update orders set at = now() where who = $1", i);
      await run("select id, who, at, token from orders order by id");
    }
    await client.terminate();
    await assertRight(twin, 0);
    assert.equal(count(proxy, "mirror_log_missed_total"), 0);
    await assertEqualTables(twin, TABLES);
  },
});
