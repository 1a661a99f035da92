import assert from "node:assert/strict";
import { startCluster } from "../support/cluster.ts";
import { copyData, copyDone, parse } from "../support/model/messages.ts";
import { onServer } from "../support/on_server.ts";
import { type Ledger, TestProxy } from "../support/proxy.ts";
import {
  concat,
  extended,
  query,
  sync,
  WireClient,
} from "../support/wire_client.ts";

const TABLES = `
create table t (a int);
create table u (a int);
create table guarded (a int);
create function refuse() returns trigger language plpgsql
  as $$ begin raise exception 'refused'; end $$;
create trigger refuse before insert on guarded
  for each statement execute function refuse();
`;

/** As tokio-postgres sends it: a Sync behind Execute, another behind the data. */
const copyWithEarlySync = (table: string) =>
  concat([
    extended(`copy ${table} from stdin`),
    sync(),
    copyData("1\n"),
    copyDone(),
    sync(),
  ]);

interface Case {
  readonly name: string;
  readonly bytes: readonly Uint8Array[];
  /** ReadyForQuery of the primary, and the last one's status. */
  readonly ready: number;
  readonly seen: number;
  readonly statements: Ledger["statements"];
}

const seven = query("select 7");
const CASES: readonly Case[] = [
  {
    name:
      "a COPY that fails on the mirror only, behind a Sync that it swallows on the primary",
    bytes: [copyWithEarlySync("on_primary"), seven],
    ready: 2,
    seen: 2,
    statements: { match: 1, mismatch_error_on_mirror: 1 },
  },
  {
    name: "a COPY that the primary refuses and the mirror would begin",
    bytes: [copyWithEarlySync("on_mirror"), seven],
    ready: 3,
    seen: 3,
    statements: { match: 1, mismatch_sqlstate: 1 },
  },
  {
    name: "a COPY that fails before it reads data, and swallows no Sync",
    bytes: [copyWithEarlySync("guarded"), seven, sync(), seven],
    ready: 5,
    seen: 5,
    statements: { match: 3 },
  },
  {
    name: "two COPYs of one Query, their data sent ahead",
    bytes: [
      query("copy t from stdin; copy u from stdin"),
      copyData("1\n"),
      copyDone(),
      copyData("2\n"),
      copyDone(),
      seven,
    ],
    ready: 2,
    seen: 2,
    statements: { match: 3 },
  },
  {
    name: "a Query that only the mirror skips",
    bytes: [
      parse("", "select a from on_primary"),
      query("select 1"),
      sync(),
      seven,
    ],
    ready: 3,
    seen: 3,
    statements: { match: 1, mismatch_error_on_mirror: 1 },
  },
  {
    name: "a Query that only the primary skips",
    bytes: [
      parse("", "select a from on_mirror"),
      query("select 1"),
      sync(),
      seven,
    ],
    ready: 2,
    seen: 2,
    statements: { match: 1, mismatch_error_on_primary: 1 },
  },
  {
    name: "what a block refuses behind a cancelled statement",
    bytes: [
      "set statement_timeout = 100",
      "begin",
      "savepoint s",
      "select pg_sleep(60)",
      "insert into t values (5)",
      "savepoint z",
      "rollback to s",
      "insert into t values (6)",
      "commit",
    ].map(query),
    ready: 9,
    seen: 2,
    statements: { match: 1, match_control: 5 },
  },
];

Deno.test({
  name: "pipelines: a cycle is answered once, whoever fails in it",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn(t) {
    await using primary = await startCluster({ version: "15" });
    await using mirror = await startCluster({ version: "18" });
    for (
      const [cluster, own] of [
        [primary, "on_primary"],
        [mirror, "on_mirror"],
      ] as const
    ) {
      await onServer(
        cluster,
        (sql) => sql.unsafe(`${TABLES}; create table ${own} (a int)`),
      );
    }
    for (const { name, bytes, ready, seen, statements } of CASES) {
      await t.step(name, async () => {
        await using proxy = await TestProxy.start({ primary, mirror });
        const client = await WireClient.connect(proxy.port);
        await client.send(concat(bytes));
        await client.ready(ready);
        await client.terminate();
        const ledger = await proxy.settled();
        assert.deepEqual(
          {
            seen: ledger.seen,
            replayed: ledger.replayed,
            statements: ledger.statements,
          },
          { seen, replayed: seen, statements },
          JSON.stringify(ledger),
        );
      });
    }
    await t.step("the same rows are in both", async () => {
      const rows = (cluster: typeof primary) =>
        onServer(
          cluster,
          (sql) =>
            sql`select 't' as name, a from t union all select 'u', a from u
            order by 1, 2`,
        );
      assert.deepEqual([...await rows(mirror)], [...await rows(primary)]);
    });
  },
});
