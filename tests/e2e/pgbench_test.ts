import assert from "node:assert/strict";
import postgres from "postgres";
import { type Cluster, startCluster } from "../support/cluster.ts";
import { server } from "../support/pgbench.ts";
import { hasProgram, runProgram } from "../support/programs.ts";
import { TestProxy } from "../support/proxy.ts";

const CLIENTS = 16;
const TRANSACTIONS = 250;

Deno.test({
  name: "ledger: closes to the digit under pgbench, and the tables are equal",
  ignore: !hasProgram("pgbench"),
  sanitizeOps: false,
  sanitizeResources: false,
  async fn(t) {
    await using primary = await startCluster({ version: "15" });
    await using mirror = await startCluster({ version: "18" });
    for (const { port } of [primary, mirror]) {
      await runProgram("pgbench", [...server(port), "-i", "-q", "postgres"]);
    }
    await using proxy = await TestProxy.start({
      primary,
      mirror,
      // Both servers and the load share a few cores: nothing may be shed.
      general: { mirror_queue: 100_000, mirror_pacing: "asap" },
    });
    let before = proxy.ledger().seen;
    for (const mode of ["simple", "extended", "prepared"]) {
      await t.step(mode, async () => {
        const output = await runProgram("pgbench", [
          ...server(proxy.port),
          "-n",
          ...["-c", `${CLIENTS}`, "-j", "2", "-t", `${TRANSACTIONS}`],
          ...["-M", mode, "postgres"],
        ]);
        assert.match(output, /failed transactions: 0 /);
        const ledger = await proxy.settled();
        assert.equal(ledger.replayed, ledger.seen, JSON.stringify(ledger));
        assert.equal(ledger.queryErrors, 0);
        // pgbench asks a few questions of its own before it begins, and in
        // prepared mode each Parse is a cycle outside of a transaction.
        const seen = ledger.seen - before;
        before = ledger.seen;
        assert.ok(
          seen >= CLIENTS * TRANSACTIONS &&
            seen < CLIENTS * (TRANSACTIONS + 20),
          `${seen} requests`,
        );
      });
    }
    await t.step("the mirror's tables equal the primary's", async () => {
      assert.deepEqual(await tables(mirror), await tables(primary));
    });
  },
});

async function tables(cluster: Cluster): Promise<unknown[]> {
  const sql = postgres(cluster.url(), { max: 1 });
  try {
    // pgbench_history has no key, and its time is the server's own.
    return [
      await sql`select md5(string_agg(a::text, '' order by aid)) from pgbench_accounts a`,
      await sql`select md5(string_agg(b::text, '' order by bid)) from pgbench_branches b`,
      await sql`select md5(string_agg(t::text, '' order by tid)) from pgbench_tellers t`,
      await sql`select count(*), md5(string_agg(
        format('%s %s %s %s', tid, bid, aid, delta), ',' order by tid, bid, aid, delta
      )) from pgbench_history`,
    ];
  } finally {
    await sql.end();
  }
}
