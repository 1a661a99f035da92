import assert from "node:assert/strict";
import postgres from "postgres";
import { type Cluster, startCluster } from "../support/cluster.ts";
import { prepare, run } from "../support/judged.ts";
import { TestProxy } from "../support/proxy.ts";
import { seenResults } from "../support/seen_results.ts";
import { isMismatch, isNoise } from "../../src/stats/mod.ts";
import { waitFor } from "../support/wait.ts";

// Sessions that end in about an hour, have ended, and end one after the other while
// they are read.
const SCHEMA = `
  create table sessions (
    id int primary key, token text unique, owner text,
    expires_at timestamptz, local_at timestamp
  );
  insert into sessions (id, token, owner, expires_at)
  select i, 't' || i, 'owner ' || i,
    now() + case i % 3 when 0 then interval '67 minutes' when 1 then make_interval(secs => -3600 - i)
      else make_interval(secs => i / 100.0) end
  from generate_series(1, 3000) i;
`;
/** A hundredth of the rows are not there. */
const BREAK = "delete from sessions where id % 100 = 0";

const TEST = { sanitizeOps: false, sanitizeResources: false };

/** A read of one session, as object mappers send it, and by each protocol. */
type Reader = (sql: postgres.Sql, id: number) => Promise<unknown>;

const READERS: Readonly<Record<string, Reader>> = {
  simple: (sql, id) =>
    sql.unsafe(
      `select * from sessions where token = 't${id}' and expires_at > now()`,
    ).simple(),
  extended: (sql, id) =>
    sql.unsafe(
      "select owner, expires_at from sessions where token = $1 and expires_at > current_timestamp limit 1",
      [`t${id}`],
    ),
  prepared: (sql, id) =>
    sql`select s.*, o.id as other from sessions s join sessions o on o.id = s.id
      where (s.expires_at is null or now() < s.expires_at) and s.token = ${`t${id}`}
      limit ${1}`,
  transaction: (sql, id) =>
    sql.begin(
      "read only",
      (open) =>
        open`select "s"."expires_at" as "end" from "sessions" "s"
          where "s"."token" = ${`t${id}`} and "s"."expires_at" > now()`,
    ),
  local: (sql, id) =>
    sql`select id, local_at from sessions where token = ${`t${id}`}
      and local_at > localtimestamp`,
};

/** Two sessions in two parts: in which of them one is missing is seen by nobody. */
const parts: Reader = (sql, id) =>
  sql`select id, expires_at from sessions where id between ${id} and ${
    id + 2
  } and id % 3 <> 1 and expires_at > now() order by expires_at, id`
    .cursor(1, () => {});

/** Reads of many sessions, of which none ends soon. */
const LISTS: Readonly<Record<string, Reader>> = {
  list: (sql) =>
    sql`select token, expires_at from sessions
      where id % 3 = 0 and id <= 600 and expires_at > now()`,
  recent: (sql) =>
    sql`select token, expires_at from sessions
      where id % 3 < 2 and id <= 600 and expires_at > now() - interval '2 hours'`,
};

async function start(isTwin: boolean) {
  const stack = new AsyncDisposableStack();
  const primary = stack.use(await startCluster({ version: "15" }));
  const mirror = stack.use(await startCluster({ version: "18" }));
  await Promise.all([prepare(primary, SCHEMA), prepare(mirror, SCHEMA)]);
  // Both have the same rows, whenever they were made.
  await copyTimes(primary, mirror);
  for (const server of [primary, mirror]) {
    await run(
      server,
      "alter database postgres set timezone to 'Asia/Kathmandu'",
    );
    await run(
      server,
      "update sessions set local_at = expires_at at time zone 'Asia/Kathmandu'",
    );
  }
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

Deno.test(
  "rows behind now(): one of a hundred that is missing is found, by each protocol",
  TEST,
  async () => {
    await using servers = await start(false);
    const { proxy } = servers;
    const sql = postgres(proxy.url(), { max: 2, fetch_types: false });
    for (const reader of Object.values({ ...READERS, ...LISTS })) {
      for (let id = 297; id <= 303; id++) await reader(sql, id);
    }
    await sql.end();
    await proxy.settled();
    const found = await seenResults(proxy, isMismatch, 10_000);
    const missing = found.filter(({ result }) =>
      result === "mismatch_row_count"
    );
    const texts = new Set(missing.map(({ text }) => text));
    assert.equal(
      texts.size,
      7,
      JSON.stringify([found, await seenResults(proxy, isNoise, 10_000)]),
    );
  },
);

Deno.test(
  "rows behind now(): what is wrong in rows that are due just now is found",
  TEST,
  async () => {
    await using servers = await start(true);
    const { primary, mirror, proxy } = servers;
    // As the tables of the primary come to the mirror: values lost, rows lost, and times without a zone.
    const due = (value: string, rows: number, type: string) => `
      create table due (id int primary key, run_at ${type}, v text);
      insert into due select i, now() - make_interval(secs => 5 - i / 100.0), ${value}
      from generate_series(1, ${rows}) i`;
    await prepare(primary, due("'right'", 50, "timestamptz"));
    await prepare(mirror, due("'wrong'", 20, "timestamptz"));
    const sql = postgres(proxy.url(), { max: 1, fetch_types: false });
    await sql`select * from due where run_at <= now() and id <= 20`;
    await sql`select id, run_at from due where run_at <= now()`;
    await sql`select * from due where run_at > now() - interval '1 day' and id in (7, 8)`;
    await sql.end();
    await proxy.settled();
    const found = await seenResults(proxy, isMismatch, 10_000);
    assert.deepEqual(found.map(({ result }) => result).toSorted(), [
      "mismatch_row_count",
      "mismatch_rows",
      "mismatch_rows",
    ]);
  },
);

Deno.test(
  "rows behind now(): on a twin that is late, sessions that end between the reads are no mismatch",
  TEST,
  async () => {
    await using servers = await start(true);
    const { proxy, mirror } = servers;
    // What ends meanwhile is there on the primary only.
    const holder = postgres(mirror.url(), { max: 1 });
    const sql = postgres(proxy.url(), { max: 1, fetch_types: false });
    const cleaner = postgres(proxy.url(), { max: 1, fetch_types: false });
    for (let round = 0; round < 8; round++) {
      const due = await sql`
        select id, token from sessions
        where expires_at between now() + interval '0.8 s' and now() + interval '1 s'
        order by expires_at limit 2`;
      await holder.begin(async (lock) => {
        await lock`lock table sessions in access exclusive mode`;
        for (const { token } of due) {
          for (
            const read of [...Object.values({ ...READERS, ...LISTS }), parts]
          ) {
            await read(sql, Number(token.slice(1)));
          }
        }
        await new Promise((resolve) => setTimeout(resolve, 1_200));
        // What has ended is cleared away at once.
        if (round % 2 === 1) {
          await cleaner`delete from sessions where id in ${
            cleaner(due.map(({ id }) => id))
          } returning *`;
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
    assert.ok(moments.length >= 5, JSON.stringify(noise));
  },
);
