/**
 * How much longer the replay of pgbench takes in the primary's order of commits
 * than with each client for itself, also with advisory locks, a long report
 * beside, and definitions beside: from the first transaction until the mirror
 * has done all. Rounds are interleaved.
 *
 * ```sh
 * deno run -A bench/load/ordered.ts --rounds 5
 * ```
 *
 * @module
 */

import { parseArgs } from "node:util";
import postgres from "postgres";
import { startCluster } from "../../src/cli/demo/cluster.ts";
import { runScript, server } from "../../tests/support/pgbench.ts";
import { runProgram } from "../../tests/support/programs.ts";
import { TestProxy } from "../../tests/support/proxy.ts";
import { waitFor } from "../../tests/support/wait.ts";
import { median } from "./support.ts";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    clients: { type: "string", default: "8" },
    transactions: { type: "string", default: "400" },
  },
});
const rounds = Number(values.rounds);
const clients = Number(values.clients);
const ORDERS = ["client", "commit"] as const;
const SETTLED_MS = 300_000;

const TRANSFER = `
begin;
update pgbench_accounts set abalance = abalance + 1 where aid = :a;
select abalance from pgbench_accounts where aid = :a;
insert into pgbench_history (tid, bid, aid, delta) values (1, 1, :a, 1);
end;`;
const LOCKED = TRANSFER.replace(
  "begin;",
  "begin;\nselect pg_advisory_xact_lock(:a % 100);",
);

interface Kind {
  readonly script: string;
  /** What one more client does meanwhile, and how many of its requests may be open at the end. */
  readonly beside?: (sql: postgres.Sql) => Promise<unknown>;
  readonly open?: number;
}

const KINDS: Readonly<Record<string, Kind>> = {
  "transfers": { script: TRANSFER },
  "advisory locks": { script: LOCKED },
  "a report beside": {
    script: TRANSFER,
    beside: (sql) =>
      sql`insert into report select aid from pgbench_accounts, pg_sleep(15) limit 1000`,
    open: 1,
  },
  "definitions beside": {
    script: TRANSFER,
    beside: async (sql) => {
      await sql.unsafe("create table other (id int)");
      await sql.unsafe("alter table other add name text");
      await sql.unsafe("drop table other");
    },
  },
};

await using primary = await startCluster({ version: "15" });
await using mirror = await startCluster({ version: "15" });
for (const { port } of [primary, mirror]) {
  await runProgram("pgbench", [...server(port), "-i", "-q", "postgres"]);
}
const folder = await Deno.makeTempDir();
const table: Record<string, Record<string, string | number>> = {};
try {
  for (const [name, kind] of Object.entries(KINDS)) {
    const seconds = { client: [] as number[], commit: [] as number[] };
    let dropped = 0;
    for (let round = 0; round < rounds; round++) {
      for (const order of round % 2 === 0 ? ORDERS : ORDERS.toReversed()) {
        const run = await replay(order, kind);
        seconds[order].push(run.seconds);
        dropped += run.dropped;
      }
    }
    const [client, commit] = ORDERS.map((order) => median(seconds[order])) as [
      number,
      number,
    ];
    table[name] = {
      "client (s)": client.toFixed(1),
      "commit (s)": commit.toFixed(1),
      "ratio": (commit / client).toFixed(2),
      dropped,
    };
  }
} finally {
  await Deno.remove(folder, { recursive: true });
}
console.table(table);

async function replay(mirror_order: string, { script, beside, open }: Kind) {
  for (const cluster of [primary, mirror]) {
    await using sql = connection(cluster.url());
    await sql`drop table if exists report`;
    await sql`create table report (id int)`;
  }
  await using proxy = await TestProxy.start({
    primary,
    mirror,
    general: { mirror_order, mirror_timeout: 120_000 },
  });
  await using other = connection(proxy.url());
  await other`select 1`;
  const path = `${folder}/script.sql`;
  await Deno.writeTextFile(path, `\\set a random(1, 100000)${script}\n`);
  const start = performance.now();
  const done = beside?.(other);
  await runScript({
    port: proxy.port,
    path,
    mode: "simple",
    clients,
    transactionsPerClient: Number(values.transactions),
    rate: 0,
  });
  await waitFor(
    "the mirror",
    () => proxy.ledger().pending <= (open ?? 0),
    SETTLED_MS,
  );
  const seconds = (performance.now() - start) / 1e3;
  await done;
  const ledger = proxy.ledger();
  const dropped = Object.values(ledger.dropped).reduce((sum, n) => sum + n, 0);
  return { seconds, dropped };
}

function connection(url: string): postgres.Sql & AsyncDisposable {
  const sql = postgres(url, { max: 1, fetch_types: false, onnotice() {} });
  return Object.assign(sql, { [Symbol.asyncDispose]: () => sql.end() });
}
