/**
 * How well the replay keeps the primary's order where it matters most: clients
 * overwrite a few hot rows (the last writer wins) in transactions of one to
 * four statements; at each checkpoint everybody rests, the mirror catches up,
 * and the rows of both servers are compared.
 *
 * ```sh
 * deno run -A bench/load/hot_rows.ts --checkpoints 200
 * ```
 *
 * @module
 */

import { parseArgs } from "node:util";
import postgres from "postgres";
import { type Cluster, startCluster } from "../../src/cli/demo/cluster.ts";
import { TestProxy } from "../../tests/support/proxy.ts";
import { waitFor } from "../../tests/support/wait.ts";

const { values } = parseArgs({
  options: {
    checkpoints: { type: "string", default: "200" },
    writes: { type: "string", default: "100" },
    clients: { type: "string", default: "16" },
  },
});
const checkpoints = Number(values.checkpoints);
/** Overwrites between two checkpoints. */
const writes = Number(values.writes);
const CLIENTS = Number(values.clients);
const HOT_ROWS = 8;

for (const order of ["commit", "client"]) {
  await using primary = await startCluster({ version: "15" });
  await using mirror = await startCluster({ version: "15" });
  for (const cluster of [primary, mirror]) {
    await using sql = connection(cluster.url());
    await sql`create table hot (id int primary key, writer text not null)`;
    await sql`insert into hot select i, '' from generate_series(1, ${HOT_ROWS}::int) i`;
  }
  await using proxy = await TestProxy.start({
    primary,
    mirror,
    general: { mirror_order: order, mirror_queue: 100_000 },
  });
  const clients = Array.from(
    { length: CLIENTS },
    () => connection(proxy.url()),
  );
  let equal = 0;
  let number = 0;
  const overwrite = (
    sql: postgres.Sql | postgres.TransactionSql,
    id: number,
  ) => sql`update hot set writer = ${`${number++}`} where id = ${id}`;
  for (let checkpoint = 0; checkpoint < checkpoints; checkpoint++) {
    let left = writes;
    await Promise.all(clients.map(async (sql) => {
      while (left > 0) {
        const size = Math.min(left, 1 + Math.floor(Math.random() * 4));
        left -= size;
        // Rows in ascending order: deadlocks are another matter.
        const rows = new Set(
          Array.from(
            { length: size },
            () => 1 + Math.floor(Math.random() * HOT_ROWS),
          ),
        );
        const ids = [...rows].sort();
        if (ids.length === 1) await overwrite(sql, ids[0] as number);
        else {
          await sql.begin(async (tx) => {
            for (const id of ids) await overwrite(tx, id);
          });
        }
      }
    }));
    await waitFor("the mirror", () => proxy.ledger().pending === 0, 60_000);
    if (await rows(primary) === await rows(mirror)) equal++;
  }
  const { statements } = proxy.ledger();
  const breaks = (proxy.supervisor.snapshot().get("mirror_order_breaks_total")
    ?.series ?? []).reduce((sum, { value }) => sum + value, 0);
  console.log(
    `mirror_order = "${order}": the mirror's rows equal the primary's at ${equal} of ${checkpoints} checkpoints; ${breaks} order breaks; statements ${
      JSON.stringify(statements)
    }`,
  );
  await Promise.all(clients.map((sql) => sql.end()));
}

function connection(url: string): postgres.Sql & AsyncDisposable {
  const sql = postgres(url, { max: 1, fetch_types: false, onnotice() {} });
  return Object.assign(sql, {
    [Symbol.asyncDispose]: () => sql.end(),
  });
}

async function rows(cluster: Cluster): Promise<string> {
  await using sql = connection(cluster.url());
  return JSON.stringify(await sql`select * from hot order by id`);
}
