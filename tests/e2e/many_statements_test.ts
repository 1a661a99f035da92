import assert from "node:assert/strict";
import postgres from "postgres";
import { atOnce, STEPS_AT_ONCE } from "../support/at_once.ts";
import { startCluster } from "../support/cluster.ts";
import { TestProxy } from "../support/proxy.ts";
import { waitFor } from "../support/wait.ts";
import { EVICTED, Result } from "../../src/stats/mod.ts";

const SHAPES = 20_000;
const BATCH = 100;
const SCHEMA = `
  create table t (id int, name text);
  insert into t values (1, 'one');
`;

Deno.test({
  name:
    "statements: of 20,000 shapes the last is judged like the first, and sums stay exact",
  ...STEPS_AT_ONCE,
  async fn(t) {
    await using primary = await startCluster({
      version: "15",
      initSql: SCHEMA,
    });
    // The reports of so many statements take their time, whatever else there is.
    await atOnce(2, [true, false], async (seeded) => {
      await t.step(seeded ? "a defect in the last" : "its twin", async () => {
        await using mirror = await startCluster({
          version: "15",
          initSql: SCHEMA +
            (seeded ? "update t set name = 'two' where id = 1" : ""),
        });
        await using proxy = await TestProxy.start({
          primary,
          mirror,
          general: {
            mirror_queue: 100_000,
            mirror_pacing: "asap",
            // A busy machine is none of the mirror's failures.
            connect_timeout: 60_000,
            mirror_timeout: 60_000,
          },
        });
        const sql = postgres(proxy.url(), { max: 1, fetch_types: false });
        for (let i = 0; i < SHAPES; i += BATCH) {
          const texts = Array.from(
            { length: BATCH },
            (_, j) => `select id as s${i + j} from t`,
          );
          await sql.unsafe(texts.join(";")).simple();
        }
        await sql.unsafe(`select name as the_last from t`);
        await sql.end();
        const ledger = await proxy.settled(120_000);
        const rows = () => proxy.supervisor.statements();
        const calls = () => rows().reduce((sum, { calls }) => sum + calls, 0);
        await waitFor(
          `all statements to be reported: ${JSON.stringify(ledger)}`,
          () => calls() === SHAPES + 1,
          120_000,
        );
        assert.deepEqual(
          ledger.statements,
          seeded ? { match: SHAPES, mismatch_rows: 1 } : { match: SHAPES + 1 },
        );
        const last = rows().find(({ text }) => /the_last/.test(text));
        assert.equal(last?.results[Result.mismatchRows], seeded ? 1 : 0);
        assert.ok(rows().some(({ fingerprint }) => fingerprint === EVICTED));
        assert.ok(rows().length <= 10_001, `${rows().length} rows`);
        assert.ok(
          proxy.logs.some((line) => /table of statements is full/.test(line)),
        );
      });
    });
  },
});
