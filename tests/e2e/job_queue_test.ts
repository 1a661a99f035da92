import assert from "node:assert/strict";
import postgres from "postgres";
import { type Cluster, startCluster } from "../support/cluster.ts";
import { onServer } from "../support/on_server.ts";
import { TestProxy } from "../support/proxy.ts";
import { waitFor } from "../support/wait.ts";

const WORKERS = 6;
const JOBS = 60;
const TURNS = 20;

const SCHEMA =
  `create table jobs (id int primary key, prio int not null, state text not null default 'new', tries int not null default 0, worker int, payload text);
insert into jobs (id, prio, payload) select i, i % 3, 'p' || i from generate_series(1, ${JOBS}) i;
create table done (job int primary key references jobs, worker int, payload text)`;

const LOCK = "for update skip locked";
/** Ways to take a job. */
const TAKES: readonly string[] = [
  `select id, payload from jobs where state = 'new' and tries < 3 order by prio, id limit 1 ${LOCK}`,
  `update jobs set state = 'run' where id = (select id from jobs where state = 'new' and tries < 3 order by prio limit 1 ${LOCK}) returning id, payload`,
  `with next as (select id from jobs where state = 'new' order by id limit 2 ${LOCK}) update jobs j set state = 'run' from next where j.id = next.id returning j.*`,
];

type Protocol = "simple" | "extended" | "prepared";

/** Runs a statement as a protocol has it. */
type Run = (
  sql: string,
  values?: readonly (string | number)[],
) => Promise<readonly postgres.Row[]>;

function runner(sql: Pick<postgres.Sql, "unsafe">, protocol: Protocol): Run {
  return async (text, values = []) => {
    if (protocol !== "simple") {
      const prepare = protocol === "prepared";
      return await sql.unsafe(text, [...values], { prepare });
    }
    return await sql.unsafe(
      text.replaceAll(/\$(\d)/g, (_, n) => {
        const value = values[n - 1];
        return typeof value === "number" ? `${value}` : `'${value}'`;
      }),
    );
  };
}

/** Thrown to roll back. */
class GivenUp extends Error {}

/** What becomes of a job that was taken. */
type End = "done" | "again" | "rolled back";

const ENDS: readonly End[] = ["again", "rolled back", "done", "done", "done"];

/** Takes jobs, works, and ends them. */
async function work(
  proxy: TestProxy,
  number: number,
  protocol: Protocol,
  ends: readonly End[],
): Promise<void> {
  const sql = postgres(proxy.url(), {
    max: 1,
    fetch_types: false,
    onnotice() {},
  });
  try {
    for (let turn = 0; turn < TURNS; turn++) {
      const end = ends[(turn + number) % ends.length];
      await sql.begin(async (open) => {
        const run = runner(open, protocol);
        const jobs = await run(TAKES[(turn + number) % TAKES.length] as string);
        for (const { id, payload } of jobs) {
          if (end === "again") {
            await run(
              "update jobs set state = 'new', tries = tries + 1 where id = $1",
              [id],
            );
            continue;
          }
          await run(
            "insert into done (job, worker, payload) values ($1, $2, $3)",
            [id, number, payload],
          );
          await run(
            "update jobs set state = 'done', worker = $1 where id = $2",
            [number, id],
          );
        }
        if (end === "rolled back") throw new GivenUp();
      }).catch((error) => {
        if (!(error instanceof GivenUp)) throw error;
      });
    }
  } finally {
    await sql.end();
  }
}

async function allWork(
  proxy: TestProxy,
  protocol: Protocol,
  ends: readonly End[],
): Promise<void> {
  await Promise.all(
    Array.from({ length: WORKERS }, (_, i) => work(proxy, i, protocol, ends)),
  );
}

interface Servers {
  readonly primary: Cluster;
  readonly mirror: Cluster;
}

/** A queue of its own on both servers, and a proxy between them. */
async function queue(
  { primary, mirror }: Servers,
  database: string,
  defect = "",
): Promise<TestProxy> {
  for (const server of [primary, mirror]) {
    await onServer(server, (sql) => sql.unsafe(`create database ${database}`));
    await inDatabase(server, database, (sql) => sql.unsafe(SCHEMA));
  }
  await inDatabase(mirror, database, (sql) => sql.unsafe(defect));
  const proxy = await TestProxy.start({
    primary,
    mirror,
    database,
    general: { mirror_values: "answers" },
  });
  await waitFor(
    "the mirror's schema to be known",
    () => proxy.logs.some((line) => line.includes("Mirror's schema is known")),
    10_000,
  );
  return proxy;
}

async function inDatabase<T>(
  { host, port }: Cluster,
  database: string,
  run: (sql: postgres.Sql) => Promise<T>,
): Promise<T> {
  const sql = postgres({
    host,
    port,
    database,
    username: "postgres",
    max: 1,
    onnotice() {},
  });
  try {
    return await run(sql);
  } finally {
    await sql.end();
  }
}

async function tables(server: Cluster, database: string): Promise<string[]> {
  return await inDatabase(server, database, async (sql) => {
    const rows = await sql`
      select j::text as row from jobs j union all select d::text from done d`;
    return rows.map(({ row }) => String(row)).toSorted();
  });
}

/** Statements that skip locked rows, by result. */
function takes(proxy: TestProxy): Record<string, number> {
  const found: Record<string, number> = {};
  for (const { text, outcomes } of proxy.supervisor.statements()) {
    if (!/skip locked/i.test(text)) continue;
    for (const { result, count } of outcomes) {
      found[result] = (found[result] ?? 0) + count;
    }
  }
  return found;
}

function takenRows(proxy: TestProxy): number {
  const { series } =
    proxy.supervisor.snapshot().get("mirror_taken_rows_total") ??
      { series: [] };
  return series.reduce((sum, { value }) => sum + value, 0);
}

const PROTOCOLS: readonly Protocol[] = ["simple", "extended", "prepared"];

/** What a mirror has otherwise, and how the statement that takes the job differs. */
const DEFECTS: readonly (readonly [sql: string, result: string])[] = [
  ["delete from jobs where id = 20", "mismatch_row_count"],
  ["update jobs set payload = 'other' where id = 20", "mismatch_rows"],
  ["update jobs set state = 'held' where id = 20", "mismatch_row_count"],
];

for (const version of ["15", "18"] as const) {
  Deno.test({
    name: `job queue: ${WORKERS} workers, 15 and ${version}`,
    sanitizeOps: false,
    sanitizeResources: false,
    async fn(t) {
      await using primary = await startCluster({ version: "15" });
      await using mirror = await startCluster({ version });
      for (const protocol of PROTOCOLS) {
        await t.step(`${protocol}: equal tables, and no noise`, async () => {
          await using proxy = await queue({ primary, mirror }, protocol);
          await allWork(proxy, protocol, ENDS);
          const { statements } = await proxy.settled();
          assert.deepEqual(
            Object.keys(statements).filter((result) =>
              !result.startsWith("match")
            ),
            [],
            JSON.stringify(
              proxy.supervisor.statements()
                .filter(({ examples }) => examples.length > 0)
                .map(({ text, examples }) => [text, examples]),
            ),
          );
          assert.ok(takenRows(proxy) > JOBS / 2);
          assert.deepEqual(
            await tables(mirror, protocol),
            await tables(primary, protocol),
          );
        });
        for (const [i, [defect, result]] of DEFECTS.entries()) {
          await t.step(`${protocol}: ${defect}`, async () => {
            const database = `${protocol}_${i}`;
            await using proxy = await queue(
              { primary, mirror },
              database,
              defect,
            );
            // Nobody else takes the same job: nothing excuses a difference.
            await allWork(proxy, protocol, ["done"]);
            await proxy.settled();
            await waitFor(
              `the defect to be found: ${JSON.stringify(takes(proxy))}`,
              () => (takes(proxy)[result] ?? 0) > 0,
              20_000,
            );
          });
        }
      }
    },
  });
}
