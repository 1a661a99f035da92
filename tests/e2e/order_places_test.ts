import assert from "node:assert/strict";
import postgres from "postgres";
import { type Cluster, startCluster } from "../support/cluster.ts";
import { assertAllMatch, isMismatch } from "../support/ledgers.ts";
import { onServer } from "../support/on_server.ts";
import { TestProxy } from "../support/proxy.ts";
import { waitFor } from "../support/wait.ts";

const OPTIONS = { sanitizeOps: false, sanitizeResources: false };
const CLIENTS = 8;
const ROUNDS = 60;

Deno.test({
  name: "order of replay: a refused INSERT that is a lock stays refused",
  ...OPTIONS,
  async fn(t) {
    await using primary = await startCluster({ version: "15" });
    await using mirror = await startCluster({ version: "15" });
    const schema = "create table busy (name text primary key, by_client int)";
    for (const cluster of [primary, mirror]) {
      await onServer(cluster, (sql) => sql.unsafe(schema));
    }
    await t.step(
      "by 8 clients, in autocommit and in blocks: clean",
      async () => {
        await using proxy = await TestProxy.start({ primary, mirror });
        const refused = await lockAndUnlock(proxy);
        const ledger = await proxy.settled();
        const text = `${refused} refused, ${JSON.stringify(ledger)}`;
        assert.ok(refused > CLIENTS, text);
        const found = Object.keys(ledger.statements).filter(isMismatch);
        assert.deepEqual(found, [], text);
      },
    );
    await t.step("a mirror without the unique index is found", async () => {
      await onServer(
        mirror,
        (sql) => sql.unsafe("alter table busy drop constraint busy_pkey"),
      );
      await using proxy = await TestProxy.start({ primary, mirror });
      const refused = await lockAndUnlock(proxy);
      const ledger = await proxy.settled();
      const text = `${refused} refused, ${JSON.stringify(ledger)}`;
      const { mismatch_error_on_primary: found = 0 } = ledger.statements;
      assert.ok(found > refused / 2, text);
    });
  },
});

Deno.test({
  name: "order of replay: a statement waits only where it meets others",
  ...OPTIONS,
  async fn(t) {
    await using primary = await startCluster({ version: "15" });
    await using mirror = await startCluster({ version: "18" });
    const schema = `
      create table report (id serial primary key, at timestamptz);
      create table small (id serial primary key, n int);
      create table shop (id int primary key, sold int not null default 0);
      create table sale (id serial primary key, shop int references shop);
      create function count_sale() returns trigger language plpgsql as $$
        begin update shop set sold = sold + 1 where id = new.shop; return new; end $$;
      create trigger counted after insert on sale
        for each row execute function count_sale();
      insert into shop values (1), (2)`;
    for (const cluster of [primary, mirror]) {
      await onServer(cluster, (sql) => sql.unsafe(schema));
    }
    const others = async (proxy: TestProxy) => {
      await Promise.all(Array.from({ length: 4 }, async (_, client) => {
        const sql = connect(proxy);
        for (let i = 0; i < 10; i++) {
          await sql`insert into sale (shop) values (${1 + client % 2})`;
          await sql`update shop set sold = sold + 1 where id = 1`;
          await sql`select sum(sold) from shop`;
        }
        await sql.end();
      }));
      return 4 * 10 * 3;
    };

    await using proxy = await TestProxy.start({
      primary,
      mirror,
      general: { mirror_timeout: 120_000 },
    });
    let replayed = await relationsKnown(proxy, mirror);

    await t.step("a long report holds up nobody who is elsewhere", async () => {
      await using held = await hold(mirror, "report");
      const sql = connect(proxy);
      await sql`insert into report (at) values ('2026-01-01')`;
      replayed += await others(proxy);
      await proxy.replayed(replayed);
      assert.equal(proxy.ledger().pending, 1, "the report");
      await held.release();
      await proxy.replayed(++replayed);
      await sql.end();
    });

    await t.step(
      "nor does a write behind a long query of its session",
      async () => {
        await using held = await hold(mirror, "report");
        const sql = connect(proxy);
        const meets = connect(proxy);
        await sql`select count(*) from report`;
        await sql`insert into small (n) values (1)`;
        await meets`select count(*) from small`;
        replayed += await others(proxy);
        await proxy.replayed(replayed);
        assert.equal(proxy.ledger().pending, 3, "who reads that write waits");
        await held.release();
        await proxy.replayed(replayed += 3);
        await Promise.all([sql.end(), meets.end()]);
      },
    );

    await t.step(
      "who meets a writer through its trigger waits for it",
      async () => {
        await using held = await hold(mirror, "sale");
        const [seller, reader] = [connect(proxy), connect(proxy)];
        await seller`insert into sale (shop) values (1)`;
        await reader`select sold from shop where id = 1`;
        const sql = connect(proxy);
        await sql`insert into small (n) values (2)`;
        await proxy.replayed(++replayed);
        assert.equal(proxy.ledger().pending, 2);
        await held.release();
        await proxy.replayed(replayed += 2);
        await Promise.all([seller.end(), reader.end(), sql.end()]);
      },
    );

    await t.step(
      "who is at another row of a table passes, who may meet the row waits",
      async () => {
        await using held = await holdBy(
          mirror,
          "select from shop where id = 1 for update",
        );
        const clients = Array.from({ length: 5 }, () => connect(proxy));
        const [one, two, beside, same, any] = clients as [
          postgres.Sql,
          postgres.Sql,
          postgres.Sql,
          postgres.Sql,
          postgres.Sql,
        ];
        await one`update shop set sold = 101 where id = ${1}`;
        await two`update shop set sold = 102 where id = ${2}`;
        await beside`select sold from shop where id = ${2}`;
        await same`select sold from shop where id = ${1}`;
        await any`select id, sold from shop order by id`;
        await proxy.replayed(replayed += 2);
        await beside`insert into small (n) values (3)`;
        await proxy.replayed(++replayed);
        assert.equal(proxy.ledger().pending, 3);
        await held.release();
        await proxy.replayed(replayed += 3);
        await Promise.all(clients.map((sql) => sql.end()));
      },
    );

    const ledger = await proxy.settled();
    const { noise_concurrent_write: _, ...statements } = ledger.statements;
    assertAllMatch({ ...ledger, statements });
    assert.equal(ledger.replayed, ledger.seen);
  },
});

Deno.test({
  name:
    "order of replay: definitions and rights come behind who completed before",
  ...OPTIONS,
  async fn(t) {
    await using primary = await startCluster({ version: "15" });
    await using mirror = await startCluster({ version: "18" });
    const schema = `
      create table shop (id int primary key, name text);
      insert into shop values (1, 'a'), (2, 'b');
      create role worker; grant select on shop to worker`;
    for (const cluster of [primary, mirror]) {
      await onServer(cluster, (sql) => sql.unsafe(schema));
    }
    /** Takes its time on both servers: behind it the lane is late. */
    const SLOW = "select count(*) from generate_series(1, 300000)";

    await t.step("SELECT, then ALTER TABLE … DROP COLUMN", async () => {
      await using proxy = await TestProxy.start({ primary, mirror });
      await schemaKnown(proxy);
      const admin = connect(proxy);
      const readers = Array.from({ length: 3 }, () => connect(proxy));
      for (let i = 0; i < 8; i++) {
        await admin.unsafe("alter table shop add column extra int default 7");
        await Promise.all(readers.map(async (sql) => {
          await sql.unsafe(SLOW);
          await sql.unsafe("select id, extra from shop order by id");
        }));
        await admin.unsafe("alter table shop drop column extra");
      }
      await Promise.all([admin, ...readers].map((sql) => sql.end()));
      const ledger = await proxy.settled();
      assertAllMatch(ledger, JSON.stringify(ledger));
    });

    await t.step("a refused INSERT, then GRANT", async () => {
      await using proxy = await TestProxy.start({ primary, mirror });
      await schemaKnown(proxy);
      const [admin, worker] = [connect(proxy), connect(proxy)];
      await worker.unsafe("set role worker");
      for (let i = 0; i < 8; i++) {
        await worker.unsafe(SLOW);
        const insert = worker.unsafe(`insert into shop values (${10 + i})`);
        await assert.rejects(insert, { code: "42501" });
        await admin.unsafe("grant insert on shop to worker");
        await worker.unsafe(`insert into shop values (${10 + i})`);
        await admin.unsafe("revoke insert on shop from worker");
      }
      await Promise.all([admin.end(), worker.end()]);
      const ledger = await proxy.settled();
      assertAllMatch(ledger, JSON.stringify(ledger));
    });

    await t.step("a mirror that lacks a column is found", async () => {
      await onServer(
        mirror,
        (sql) => sql.unsafe("alter table shop drop column name"),
      );
      await using proxy = await TestProxy.start({ primary, mirror });
      const sql = connect(proxy);
      await sql.unsafe("select name from shop");
      await sql.end();
      const { statements } = await proxy.settled();
      assert.deepEqual(statements, { mismatch_error_on_mirror: 1 });
    });
  },
});

Deno.test({
  name: "order of replay: advisory locks are locks",
  ...OPTIONS,
  async fn() {
    await using primary = await startCluster({ version: "15" });
    await using mirror = await startCluster({ version: "18" });
    const schema = `
      create table hot (id int primary key, n int);
      insert into hot values (1, 0)`;
    for (const cluster of [primary, mirror]) {
      await onServer(cluster, (sql) => sql.unsafe(schema));
    }
    await using proxy = await TestProxy.start({ primary, mirror });
    await schemaKnown(proxy);
    await Promise.all(Array.from({ length: CLIENTS }, async () => {
      const sql = connect(proxy);
      for (let i = 0; i < 20; i++) {
        await sql.begin(async (sql) => {
          await sql`select pg_advisory_xact_lock(1)`;
          const [row] = await sql`select n from hot where id = 1`;
          await sql`update hot set n = ${row?.n + 1} where id = 1`;
        });
      }
      await sql.end();
    }));
    const ledger = await proxy.settled();
    const text = JSON.stringify(ledger);
    assert.equal(ledger.replayed, CLIENTS * 20, text);
    assert.deepEqual(
      Object.keys(ledger.statements).filter(isMismatch),
      [],
      text,
    );
    for (const cluster of [primary, mirror]) {
      const rows = await onServer(cluster, (sql) => sql`select n from hot`);
      assert.deepEqual([...rows], [{ n: CLIENTS * 20 }]);
    }
  },
});

/** INSERT is the lock, 23505 means that it is busy, DELETE unlocks. @returns how often it was busy. */
async function lockAndUnlock(proxy: TestProxy): Promise<number> {
  let refused = 0;
  await Promise.all(Array.from({ length: CLIENTS }, async (_, client) => {
    const sql = connect(proxy);
    const lock = (sql: postgres.ISql) =>
      sql`insert into busy (name, by_client) values ('report', ${client})`;
    for (let i = 0; i < ROUNDS; i++) {
      try {
        if (i % 2 === 0) await lock(sql);
        else await sql.begin(lock);
        await sql`delete from busy where name = 'report'`;
      } catch (error) {
        if ((error as { code?: string }).code !== "23505") throw error;
        refused++;
      }
    }
    await sql.end();
  }));
  return refused;
}

function connect(proxy: TestProxy): postgres.Sql {
  return postgres(proxy.url(), { max: 1, fetch_types: false });
}

/** Before that everything may meet everything. */
async function schemaKnown(proxy: TestProxy): Promise<void> {
  await waitFor(
    "the mirror's schema",
    () => proxy.logs.some((line) => line.includes("schema is known")),
    10_000,
  );
}

/** Waits until the mirror's schema tells who meets whom. @returns what was replayed for that. */
async function relationsKnown(
  proxy: TestProxy,
  mirror: Cluster,
): Promise<number> {
  const [a, b] = [connect(proxy), connect(proxy)];
  let replayed = 0;
  let known = 0;
  // The first login is a reason to ask the mirror again.
  while (known < 2) {
    assert.ok(replayed < 60, "the mirror's schema is never known");
    // Who reads the schema passes, who writes does not.
    await using held = await hold(mirror, "report", "exclusive");
    await a`insert into report (at) values (null)`;
    await b`insert into small (n) values (0)`;
    known = await proxy.replayed(replayed + 1, 1_000).then(
      () => known + 1,
      () => 0,
    );
    await held.release();
    await proxy.replayed(replayed += 2);
  }
  await Promise.all([a.end(), b.end()]);
  return replayed;
}

/** Keeps others out of a relation. */
function hold(cluster: Cluster, relation: string, mode = "access exclusive") {
  return holdBy(cluster, `lock table ${relation} in ${mode} mode`);
}

/** Holds the locks that a statement takes. */
async function holdBy(
  cluster: Cluster,
  statement: string,
): Promise<AsyncDisposable & { release(): Promise<void> }> {
  const sql = postgres(cluster.url(), { max: 1 });
  await sql.unsafe("begin").simple();
  await sql.unsafe(statement).simple();
  const release = () => sql.end();
  return { release, [Symbol.asyncDispose]: release };
}
