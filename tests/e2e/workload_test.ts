import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
// @ts-types="@types/pg"
import pg from "pg";
import postgres from "postgres";
import { runWorkload } from "../../src/cli/demo/workload.ts";
import { pair, SHOP_DATABASE, tableChecksums } from "../support/cluster.ts";
import { TestProxy } from "../support/proxy.ts";

/** Reads of many kinds, whose results must not depend on the way. */
const READS: readonly (readonly [sql: string, parameters: unknown[]])[] = [
  ["select * from customers order by id limit 20", []],
  ["select $1::int + 1 as n, $2::text as t, null as nothing", [41, "é¬"]],
  ["select $1::timestamptz as at, $2::numeric as n, $3::jsonb as j", [
    new Date(0),
    "12.340",
    { a: [1, null] },
  ]],
  ["select $1::bytea as b, $2::int[] as a", [Buffer.from([0, 255]), [1, 2]]],
  [
    "select o.id, count(*), sum(i.quantity) from orders o join order_items i on i.order_id = o.id group by o.id order by o.id limit 50",
    [],
  ],
  ["select 1 where false", []],
];

Deno.test({
  name:
    "drivers: results equal the direct ones, and the workload leaves equal tables",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn(t) {
    await using shop = await pair();
    const { primary, mirror } = shop;
    await using proxy = await TestProxy.start({
      primary,
      mirror,
      database: SHOP_DATABASE,
      general: { mirror_queue: 100_000, mirror_pacing: "asap" },
    });
    const direct = primary.url(SHOP_DATABASE);

    await t.step("postgres.js", async () => {
      const results = await Promise.all(
        [direct, proxy.url()].map(async (url) => {
          const sql = postgres(url, { max: 1 });
          const rows = [];
          for (const [text, parameters] of READS) {
            for (const prepare of [true, false]) {
              const result = await sql.unsafe(text, parameters as never[], {
                prepare,
              });
              rows.push({
                rows: [...result],
                columns: result.columns.map((c) => c.name),
              });
            }
          }
          await sql.end();
          return rows;
        }),
      );
      assert.deepEqual(results[1], results[0]);
    });

    await t.step("pg", async () => {
      const results = await Promise.all(
        [direct, proxy.url()].map(async (url) => {
          const client = new pg.Client({ connectionString: url });
          await client.connect();
          const rows = [];
          for (const [text, parameters] of READS) {
            for (const name of [undefined, `named ${text.slice(0, 20)}`]) {
              const { rows: found, fields } = await client.query({
                text,
                values: parameters,
                ...(name === undefined ? {} : { name }),
              });
              rows.push({ found, fields });
            }
          }
          await client.end();
          return rows;
        }),
      );
      assert.deepEqual(results[1], results[0]);
    });

    await t.step("a mixed workload, then row for row the same", async () => {
      const result = await runWorkload({
        url: proxy.url(),
        clients: 6,
        stepsPerClient: 150,
        upgradeBreakage: false,
      });
      assert.deepEqual(result.unexpected, []);
      const ledger = await proxy.settled();
      assert.equal(
        ledger.replayed + (ledger.excluded.client_gone ?? 0),
        ledger.seen,
        JSON.stringify(ledger),
      );
      assert.equal(ledger.queryErrors, 0);
      const checksums = (url: string) => withSql(url, tableChecksums);
      assert.deepEqual(
        await checksums(mirror.url(SHOP_DATABASE)),
        await checksums(direct),
      );
    });
  },
});

async function withSql<T>(
  url: string,
  use: (sql: postgres.Sql) => Promise<T>,
): Promise<T> {
  const sql = postgres(url, { max: 1 });
  try {
    return await use(sql);
  } finally {
    await sql.end();
  }
}
