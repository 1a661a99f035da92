import assert from "node:assert/strict";
import postgres from "postgres";
import { type Cluster, startCluster } from "../support/cluster.ts";
import { prepare, run } from "../support/judged.ts";
import { TestProxy } from "../support/proxy.ts";
import { seenResults } from "../support/seen_results.ts";
import { waitFor } from "../support/wait.ts";
import { concat, query, WireClient } from "../support/wire_client.ts";
import { isMismatch, isNoise } from "../../src/stats/mod.ts";

/** A row ends every second, in each table. */
const SCHEMA = `
  create table sessions (
    id int primary key, token text unique, at timestamptz not null, note text
  );
  create table jobs (id int primary key, state text not null, at timestamptz not null);
  create table archive (id int primary key, at timestamptz);
  create table logs (id serial primary key, text text);
`;
const FILL = (origin: string) => `
  insert into sessions select i, 't' || i, '${origin}'::timestamptz + i * interval '1 s'
  from generate_series(1, 300) i;
  insert into jobs select i, 'queued', at from sessions s(i)`;

const TEST = { sanitizeOps: false, sanitizeResources: false };

/** What turns on the moment, and shows no time. */
type Sweep = (sql: postgres.Sql, port: number) => Promise<unknown>;

const SWEEPS: Readonly<Record<string, Sweep>> = {
  "a DELETE, as a simple query": (sql) =>
    sql.unsafe("delete from sessions where at < now()").simple(),
  "an UPDATE with parameters": (sql) =>
    sql`update jobs set state = ${"due"} where at <= current_timestamp and state = ${"queued"}`,
  "the second of a block": (sql) =>
    sql.begin(async (open) => {
      await open`select 1`;
      await open`update sessions set note = 'seen' where at - now() < ${"3 s"}::interval and note is null`;
    }),
  "a block that prepares nothing": (sql) =>
    sql.begin((open) =>
      open.unsafe("delete from sessions where at < now()").simple()
    ),
  "behind an INSERT before which the mirror is asked": (sql) =>
    sql.begin(async (open) => {
      await open.unsafe("insert into logs (text) values ('a') returning id")
        .simple();
      await open.unsafe("update jobs set state = 'late' where at < now()")
        .simple();
    }),
  "behind a wait within its block": (sql) =>
    sql.begin(async (open) => {
      await open`select count(*) from sessions`;
      await open.unsafe("delete from sessions where at < now()").simple();
    }),
  "behind another in a pipeline": async (_, port) => {
    using client = await WireClient.connect(port);
    await client.send(concat([
      "select pg_sleep(1)",
      "delete from sessions where at < now()",
      "update jobs set state = 'over' where at < now()",
    ].map(query)));
    await client.ready(3);
  },
  "INSERT … SELECT": (sql) =>
    sql`insert into archive select id, at from jobs where at < localtimestamp on conflict do nothing`,
  "a count": (sql) => sql`select count(*) from sessions where at > now()`,
  "several counts": (sql) =>
    sql.unsafe(
      "select count(*) filter (where at > statement_timestamp()), count(*) from sessions",
      [],
      { prepare: true },
    ),
  "keys": (sql) => sql`select id from jobs where at > now() order by id`,
  "EXISTS": (sql) =>
    sql.unsafe(
      "select exists (select 1 from sessions where at < now() - interval '1 s')",
    ),
  "what CASE says": (sql) =>
    sql`select id, case when at > now() then 'live' else 'over' end as state
      from sessions order by id`,
};

async function start() {
  const stack = new AsyncDisposableStack();
  const primary = stack.use(await startCluster({ version: "15" }));
  const mirror = stack.use(await startCluster({ version: "18" }));
  for (const server of [primary, mirror]) await prepare(server, SCHEMA);
  const proxy = stack.use(await TestProxy.start({ primary, mirror }));
  await waitFor(
    "the schema to be known",
    () => proxy.logs.some((line) => line.includes("schema is known")),
    10_000,
  );
  // Some have ended.
  const origin = new Date(Date.now() - 5_000).toISOString();
  return {
    ...{ primary, mirror, proxy, origin },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Waits until no row's time is near. */
async function betweenRows(origin: string): Promise<void> {
  const phase = (Date.now() - Date.parse(origin)) % 1_000;
  await sleep((1_500 - phase) % 1_000);
}

async function rowsOf(server: Cluster): Promise<readonly unknown[]> {
  const sql = postgres(server.url(), { max: 1 });
  const rows = await sql`
    select 'sessions' as of, id, note from sessions
    union all select 'jobs', id, state from jobs
    union all select 'archive', id, '' from archive order by 1, 2`;
  await sql.end();
  return [...rows];
}

Deno.test(
  "sweepers: a twin that is late finds what the primary found by the moment",
  TEST,
  async () => {
    await using servers = await start();
    const { primary, mirror, proxy, origin } = servers;
    for (const server of [primary, mirror]) await run(server, FILL(origin));
    const holder = postgres(mirror.url(), { max: 1 });
    const idle = postgres(proxy.url(), { max: 1, fetch_types: false });
    // By no row the mirror draws no time.
    await idle`update jobs set at = now() where id < 0`;
    await idle.end();
    for (const sweep of Object.values(SWEEPS)) {
      const sql = postgres(proxy.url(), { max: 1, fetch_types: false });
      await holder.begin(async (lock) => {
        await lock`lock table sessions, jobs in access exclusive mode`;
        await betweenRows(origin);
        await sweep(sql, proxy.port);
        // More rows end before the mirror runs it.
        await sleep(1_200);
      });
      await sql.end();
      await proxy.settled();
    }
    await holder.end();
    assert.deepEqual(await seenResults(proxy, isMismatch, 10_000), []);
    assert.deepEqual(await seenResults(proxy, isNoise, 10_000), []);
    assert.deepEqual(await rowsOf(mirror), await rowsOf(primary));
  },
);

Deno.test(
  "sweepers: rows whose time is another one on the mirror are found",
  TEST,
  async () => {
    await using servers = await start();
    const { primary, mirror, proxy } = servers;
    // Half of them have ended.
    const origin = new Date(Date.now() - 150_000).toISOString();
    for (const server of [primary, mirror]) await run(server, FILL(origin));
    // As a zone that was lost on the way.
    await run(mirror, "update sessions set at = at + interval '1 hour'");
    await run(mirror, "update jobs set at = at + interval '1 hour'");
    const sql = postgres(proxy.url(), { max: 1, fetch_types: false });
    for (const sweep of Object.values(SWEEPS).toReversed()) {
      await sweep(sql, proxy.port);
    }
    await sql.end();
    await proxy.settled();
    const found = await seenResults(proxy, isMismatch, 10_000);
    const texts = new Set(found.map(({ text }) => text));
    // Of a value that a condition gives nothing is known but that it is one.
    assert.equal(texts.size, 8, JSON.stringify(found));
  },
);
