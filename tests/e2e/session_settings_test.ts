import assert from "node:assert/strict";
import { type Cluster, startCluster } from "../support/cluster.ts";
import { assertAllMatch } from "../support/ledgers.ts";
import { onServer } from "../support/on_server.ts";
import { TestProxy } from "../support/proxy.ts";
import { waitFor } from "../support/wait.ts";
import { query, WireClient } from "../support/wire_client.ts";

const TABLE = "orders (id serial primary key, v text)";
const INSERT = "insert into orders (v) values ('x') returning id";

/** What a client does before it inserts, and whether the mirror is given its numbers. */
interface Session {
  readonly name: string;
  readonly parameters?: Readonly<Record<string, string>>;
  readonly first?: string;
  readonly insert?: string;
  readonly isGiven: boolean;
}

const SESSIONS: readonly Session[] = [
  { name: "none of its own", isGiven: true },
  {
    name: "another setting",
    first: "select set_config('app.tenant', '7', false)",
    isGiven: true,
  },
  {
    name: "a path, and a schema in the text",
    first: "set search_path = t1",
    insert: INSERT.replace("orders", "t1.orders"),
    isGiven: true,
  },
  {
    name: "startup options",
    parameters: { options: "-c search_path=t1" },
    isGiven: false,
  },
  {
    name: "a startup parameter",
    parameters: { search_path: "t1" },
    isGiven: false,
  },
  { name: "SET", first: "set search_path to t1, public", isGiven: false },
  { name: "SET SCHEMA", first: "set schema 't1'", isGiven: false },
  {
    name: "set_config()",
    first: "select set_config('search_path', 't1', false)",
    isGiven: false,
  },
];

for (const session of SESSIONS) {
  Deno.test({
    name:
      `session settings: each table draws from its own sequence: ${session.name}`,
    sanitizeOps: false,
    sanitizeResources: false,
    async fn() {
      const initSql =
        `create table ${TABLE}; create schema t1; create table t1.${TABLE}`;
      await using primary = await startCluster({ version: "15", initSql });
      await using mirror = await startCluster({ version: "15", initSql });
      await using proxy = await TestProxy.start({ primary, mirror });
      await waitFor(
        "the mirror's schema to be known",
        () => proxy.logs.some((line) => line.includes("schema is known")),
        10_000,
      );
      using client = await WireClient.connect(proxy.port, session.parameters);
      const { first, insert = INSERT } = session;
      for (const sql of [...(first ? [first] : []), insert, insert]) {
        await client.send(query(sql));
        await client.ready(1);
      }
      await client.terminate();
      assertAllMatch(await proxy.settled());
      assert.equal(givenRows(proxy), session.isGiven ? 2 : 0);
      assert.deepEqual(await drawn(mirror), await drawn(primary));
    },
  });
}

/** How far the sequences of both tables are. */
async function drawn(cluster: Cluster): Promise<unknown> {
  return await onServer(cluster, async (sql) => [
    ...await sql`
      select schemaname, last_value::text from pg_sequences order by 1`,
  ]);
}

function givenRows(proxy: TestProxy): number {
  const { series } =
    proxy.supervisor.snapshot().get("mirror_given_rows_total") ??
      { series: [] };
  return series.reduce((sum, { value }) => sum + value, 0);
}
