import assert from "node:assert/strict";
import postgres from "postgres";
import { startCluster } from "../support/cluster.ts";
import { onServer } from "../support/on_server.ts";
import { TestProxy } from "../support/proxy.ts";

const SCHEMA = `
  create table account (id int primary key, balance int not null);
  insert into account select i, 0 from generate_series(1, 10) i;
  create table fixed (id int primary key, note text);
  insert into fixed values (1, 'a');
`;
const ROUNDS = 10;

/** How a reader comes to see one snapshot: what it says first, and with each transaction. */
const READERS: readonly [name: string, first: string, begin: string][] = [
  ["BEGIN says it", "select 1", "begin isolation level repeatable read"],
  [
    "the session's default",
    "set default_transaction_isolation = 'serializable'",
    "begin",
  ],
  [
    "SET TRANSACTION",
    "select 1",
    "begin; set transaction isolation level repeatable read",
  ],
];

for (const wrong of [false, true]) {
  Deno.test({
    name: `judge: a snapshot hides what others commit, ${
      wrong ? "and no wrong row" : "and the twin is clean"
    }`,
    sanitizeOps: false,
    sanitizeResources: false,
    async fn(t) {
      await using primary = await startCluster({
        version: "15",
        initSql: SCHEMA,
      });
      await using mirror = await startCluster({
        version: "18",
        initSql: SCHEMA,
      });
      if (wrong) {
        await onServer(
          mirror,
          (sql) => sql`update fixed set note = 'b' where id = 1`,
        );
      }
      for (const [name, first, begin] of READERS) {
        await t.step(name, async () => {
          await using proxy = await TestProxy.start({ primary, mirror });
          const options = { max: 1, fetch_types: false, onnotice() {} };
          const reader = postgres(proxy.url(), options);
          const writer = postgres(proxy.url(), options);
          await reader.unsafe(first);
          for (let i = 0; i < ROUNDS; i++) {
            await reader.unsafe(begin);
            await reader.unsafe("select count(*) from account");
            await writer`update account set balance = balance + 1 where id = 3`;
            // The mirror hears of the reader when all is over, and has the write by then.
            const seen = await reader.unsafe(
              "select balance from account where id = 3",
            );
            await reader.unsafe("select note from fixed where id = 1");
            await reader.unsafe("commit");
            const now = await writer`select balance from account where id = 3`;
            assert.equal(seen[0]?.balance, now[0]?.balance - 1);
          }
          await reader.end();
          await writer.end();
          const { statements } = await proxy.settled();
          const {
            match: _match,
            match_control: _control,
            noise_concurrent_write: chance = 0,
            ...others
          } = statements;
          const told = JSON.stringify(statements);
          assert.ok(chance > 0, told);
          assert.deepEqual(
            others,
            wrong ? { mismatch_rows: ROUNDS } : {},
            told,
          );
        });
      }
    },
  });
}

Deno.test({
  name: "judge: without a snapshot what was committed before excuses nothing",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    await using primary = await startCluster({
      version: "15",
      initSql: SCHEMA,
    });
    await using mirror = await startCluster({ version: "18", initSql: SCHEMA });
    await onServer(
      mirror,
      (sql) => sql`update account set balance = 100 where id = 3`,
    );
    await using proxy = await TestProxy.start({ primary, mirror });
    const options = { max: 1, fetch_types: false, onnotice() {} };
    const reader = postgres(proxy.url(), options);
    const writer = postgres(proxy.url(), options);
    for (
      const begin of ["begin", "begin isolation level read committed"]
    ) {
      for (let i = 0; i < ROUNDS; i++) {
        await reader.unsafe(begin);
        await reader.unsafe("select count(*) from account");
        await writer`update account set balance = balance + 1 where id = 3`;
        await reader.unsafe("select balance from account where id = 3");
        await reader.unsafe("commit");
        // The next writer may not run ahead of this reader on the mirror.
        await proxy.settled(30_000, 2);
      }
    }
    await reader.end();
    await writer.end();
    const { statements } = await proxy.settled();
    const { mismatch_rows: wrong } = statements;
    assert.equal(wrong, 2 * ROUNDS, JSON.stringify(statements));
  },
});
