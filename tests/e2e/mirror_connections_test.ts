import assert from "node:assert/strict";
import postgres from "postgres";
import { type Cluster, startCluster } from "../support/cluster.ts";
import { onServer } from "../support/on_server.ts";
import { TestProxy } from "../support/proxy.ts";
import { waitFor } from "../support/wait.ts";

const TEST = { sanitizeOps: false, sanitizeResources: false };
const SCHEMA =
  "create table rows (id int primary key, n int default 0); insert into rows select generate_series(1, 100); create function login(n int) returns text language sql as $$ select set_config('app.user', n::text, false) $$;";
const CLIENTS = 60;

/** Sessions of clients on a server: ours have a name of their own. */
async function lanes(mirror: Cluster): Promise<number> {
  return await onServer(mirror, async (sql) => {
    const [row] =
      await sql`select count(*) from pg_stat_activity where application_name like 'app%'`;
    return Number(row?.count);
  });
}

function client(proxy: TestProxy, number: number) {
  return postgres(proxy.url(), {
    max: 1,
    fetch_types: false,
    onnotice() {},
    connection: { application_name: `app ${number}` },
  });
}

async function assertClean(proxy: TestProxy): Promise<void> {
  const { statements, failed, dropped, replayed, seen } = await proxy.settled();
  const others = Object.keys(statements).filter((result) =>
    !result.startsWith("match")
  );
  assert.deepEqual([others, failed, dropped], [[], {}, {}]);
  assert.equal(replayed, seen);
}

Deno.test({
  name:
    `mirror connections: ${CLIENTS} clients share 10, and each has its session`,
  ...TEST,
  async fn() {
    await using primary = await startCluster({
      version: "15",
      initSql: SCHEMA,
    });
    await using mirror = await startCluster({ version: "18", initSql: SCHEMA });
    const general = { mirror_max_connections: 10 };
    await using proxy = await TestProxy.start({ primary, mirror, general });
    const clients = Array.from(
      { length: CLIENTS },
      (_, i) => client(proxy, i),
    );
    let most = 0;
    for (let round = 0; round < 3; round++) {
      await Promise.all(clients.map(async (sql, i) => {
        if (round === 0) await sql.unsafe(`set app.no = ${i}`);
        if (round === 0) await sql.unsafe(`set work_mem = '${1 + i}MB'`);
        await sql`select ${i}::int as i, current_setting('app.no')`;
        await sql`update rows set n = n + 1 where id = ${1 + i % 7}`;
      }));
      await waitFor(
        "the round to be replayed",
        () => proxy.ledger().pending === 0,
        20_000,
      );
      most = Math.max(most, await lanes(mirror));
    }
    assert.ok(most > 0 && most <= 10, `${most} connections`);
    await Promise.all(clients.map((sql) => sql.end()));
    await assertClean(proxy);
  },
});

Deno.test({
  name:
    "mirror connections: what rests is given up, and comes back with its session",
  ...TEST,
  async fn() {
    await using primary = await startCluster({
      version: "15",
      initSql: SCHEMA,
    });
    await using mirror = await startCluster({ version: "18", initSql: SCHEMA });
    const general = { mirror_idle_timeout: 300 };
    await using proxy = await TestProxy.start({ primary, mirror, general });
    const clients = [1, 2, 3, 4].map((number) => client(proxy, number));
    for (const [i, sql] of clients.entries()) {
      await sql.unsafe(`set work_mem = '${i + 1}MB'`);
      await sql.unsafe("prepare p as select current_setting('work_mem')");
      await sql`select n from rows where id = ${i}`;
    }
    // Of these three nobody can make another one.
    await clients[3]?.unsafe("select login(5)");
    await clients[1]?.unsafe("create temp table own (a int)");
    await clients[2]?.unsafe("select pg_advisory_lock(1)");
    await waitFor(
      "the other to be gone",
      async () => await lanes(mirror) === 3,
      5_000,
    );
    for (const [i, sql] of clients.entries()) {
      await sql.unsafe("execute p");
      await sql`select n from rows where id = ${i}`;
    }
    await clients[3]?.unsafe("select current_setting('app.user')");
    await clients[1]?.unsafe("insert into own values (1)");
    await clients[2]?.unsafe("select pg_advisory_unlock(1)");
    await Promise.all(clients.map((sql) => sql.end()));
    await assertClean(proxy);
  },
});

Deno.test({
  name:
    "mirror connections: two are enough for transactions that wait for each other",
  ...TEST,
  async fn() {
    await using primary = await startCluster({
      version: "15",
      initSql: SCHEMA,
    });
    await using mirror = await startCluster({ version: "15", initSql: SCHEMA });
    const general = { mirror_max_connections: 2, mirror_timeout: 2_000 };
    await using proxy = await TestProxy.start({ primary, mirror, general });
    const clients = Array.from({ length: 12 }, (_, i) => client(proxy, i));
    for (let round = 0; round < 5; round++) {
      await Promise.all(clients.map(async (sql, i) => {
        await sql.begin(async (open) => {
          await open`update rows set n = n + 1 where id = 1`;
          await open`update rows set n = n + 1 where id = ${2 + i}`;
        });
      }));
    }
    await Promise.all(clients.map((sql) => sql.end()));
    await assertClean(proxy);
    const rows = (server: Cluster) =>
      onServer(server, (sql) => sql`select * from rows order by id`);
    assert.deepEqual(await rows(mirror), await rows(primary));
  },
});

for (const fault of ["sleeps", "dies"] as const) {
  Deno.test({
    name:
      `mirror connections: while the mirror ${fault} who waits for one is accounted for, and goes on afterwards`,
    ...TEST,
    async fn() {
      await using primary = await startCluster({
        version: "15",
        initSql: SCHEMA,
      });
      await using mirror = await startCluster({
        version: "15",
        initSql: SCHEMA,
      });
      const general = { mirror_max_connections: 3, mirror_timeout: 1_000 };
      await using proxy = await TestProxy.start({ primary, mirror, general });
      const clients = Array.from(
        { length: CLIENTS },
        (_, i) => client(proxy, i),
      );
      const work = () =>
        Promise.all(
          clients.map((sql, i) =>
            sql`update rows set n = n + 1 where id = ${1 + i}`
          ),
        );
      await work();
      const isSettled = () => proxy.ledger().pending === 0;
      await waitFor("the first round", isSettled, 20_000);
      assert.equal(proxy.ledger().replayed, CLIENTS);
      if (fault === "sleeps") await mirror.pause();
      else await mirror.stop("immediate");
      for (let round = 0; round < 3; round++) await work();
      await waitFor("an outcome of each", isSettled, 30_000);
      if (fault === "sleeps") mirror.resume();
      else await mirror.start();
      // The breaker lets one try before the others.
      const before = proxy.ledger().replayed;
      await waitFor("replays to go on", async () => {
        await work();
        return proxy.ledger().replayed > before + CLIENTS;
      }, 30_000);
      await Promise.all(clients.map((sql) => sql.end()));
      const { seen, replayed, failed, dropped, excluded } = await proxy
        .settled();
      const others = [failed, dropped, excluded].flatMap(Object.values);
      const sum = others.reduce((total, count) => total + count, replayed);
      assert.equal(sum, seen);
      assert.ok(others.length > 0, "the fault was felt");
    },
  });
}
