import assert from "node:assert/strict";
import postgres from "postgres";
import { type Cluster, startCluster } from "../support/cluster.ts";
import { prepare, run } from "../support/judged.ts";
import { TestProxy } from "../support/proxy.ts";
import { seenResults } from "../support/seen_results.ts";
import { isMismatch, isNoise } from "../../src/stats/mod.ts";
import { waitFor } from "../support/wait.ts";

// Sessions that end in an hour, have ended, and end one after the other while
// they are read.
const SCHEMA = `
  create table sessions (
    id int primary key, token text unique, owner text, expires_at timestamptz
  );
  insert into sessions select i, 't' || i, 'owner ' || i,
    now() + case i % 3 when 0 then interval '1 hour' when 1 then interval '-1 hour'
      else make_interval(secs => i / 100.0) end
  from generate_series(1, 3000) i;
  create view live as select * from sessions where expires_at > now();
  create table other (id int);
`;
/** A hundredth of the rows are not there. */
const BREAK = "delete from sessions where id % 100 = 0";

const TEST = { sanitizeOps: false, sanitizeResources: false };

/** A read of one session, by each protocol, in transactions and alone. */
type Reader = (sql: postgres.Sql, id: number) => Promise<unknown>;

const live = (token: string) =>
  `select id, owner from sessions where token = '${token}' and expires_at > now()`;

const READERS: Readonly<Record<string, Reader>> = {
  simple: (sql, id) => sql.unsafe(live(`t${id}`)).simple(),
  extended: (sql, id) =>
    sql.unsafe(
      "select owner from sessions where token = $1 and expires_at > current_timestamp",
      [`t${id}`],
    ),
  prepared: (sql, id) =>
    sql`select owner, id from sessions where ${`t${id}`} = token and now() < expires_at`,
  transaction: (sql, id) =>
    sql.begin(
      "read only",
      (open) =>
        open`select id from sessions where token = ${`t${id}`} and expires_at > now()`,
    ),
  count: (sql, id) =>
    sql`select count(*) from sessions where id between ${id} and ${id} and expires_at > now()`,
};

/** Reads of many sessions, none of which ends soon: one row less was excused by the moment. */
const LISTS: Readonly<Record<string, Reader>> = {
  list: (sql) =>
    sql`select token from sessions where id % 3 = 0 and id <= 600 and expires_at > now()`,
  tally: (sql) =>
    sql`select count(*) from sessions where id % 3 = 0 and now() < expires_at`,
};

async function start(isTwin: boolean) {
  const stack = new AsyncDisposableStack();
  const primary = stack.use(await startCluster({ version: "15" }));
  const mirror = stack.use(await startCluster({ version: "18" }));
  await Promise.all([prepare(primary, SCHEMA), prepare(mirror, SCHEMA)]);
  // Both have the same rows, whenever they were made.
  await copyTimes(primary, mirror);
  if (!isTwin) await run(mirror, BREAK);
  const proxy = stack.use(await TestProxy.start({ primary, mirror }));
  await waitFor(
    "the schema to be known",
    () => proxy.logs.some((line) => line.includes("schema is known")),
    10_000,
  );
  return {
    primary,
    mirror,
    proxy,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

async function copyTimes(primary: Cluster, mirror: Cluster): Promise<void> {
  const from = postgres(primary.url(), { max: 1 });
  const [row] = await from`
    select json_agg(json_build_array(id, expires_at)) as all from sessions`;
  await from.end();
  await run(
    mirror,
    `update sessions s set expires_at = (j->>1)::timestamptz
     from json_array_elements('${JSON.stringify(row?.all)}') j
     where s.id = (j->>0)::int`,
  );
}

/** Reads sessions by their tokens: those that end just now too. */
async function readAll(proxy: TestProxy, reader: Reader): Promise<void> {
  const sql = postgres(proxy.url(), { max: 2, fetch_types: false });
  try {
    for (let id = 1; id <= 600; id++) await reader(sql, id);
    // The mirror is not asked about a statement that differs all the time.
    for (let i = 0; i < 8; i++) {
      await reader(sql, 300);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  } finally {
    await sql.end();
  }
  await proxy.settled();
}

Deno.test(
  "second look: rows that are missing behind now() are found, by each protocol",
  TEST,
  async () => {
    await using servers = await start(false);
    const { proxy } = servers;
    for (const reader of Object.values(READERS)) await readAll(proxy, reader);
    const sql = postgres(proxy.url(), { max: 1, fetch_types: false });
    for (const reader of Object.values(LISTS)) await reader(sql, 0);
    await sql.end();
    await proxy.settled();
    const found = await seenResults(proxy, isMismatch, 10_000);
    const missing = found.filter(({ result, text }) =>
      result ===
        (text.includes("count(*)") ? "mismatch_rows" : "mismatch_row_count")
    );
    const texts = new Set(missing.map(({ text }) => text));
    assert.equal(texts.size, 7, JSON.stringify(found));
  },
);

Deno.test(
  "second look: on a twin sessions that end between the two reads are no mismatch",
  TEST,
  async () => {
    await using servers = await start(true);
    const { proxy, mirror } = servers;
    // The mirror is late: what ends meanwhile is there on the primary only.
    const holder = postgres(mirror.url(), { max: 1 });
    const sql = postgres(proxy.url(), { max: 1, fetch_types: false });
    const cleaner = postgres(proxy.url(), { max: 1, fetch_types: false });
    for (let round = 0; round < 8; round++) {
      const due = await sql`
        select id, token from sessions
        where expires_at between now() + interval '0.1 s' and now() + interval '0.3 s'
        order by expires_at limit 2`;
      await holder.begin(async (lock) => {
        await lock`lock table sessions in access exclusive mode`;
        for (const { token } of due) {
          for (const read of Object.values({ ...READERS, ...LISTS })) {
            await read(sql, Number(token.slice(1)));
          }
        }
        await new Promise((resolve) => setTimeout(resolve, 500));
        // What has ended is cleared away at once.
        if (round % 2 === 1) {
          await cleaner`delete from sessions where id in ${
            cleaner(due.map(({ id }) => id))
          }`;
        }
      });
    }
    await Promise.all([sql.end(), cleaner.end(), holder.end()]);
    await proxy.settled();
    assert.deepEqual(await seenResults(proxy, isMismatch, 10_000), []);
    const noise = await seenResults(proxy, isNoise, 10_000);
    const moments = noise.filter(({ result }) =>
      result === "noise_time_boundary"
    );
    const calls = moments.reduce((sum, { calls }) => sum + calls, 0);
    assert.ok(calls >= 10, JSON.stringify(noise));
  },
);
