import assert from "node:assert/strict";
import { type Cluster, startCluster } from "../support/cluster.ts";
import { prepare, run } from "../support/judged.ts";
import { hasPythonModule } from "../support/programs.ts";
import { type Ledger, TestProxy } from "../support/proxy.ts";
import { seenResults } from "../support/seen_results.ts";
import { waitFor } from "../support/wait.ts";
import { isMismatch } from "../../src/stats/mod.ts";
import { stagedScript } from "../support/staged_script.ts";
import { onServer } from "../support/on_server.ts";
import {
  concat,
  int16,
  int32,
  message,
  query,
  sync,
  WireClient,
} from "../support/wire_client.ts";

const TEST = { sanitizeOps: false, sanitizeResources: false };

/** Types that are dropped at once: those that follow have other OIDs. */
const SHIFT = Array.from(
  { length: 7 },
  (_, i) => `create type gone_${i} as enum ('x'); drop type gone_${i};`,
).join("\n");

const SCHEMA = `
  create extension citext;
  create extension hstore;
  create extension cube;
  create type mood as enum ('sad', 'happy');
  create type pair as (a int, b mood);
  create table person (
    id int primary key, mood mood, moods mood[], pair pair, pairs pair[],
    attributes hstore, mail citext, place cube
  );
`;

async function start(schema = SCHEMA) {
  const stack = new AsyncDisposableStack();
  const primary = stack.use(await startCluster({ version: "15" }));
  const mirror = stack.use(await startCluster({ version: "18" }));
  await prepare(primary, SCHEMA);
  await prepare(mirror, `${SHIFT}\n${schema}`);
  const proxy = stack.use(
    await TestProxy.start({
      primary,
      mirror,
      primaryKeys: 'user = "postgres"',
    }),
  );
  return {
    primary,
    mirror,
    proxy,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** Schemas of the mirror that are no twins: what stands there instead, and results that tell of it. */
const DEFECTS: Readonly<
  Record<string, readonly [from: string, to: string, ...results: string[]]>
> = {
  "labels are in another order": [
    "('sad', 'happy')",
    "('happy', 'sad')",
    "mismatch_row_count",
  ],
  "a field has another type": [
    "(a int, b mood)",
    "(a int, b text)",
    "mismatch_rows",
  ],
  "a type has another name": [
    "mood",
    "humour",
    "mismatch_error_on_mirror",
  ],
};

function assertClean(ledger: Ledger): void {
  assert.deepEqual(ledger.dropped, {});
  assert.deepEqual(ledger.failed, {});
  const others = Object.keys(ledger.statements).filter((result) =>
    !/^match/.test(result) && result !== "note_catalog"
  );
  assert.deepEqual(others, [], JSON.stringify(ledger));
}

/** Waits until nothing is pending, a client still there. */
async function replayed(proxy: TestProxy): Promise<void> {
  await waitFor(
    "the replays",
    () => proxy.ledger().pending === 0 && proxy.ledger().replayed > 0,
    30_000,
  );
}

async function restart(mirror: Cluster): Promise<void> {
  await mirror.stop("fast");
  await mirror.start();
}

/** All rows, as each server writes them. */
const rowsOf = (server: Cluster) =>
  onServer(
    server,
    (sql) => sql`select person::text as row from person order by id`,
  );

/** Scripts by Python's module. */
const DRIVERS = {
  "psycopg": "own_types/psycopg_types.py",
  "asyncpg": "own_types/asyncpg_types.py",
};

for (const [module, script] of Object.entries(DRIVERS)) {
  const ignore = !await hasPythonModule(module);

  Deno.test({
    ...TEST,
    ignore,
    name:
      `own types: ${module} has the mirror's OIDs sent, and again when it was restarted`,
    async fn() {
      await using servers = await start();
      const { primary, mirror, proxy } = servers;
      await stagedScript(script, proxy.port, async () => {
        await replayed(proxy);
        await restart(mirror);
      });
      assertClean(await proxy.settled());
      assert.deepEqual(await rowsOf(primary), await rowsOf(mirror));
      assert.ok((await rowsOf(primary)).length > 10);
    },
  });

  Deno.test({
    ...TEST,
    ignore,
    name:
      `own types: ${module} has the OIDs of a mirror sent that was restored meanwhile`,
    async fn() {
      await using servers = await start();
      const { primary, mirror, proxy } = servers;
      await stagedScript(script, proxy.port, async () => {
        await replayed(proxy);
        await run(primary, "delete from person");
        await prepare(mirror, `${SHIFT}\n${SHIFT}\n${SCHEMA}`);
        await restart(mirror);
      });
      assertClean(await proxy.settled());
      assert.deepEqual(await rowsOf(primary), await rowsOf(mirror));
    },
  });

  for (const [defect, [from, to, ...results]] of Object.entries(DEFECTS)) {
    Deno.test({
      ...TEST,
      ignore,
      name: `own types: with ${module} it is found that ${defect}`,
      async fn() {
        await using servers = await start(SCHEMA.replaceAll(from, to));
        const { proxy } = servers;
        await stagedScript(script, proxy.port);
        await proxy.settled();
        const seen = await seenResults(proxy, isMismatch, 5_000);
        for (const result of results) {
          assert.ok(
            seen.some((one) => one.result === result),
            `${result}: ${JSON.stringify(seen)}`,
          );
        }
      },
    });
  }
}

/** A statement with one parameter in binary, of a type that Parse declares. */
const bound = (sql: string, type: number, value: Uint8Array) =>
  concat([
    message("P", `\0${sql}\0`, int16(1), int32(type)),
    message(
      "B",
      "\0\0",
      int16(1),
      int16(1),
      int16(1),
      int32(value.length),
      value,
      int16(0),
    ),
    message("E", "\0", int32(0)),
    sync(),
  ]);

/** One-dimensional, in binary. */
const arrayOf = (type: number, ...values: string[]) =>
  concat([
    int32(1),
    int32(0),
    int32(type),
    int32(values.length),
    int32(1),
    ...values.flatMap((value) => [
      int32(value.length),
      new TextEncoder().encode(value),
    ]),
  ]);

Deno.test({
  ...TEST,
  name:
    "own types: one that was just made is sent once both servers have told of it",
  async fn() {
    await using servers = await start();
    const { primary, mirror, proxy } = servers;
    using maker = await WireClient.connect(proxy.port);
    using other = await WireClient.connect(proxy.port);
    const say = async (client: WireClient, bytes: Uint8Array) => {
      await client.send(bytes);
      await client.ready(1);
    };
    for (let i = 0; i < 4; i++) {
      await say(
        maker,
        query(`create type t${i} as enum ('x', 'y');
          create table made${i} (one t${i}, many t${i}[])`),
      );
      const [types] = await onServer(
        primary,
        (sql) =>
          sql`select oid::int, typarray::int from pg_type where typname = ${`t${i}`}`,
      );
      const { oid, typarray } = types as { oid: number; typarray: number };
      for (const client of [maker, other]) {
        await say(
          client,
          bound(
            `insert into made${i} values ($1)`,
            oid,
            new TextEncoder().encode("x"),
          ),
        );
        await say(
          client,
          bound(
            `update made${i} set many = $1`,
            typarray,
            arrayOf(oid, "y", "x"),
          ),
        );
      }
    }
    await maker.terminate();
    await other.terminate();
    assertClean(await proxy.settled());
    for (let i = 0; i < 4; i++) {
      const [rows, mirrored] = await Promise.all(
        [primary, mirror].map((server) =>
          onServer(
            server,
            (sql) => sql.unsafe(`select one::text, many::text from made${i}`),
          )
        ),
      );
      assert.equal(rows?.length, 2);
      assert.deepEqual(rows, mirrored);
    }
  },
});
