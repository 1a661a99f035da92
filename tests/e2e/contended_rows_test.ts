import assert from "node:assert/strict";
import { Client } from "pg";
import { type Cluster, startCluster } from "../support/cluster.ts";
import { assertClosed, isMismatch } from "../support/ledgers.ts";
import { TestProxy } from "../support/proxy.ts";
import postgres from "postgres";

/** What clients do who are at the same rows all the time. */
interface Habit {
  readonly name: string;
  readonly schema: string;
  /** What is wrong on the mirror. */
  readonly defect: string;
  run(client: Client, number: number, round: number): Promise<void>;
}

const CLIENTS = 6;
const ROUNDS = 20;

const HABITS: readonly Habit[] = [
  {
    name: "session advisory lock, work, unlock",
    schema:
      "create table t (id int primary key, n int); insert into t values (1, 0)",
    defect: "update t set n = 1",
    async run(client) {
      await client.query("select pg_advisory_lock(7)");
      const { rows: [row] } = await client.query(
        "select n from t where id = 1",
      );
      await client.query("update t set n = $1 where id = 1", [row.n + 1]);
      await client.query("select pg_advisory_unlock(7)");
    },
  },
  {
    name: "counters by ON CONFLICT DO UPDATE",
    schema: "create table t (id serial primary key, k text unique, n int)",
    defect: "insert into t (id, k, n) values (0, 'k0', 1000)",
    async run(client, number, round) {
      await client.query(
        "insert into t (k, n) values ($1, 1) on conflict (k) do update set n = t.n + 1 returning id, n",
        [`k${(number + round) % 3}`],
      );
    },
  },
  {
    name: "ON CONFLICT DO NOTHING is a lock, DELETE lets go of it",
    schema: "create table t (k text primary key)",
    defect: "alter table t drop constraint t_pkey",
    async run(client, number, round) {
      const k = `k${(number + round) % 2}`;
      const { rowCount } = await client.query(
        "insert into t values ($1) on conflict do nothing",
        [k],
      );
      if (rowCount === 1) await client.query("delete from t where k = $1", [k]);
    },
  },
  {
    name: "functions and blocks that write, and counts",
    schema: `create table t (id bigserial primary key, v text);
      create function put(v text) returns void language plpgsql as $$
        begin insert into t (v) values (v); end $$;
      create function put_by(name text) returns void language plpgsql as $$
        begin execute format('insert into %I (v) values (''x'')', name); end $$`,
    defect: "insert into t (id, v) values (-1, 'x')",
    async run(client, number) {
      if (number % 3 === 0) await client.query("select put('f')");
      else if (number % 3 === 1) await client.query("select put_by('t')");
      else {await client.query(
          "do $$ begin insert into t (v) values ('d'); end $$",
        );}
      await client.query("select count(*) from t");
    },
  },
  {
    name: "REPEATABLE READ with a retry",
    schema:
      "create table t (id int primary key, n int); insert into t select i, 0 from generate_series(1, 4) i",
    defect: "update t set n = 1000 where id = 4",
    async run(client, number, round) {
      for (let tries = 0; tries < 5; tries++) {
        try {
          await client.query("begin isolation level repeatable read");
          await client.query("select sum(n) from t");
          await client.query(
            "update t set n = n + 1 where id = $1 returning n",
            [1 + (number + round) % 4],
          );
          await client.query("commit");
          return;
        } catch {
          await client.query("rollback");
        }
      }
    },
  },
];

Deno.test({
  name:
    "contended rows: equal servers are clean, and what is wrong on a mirror is found",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn(t) {
    const settings = { max_connections: "200" };
    await using primary = await startCluster({ version: "15", settings });
    await using mirror = await startCluster({ version: "15", settings });
    for (const [i, habit] of HABITS.entries()) {
      await t.step(`${habit.name}: clean`, async () => {
        const database = `clean_${i}`;
        await create(primary, database, habit.schema);
        await create(mirror, database, habit.schema);
        const { ledger, told } = await ran(primary, mirror, database, habit);
        assertClosed(ledger);
        assert.deepEqual(ledger.failed, {}, told);
        const found = Object.keys(ledger.statements).filter(isMismatch);
        assert.deepEqual(found, [], told);
        assert.equal(
          await tableOf(mirror, database),
          await tableOf(primary, database),
        );
      });
      await t.step(`${habit.name}: a defect`, async () => {
        const database = `defect_${i}`;
        await create(primary, database, habit.schema);
        await create(mirror, database, `${habit.schema}; ${habit.defect}`);
        const { ledger, told } = await ran(primary, mirror, database, habit);
        const found = Object.keys(ledger.statements).filter(isMismatch);
        assert.ok(found.length > 0, told);
      });
    }
  },
});

async function create(cluster: Cluster, database: string, schema: string) {
  for (
    const [name, text] of [
      ["postgres", `create database ${database}`],
      [database, schema],
    ] as const
  ) {
    const sql = postgres(cluster.url(name), { max: 1, onnotice() {} });
    await sql.unsafe(text);
    await sql.end();
  }
}

async function ran(
  primary: Cluster,
  mirror: Cluster,
  database: string,
  { run }: Habit,
) {
  await using proxy = await TestProxy.start({ primary, mirror, database });
  await Promise.all(Array.from({ length: CLIENTS }, async (_, number) => {
    const client = new Client({ connectionString: proxy.url() });
    await client.connect();
    for (let round = 0; round < ROUNDS; round++) {
      await run(client, number, round);
    }
    await client.end();
  }));
  const ledger = await proxy.settled(60_000);
  const told = JSON.stringify([
    ledger,
    proxy.supervisor.statements().map(({ text, examples }) => [text, examples]),
  ]);
  return { ledger, told };
}

/** All rows but for what a sequence drew. */
async function tableOf(cluster: Cluster, database: string): Promise<string> {
  const sql = postgres(cluster.url(database), { max: 1, fetch_types: false });
  try {
    const [row] = await sql`
      select coalesce(string_agg(r, ' ' order by r), '') as all
      from (select (to_jsonb(t) - 'id')::text as r from t) x`;
    return row?.all;
  } finally {
    await sql.end();
  }
}
