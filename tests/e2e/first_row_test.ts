import assert from "node:assert/strict";
import { isMismatch, isNoise } from "../../src/stats/mod.ts";
import {
  assertEqualTables,
  count,
  startLoggedTwin,
} from "../support/primary_log.ts";
import { runProgram } from "../support/programs.ts";
import { seenResults } from "../support/seen_results.ts";

const SCHEMA = `
create table parents (
  id bigserial primary key, who int, n int default 0,
  token uuid default gen_random_uuid(), at timestamptz default now()
);
create table children (
  id int generated always as identity primary key,
  parent_id bigint not null references parents, token uuid not null
);
create table jobs (id int primary key, state text not null default 'new', who int);
insert into jobs select generate_series(1, 40);
`;
/** So that no number of a row is the primary's by itself. */
const DRIFT =
  "select nextval(oid::regclass) from pg_class, generate_series(1, 1000) where relkind = 'S';";

/** fetchval() and fetchrow() ask the portal for one row: the server says that there may be more. */
const CLIENTS = `
import asyncio, asyncpg, sys

async def family(db, who):
    parent = await db.fetchrow(
        "insert into parents (who) values ($1) returning *", who)
    child = await db.fetchval(
        "insert into children (parent_id, token) values ($1, $2) returning id",
        parent["id"], parent["token"])
    await db.fetchrow(
        "update parents set n = $2 where id = $1 returning n", parent["id"], child)
    await db.fetchval("select token from children where id = $1", child)

async def client(who):
    db = await asyncpg.connect(sys.argv[1])
    for i in range(10):
        await family(db, who)
        async with db.transaction():
            await family(db, who)
            await family(db, who)
        await db.fetchval(
            "insert into parents (who) values ($1), ($1) returning id", who) if sys.argv[2] == "log" else None
        await db.fetchrow(
            "update jobs set state = 'done', who = $1 where id = (select id from jobs where state = 'new' order by id limit 1 for update skip locked) returning id", who)
    await db.close()

async def main():
    await asyncio.gather(*(client(who) for who in range(4)))
asyncio.run(main())
`;

for (const values of ["answers", "log"]) {
  Deno.test({
    name:
      `first row: what a portal tells of its first row is given, "${values}"`,
    sanitizeOps: false,
    sanitizeResources: false,
    async fn() {
      const isLogged = values === "log";
      await using twin = await startLoggedTwin({
        schema: SCHEMA,
        defect: DRIFT,
        isLogged,
        proxy: { general: { mirror_values: values, mirror_pacing: "asap" } },
      });
      const { proxy } = twin;
      await runProgram(
        "/usr/bin/python3",
        ["-c", CLIENTS, proxy.url(), values],
      );
      await proxy.settled();
      const differ = (result: number) => isMismatch(result) || isNoise(result);
      assert.deepEqual(await seenResults(proxy, differ, 10_000), []);
      assert.equal(count(proxy, "mirror_log_missed_total"), 0);
      await assertEqualTables(twin, ["parents", "children", "jobs"]);
    },
  });
}

Deno.test({
  name: "first row: another default is found in it",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    await using twin = await startLoggedTwin({
      schema: SCHEMA,
      defect: `${DRIFT} alter table parents alter n set default 7;`,
      isLogged: false,
      proxy: { general: { mirror_values: "answers", mirror_pacing: "asap" } },
    });
    await runProgram(
      "/usr/bin/python3",
      ["-c", CLIENTS, twin.proxy.url(), "answers"],
    );
    await twin.proxy.settled();
    const found = await seenResults(twin.proxy, isMismatch, 10_000);
    assert.deepEqual(found.map(({ result }) => result), ["mismatch_rows"]);
    assert.match(found[0]?.place ?? "", /column n /);
  },
});
