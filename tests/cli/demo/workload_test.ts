import assert from "node:assert/strict";
import postgres from "postgres";
import { UPGRADE_BREAKAGE } from "../../../src/cli/demo/workload_steps.ts";
import {
  runWorkload,
  type WorkloadResult,
} from "../../../src/cli/demo/workload.ts";
import {
  type Cluster,
  pair,
  SHOP_DATABASE,
  startCluster,
  tableChecksums,
} from "../../support/cluster.ts";

const CLIENTS = 4;

async function checksumsOf(cluster: Cluster) {
  const sql = postgres(cluster.url(SHOP_DATABASE), { max: 1 });
  try {
    return await tableChecksums(sql);
  } finally {
    await sql.end();
  }
}

Deno.test("runWorkload: two versions end with equal tables, whatever the interleaving", async () => {
  await using servers = await pair();
  const { primary, mirror } = servers;
  const loaded = await checksumsOf(primary);
  assert.deepEqual(loaded, await checksumsOf(mirror));

  const options = { clients: CLIENTS, stepsPerClient: 300 };
  const onPrimary = await runWorkload({
    ...options,
    url: primary.url(SHOP_DATABASE),
  });
  assert.deepEqual(onPrimary.unexpected, []);
  assert.ok(onPrimary.errorsExpected > 0);
  const broken = onPrimary.steps[UPGRADE_BREAKAGE.name] ?? 0;
  assert.ok(broken > 0);

  // The same in quite another order, and on the newer version, where just the
  // planted statement fails.
  const results: WorkloadResult[] = [];
  for (const index of [3, 2, 1, 0]) {
    results.push(
      await runWorkload({
        ...options,
        url: mirror.url(SHOP_DATABASE),
        indexes: [index],
      }),
    );
  }
  const sum = (name: "statements" | "errorsExpected" | "errorsUnexpected") =>
    results.reduce((total, result) => total + result[name], 0);
  assert.equal(sum("errorsUnexpected"), broken);
  assert.match(results[0]?.unexpected[0] ?? "", /upgrade breakage: 42703/);
  assert.equal(sum("errorsExpected"), onPrimary.errorsExpected);
  assert.equal(sum("statements"), onPrimary.statements);

  const after = await checksumsOf(primary);
  assert.deepEqual(await checksumsOf(mirror), after);
  for (const [table, checksum] of Object.entries(after)) {
    // Products are only read.
    assert.equal(checksum === loaded[table], table === "products", table);
  }

  // A second run on the same tables finds its ids free.
  const again = await runWorkload({
    ...options,
    url: primary.url(SHOP_DATABASE),
    run: 1,
  });
  assert.deepEqual(again.unexpected, []);
});

Deno.test("runWorkload: a signal ends it, and progress was told", async () => {
  await using servers = await pair();
  const abort = new AbortController();
  let told = 0;
  const result = await runWorkload({
    url: servers.primary.url(SHOP_DATABASE),
    clients: 2,
    signal: abort.signal,
    onProgress: ({ statements }) => {
      told = statements;
      abort.abort();
    },
  });
  assert.ok(told > 0);
  assert.ok(result.statements >= told);
  assert.deepEqual(result.unexpected, []);
});

Deno.test("runWorkload: a dead server gives unexpected errors, and an end", async () => {
  const cluster = await startCluster({ version: "15" });
  const url = cluster.url(SHOP_DATABASE);
  await cluster[Symbol.asyncDispose]();
  const result = await runWorkload({ url, clients: 2, stepsPerClient: 2 });
  assert.ok(result.errorsUnexpected > 0);
  assert.match(result.unexpected.join(), /ECONNREFUSED/);
});
