import assert from "node:assert/strict";
import postgres from "postgres";
import { startCluster } from "../support/cluster.ts";
import { onServer } from "../support/on_server.ts";
import { TestProxy } from "../support/proxy.ts";

const SCHEMA = `
  create table account (id int primary key, balance int not null);
  insert into account select i, 0 from generate_series(1, 100) i;
`;
const WRITERS = 4;
const READS = 200;

Deno.test({
  name:
    "judge: writers of other rows excuse no wrong row, and make no right one wrong",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn(t) {
    for (
      const [what, wrong] of [["the twin", 0], ["a wrong row", 1]] as const
    ) {
      await t.step(what, async () => {
        await using primary = await startCluster({
          version: "15",
          initSql: SCHEMA,
        });
        await using mirror = await startCluster({
          version: "18",
          initSql: SCHEMA,
        });
        await onServer(
          mirror,
          (sql) => sql`update account set balance = ${wrong} where id = 99`,
        );
        await using proxy = await TestProxy.start({
          primary,
          mirror,
          general: { mirror_queue: 100_000 },
        });
        const sql = postgres(proxy.url(), {
          max: WRITERS + 1,
          fetch_types: false,
        });
        let reading = true;
        const write = async (writer: number) => {
          for (let i = 0; reading; i++) {
            const id = 1 + (i * WRITERS + writer) % 90;
            await sql`update account set balance = balance + 1 where id = ${id}`;
          }
        };
        const read = async () => {
          for (let i = 0; i < READS / 2; i++) {
            await sql`select balance from account where id = ${99}`;
            await sql.unsafe("select * from account where id = 99");
          }
          reading = false;
        };
        await Promise.all([
          read(),
          ...Array.from({ length: WRITERS }, (_, writer) => write(writer)),
        ]);
        await sql.end();
        const { statements } = await proxy.settled();
        const { match: _match, ...others } = statements;
        assert.deepEqual(
          others,
          wrong === 0 ? {} : { mismatch_rows: READS },
          JSON.stringify(statements),
        );
      });
    }
  },
});
