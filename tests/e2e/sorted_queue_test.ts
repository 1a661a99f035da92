import assert from "node:assert/strict";
import { type Cluster, startCluster } from "../support/cluster.ts";
import { assertAllMatch } from "../support/ledgers.ts";
import { onServer } from "../support/on_server.ts";
import { TestProxy } from "../support/proxy.ts";
import { waitFor } from "../support/wait.ts";
import { query, WireClient } from "../support/wire_client.ts";

const LOCK = "limit 1 for update skip locked";
const BY_NAME = `select id, name from job order by name ${LOCK}`;
const BY_LABEL = `select id, lower(name) as id2 from job order by 2 ${LOCK}`;
const BY_ID =
  `select id, name from job where state = 'new' order by id ${LOCK}`;
const ABOVE = `select id from job where name > 'G' order by id ${LOCK}`;
const UPDATE = `update job set state = 'run' where id = (
  select id from job order by lower(name) || name ${LOCK}) returning id`;

/** A queue, how its names are sorted on both servers, and whether the mirror is told the row that was taken. */
const CASES = [
  { sql: BY_NAME, primary: "C", mirror: "und-x-icu", isTold: false },
  { sql: BY_LABEL, primary: "C", mirror: "und-x-icu", isTold: false },
  { sql: ABOVE, primary: "C", mirror: "und-x-icu", isTold: false },
  { sql: UPDATE, primary: "C", mirror: "und-x-icu", isTold: false },
  { sql: BY_ID, primary: "C", mirror: "und-x-icu", isTold: true },
  { sql: BY_NAME, primary: "und-x-icu", mirror: "und-x-icu", isTold: true },
  { sql: UPDATE, primary: "und-x-icu", mirror: "und-x-icu", isTold: true },
] as const;

const schema = (collation: string) => `
  create table job (id int primary key, name text collate "${collation}", state text default 'new');
  insert into job values (1, 'f'), (2, 'é'), (3, 'H')`;

for (const { sql, primary: theirs, mirror: ours, isTold } of CASES) {
  Deno.test({
    name: `sorted queue: ${theirs} and ${ours}, the mirror is told ${
      isTold ? "the row" : "nothing"
    }: ${sql}`,
    sanitizeOps: false,
    sanitizeResources: false,
    async fn() {
      await using primary = await started(theirs);
      await using mirror = await started(ours);
      await using proxy = await TestProxy.start({
        primary,
        mirror,
        primaryKeys: 'user = "postgres"',
      });
      await waitFor(
        "both servers' collations to be known",
        () => proxy.logs.some((line) => line.includes("Collations are known")),
        20_000,
      );
      using beside = await WireClient.connect(proxy.port);
      using worker = await WireClient.connect(proxy.port);
      // It might hold locks.
      for (
        const [client, text] of [[beside, "begin"], [worker, sql]] as const
      ) {
        await client.send(query(text));
        await client.ready(1);
      }
      await worker.terminate();
      // Who has gone holds no locks.
      await proxy.settled(30_000, 1);
      await beside.terminate();
      const ledger = await proxy.settled();
      const { series = [] } =
        proxy.supervisor.snapshot().get("mirror_taken_rows_total") ?? {};
      const taken = series.reduce((sum, { value }) => sum + value, 0);
      assert.equal(taken, isTold ? 1 : 0);
      const { mismatch_rows: found = 0 } = ledger.statements;
      // By their order or by a comparison the mirror chooses another row.
      if (isTold) assertAllMatch(ledger);
      else assert.equal(found, 1, JSON.stringify(ledger));
    },
  });
}

async function started(collation: string): Promise<Cluster> {
  const cluster = await startCluster({ version: "15" });
  await onServer(cluster, (sql) => sql.unsafe(schema(collation)));
  return cluster;
}
