import assert from "node:assert/strict";
import postgres from "postgres";
import { type Cluster, startCluster } from "../support/cluster.ts";
import { assertClosed } from "../support/ledgers.ts";
import {
  freePort,
  type Ledger,
  type ProxyOptions,
  TestProxy,
} from "../support/proxy.ts";

const OPTIONS = { sanitizeOps: false, sanitizeResources: false };
const CLIENTS = 8;
const ROUNDS = 60;
const MIB = 1024 * 1024;

/**
 * Sends until something is replayed: the others may have ended while the mirror
 * had no core to log in on.
 */
async function replayOne(sql: postgres.Sql, proxy: TestProxy): Promise<void> {
  const { replayed } = proxy.ledger();
  while (proxy.ledger().replayed === replayed) await sql`select 1`;
}

/** What the clients of a workload saw, in order: no state of the mirror may change it. */
async function workload(
  url: string,
  during: (round: number) => Promise<void> = () => Promise.resolve(),
): Promise<string[]> {
  const seen: string[][] = Array.from({ length: CLIENTS }, () => []);
  let rounds = 0;
  await Promise.all(seen.map(async (lines, client) => {
    const sql = postgres(url, { max: 1, onnotice() {} });
    try {
      for (let i = 0; i < ROUNDS; i++) {
        if (client === 0) await during(rounds++);
        await sql.begin(async (tx) => {
          await tx`update account set n = n + 1 where id = ${client}`;
          const [row] = await tx`select n from account where id = ${client}`;
          lines.push(`${row?.n}`);
        });
        lines.push(...(await sql`select ${i}::int as i`).map((r) => `${r.i}`));
        await sql`select no_such_function()`.catch((error) =>
          lines.push(error.code)
        );
      }
    } finally {
      await sql.end();
    }
  }));
  return seen.map((lines) => lines.join(" "));
}

async function prepare(cluster: Cluster): Promise<void> {
  const sql = postgres(cluster.url(), { max: 1, onnotice() {} });
  await sql`drop table if exists account`;
  await sql`create table account (id int primary key, n int not null)`;
  await sql`insert into account select i, 0 from generate_series(0, ${
    CLIENTS - 1
  }::int) i`;
  await sql.end();
}

Deno.test({
  name: "isolation: no state of the mirror reaches the client",
  ...OPTIONS,
  async fn(t) {
    await using primary = await startCluster({ version: "15" });
    await prepare(primary);
    const expected = await workload(primary.url());
    const general = {
      // Both servers and the load share a few cores: nothing may be shed for that.
      mirror_queue: 100_000,
      mirror_pacing: "asap",
    };
    /** For a mirror that never answers: one that is only slow for want of a core is another matter. */
    const impatient = { mirror_timeout: 300, connect_timeout: 500 };

    /** Runs the workload against a mirror in some state; the clients must see what they see without one. */
    async function run(
      mirror: NonNullable<ProxyOptions["mirror"]>,
      during: (round: number, proxy: TestProxy) => Promise<void> = () =>
        Promise.resolve(),
      after?: () => void,
      timeouts: Partial<typeof impatient> = {},
    ): Promise<Ledger> {
      await prepare(primary);
      await using proxy = await TestProxy.start({
        primary,
        mirror,
        general: { ...general, ...timeouts },
      });
      const seen = await workload(
        proxy.url(),
        (round) => during(round, proxy),
      );
      assert.deepEqual(seen, expected);
      after?.();
      const ledger = await proxy.settled();
      assertClosed(ledger);
      const perClient = 3 * ROUNDS;
      // postgres.js asks each new connection for its array types, and prepares statements.
      assert.ok(ledger.seen >= CLIENTS * perClient, JSON.stringify(ledger));
      return ledger;
    }

    await t.step("a healthy mirror replays everything", async () => {
      await using mirror = await startCluster({ version: "18" });
      await prepare(mirror);
      const ledger = await run(mirror);
      assert.equal(ledger.replayed, ledger.seen, JSON.stringify(ledger));
      assert.equal(ledger.queryErrors, 0);
      const sql = postgres(mirror.url(), { max: 1 });
      const rows = await sql`select distinct n from account`;
      assert.deepEqual(rows.map(({ n }) => n), [ROUNDS]);
      await sql.end();
    });

    await t.step("down at the start: mirror_down", async () => {
      const ledger = await run({ host: "127.0.0.1", port: freePort() });
      assert.deepEqual(Object.keys(ledger.dropped), ["mirror_down"]);
      assert.equal(ledger.dropped.mirror_down, ledger.seen);
    });

    await t.step("killed in the middle: failed, then mirror_down", async () => {
      await using mirror = await startCluster({ version: "18" });
      await prepare(mirror);
      const ledger = await run(mirror, async (round, proxy) => {
        if (round !== ROUNDS / 2) return;
        const sql = postgres(proxy.url(), { max: 1 });
        await replayOne(sql, proxy);
        mirror.kill("SIGKILL");
        await sql.end();
      });
      assert.ok(ledger.replayed > 0, JSON.stringify(ledger));
      assert.ok((ledger.dropped.mirror_down ?? 0) > 0, JSON.stringify(ledger));
      assert.deepEqual(
        Object.keys(ledger.failed).filter((reason) => reason !== "connection"),
        [],
      );
    });

    await t.step(
      "stopped in the middle: timeout, then mirror_down",
      async () => {
        await using mirror = await startCluster({ version: "18" });
        await prepare(mirror);
        const ledger = await run(
          mirror,
          async (round, proxy) => {
            if (round !== ROUNDS / 2) return;
            const sql = postgres(proxy.url(), { max: 1 });
            await replayOne(sql, proxy);
            await mirror.pause();
            await sql`select 1`; // On a lane that has just answered.
            await sql.end();
          },
          undefined,
          impatient,
        );
        assert.ok((ledger.failed.timeout ?? 0) > 0, JSON.stringify(ledger));
        mirror.resume();
      },
    );

    await t.step("stopped for good: memory keeps to its bound", async () => {
      await using mirror = await startCluster({ version: "18" });
      const bound = 2 * MIB;
      await using proxy = await TestProxy.start({
        primary,
        mirror,
        general: {
          ...general,
          mirror_timeout: 60_000,
          mirror_queue_bytes: bound,
          mirror_max_transaction_bytes: MIB,
        },
      });
      const sql = postgres(proxy.url(), { max: 1, fetch_types: false });
      await sql`select 1`;
      await proxy.replayed(1);
      await mirror.pause();
      const before = Deno.memoryUsage().rss;
      let highest = 0;
      const text = "x".repeat(100_000);
      for (let i = 0; i < 4_000; i++) {
        await sql.unsafe(`select length('${text}')`);
        const bytes = proxy.supervisor.snapshot().get("mirror_queue_bytes");
        highest = Math.max(highest, bytes?.series[0]?.value ?? 0);
      }
      await sql.end();
      assert.ok(highest > 0 && highest <= bound, `${highest} bytes queued`);
      assert.ok((proxy.ledger().dropped.queue_full ?? 0) > 3_500);
      // 400 MB went through; the rest is the garbage of this very test.
      const grown = (Deno.memoryUsage().rss - before) / MIB;
      assert.ok(grown < 300, `${grown} MiB more`);
      mirror.resume();
    });

    await t.step(
      "wrong password: mirror_down, one login per step",
      async () => {
        await using mirror = await startCluster({
          version: "18",
          auth: "scram-sha-256",
          password: "right",
        });
        const ledger = await run({
          host: mirror.host,
          port: mirror.port,
          password: "wrong",
        });
        assert.equal(ledger.dropped.mirror_down, ledger.seen);
        const log = await Deno.readTextFile(mirror.logFile);
        const attempts = log.split("password authentication failed").length - 1;
        assert.ok(attempts >= 1 && attempts < CLIENTS, `${attempts} logins`);
      },
    );

    await t.step(
      "a missing table: replayed, errors of type query",
      async () => {
        await using mirror = await startCluster({ version: "18" });
        const ledger = await run(mirror);
        assert.equal(ledger.replayed, ledger.seen, JSON.stringify(ledger));
        // The first statement of each transaction fails; the cascade behind it is not counted.
        assert.equal(ledger.queryErrors, CLIENTS * ROUNDS);
      },
    );
  },
});
