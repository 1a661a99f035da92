import assert from "node:assert/strict";
import { startCluster } from "../support/cluster.ts";
import { prepare, resultsOf, run } from "../support/judged.ts";
import { TestProxy } from "../support/proxy.ts";
import { runAll } from "../support/run_all.ts";
import { waitFor } from "../support/wait.ts";

const SCHEMA = `
  create table customer (id serial primary key, name text unique, city text,
    made_by text default current_user);
  create table visit (ref text primary key, city text,
    customer_id int references customer);
  create view known as select id, name, city from customer;
  insert into customer (id, name, city) values (-1, 'zero', 'Rome');
  create table plain (id int primary key, name text);`;

const MASKED = "match_masked";

/** Statements, on a mirror whose sequence is elsewhere, and their results. */
const CASES: readonly [sql: string, result: string][] = [
  [
    "insert into customer (name, city) values ('a', 'Rome'), ('b', 'Oslo')",
    "match",
  ],
  ["select * from customer where name = 'a'", MASKED],
  ["select name, made_by from customer where made_by <> ''", "match"],
  ["select name, city from customer order by id", "match"],
  ["select city from customer where id = 1", "mismatch_row_count"],
  ["select c.name from known c where 1 = c.id", "mismatch_row_count"],
  ["select max(name) from customer where id in (1, 2)", "mismatch_rows"],
  ["select to_jsonb(c) from customer c where name = 'a'", "mismatch_rows"],
  ["insert into visit values ('v', 'Rome', 1)", "mismatch_error_on_mirror"],
  ["update customer set city = city where id = 2", "mismatch_command_tag"],
  ["insert into plain values (1, 'a')", "match"],
];

/** Changes of the mirror, statements that find them, and their results. */
const DEFECTS: readonly [change: string, sql: string, result: string][] = [
  // A row from before, found as those that were drawn since.
  [
    "update customer set city = 'Lima' where id = -1",
    "select city, name from customer where id = -1",
    "mismatch_rows",
  ],
  [
    "update customer set city = 'Kiel' where name = 'zero'",
    "select name, city from customer where name = 'zero' order by id limit 1",
    "mismatch_rows",
  ],
  [
    "update customer set city = 'Bern' where name = 'a'",
    "select c.city from customer c left join visit v on v.customer_id = c.id where c.name = 'a'",
    "mismatch_rows",
  ],
  [
    "update customer set city = 'Lima' where name = 'a'",
    "select id, city from customer where name = 'a'",
    "mismatch_rows",
  ],
  // The session's user is no draw.
  [
    "update customer set made_by = 'eve' where name = 'b'",
    "select name, made_by from customer where name = 'b'",
    "mismatch_rows",
  ],
  [
    "delete from customer where name = 'b'",
    "select id, name from customer where name = 'b'",
    "mismatch_row_count",
  ],
  [
    "insert into customer (name) values ('c')",
    "insert into customer (city, name) values ('Rome', 'c')",
    "mismatch_error_on_mirror",
  ],
  [
    "update plain set name = 'b'",
    "select name from plain where id = 1",
    "mismatch_rows",
  ],
  [
    "insert into plain values (2, 'b')",
    "insert into plain (name, id) values ('c', 2)",
    "mismatch_error_on_mirror",
  ],
  // A number that the sequence gives next is taken.
  [
    "insert into customer (id, name) select last_value + 1, 'd' from customer_id_seq",
    "insert into customer (name, city, id) values ('e', '', default)",
    "mismatch_error_on_mirror",
  ],
];

Deno.test({
  name:
    "judge: what each sequence gave may differ, which rows it finds may not",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn(t) {
    await using primary = await startCluster({ version: "15" });
    await using mirror = await startCluster({ version: "15" });
    await prepare(primary, SCHEMA);
    await prepare(mirror, SCHEMA);
    await run(
      mirror,
      `select setval('customer_id_seq', 500);
       update customer set city = 'Oslo'`,
    );
    await using proxy = await TestProxy.start({ primary, mirror });
    await waitFor(
      "the schema to be known",
      () => proxy.logs.some((line) => line.includes("schema is known")),
      10_000,
    );
    const check = async (sql: string, result: string) => {
      const [summary] = await runAll(proxy, [sql], [false]);
      assert.ok(summary);
      assert.deepEqual(
        resultsOf([summary]),
        { [result]: 1 },
        JSON.stringify([summary.examples, summary.masked]),
      );
    };
    await t.step("before an insert all is strict", async () => {
      await check(
        "select name, city from customer where id = -1",
        "mismatch_rows",
      );
      await run(mirror, "update customer set city = 'Rome'");
    });
    for (const [sql, result] of CASES) {
      await t.step(`${sql}: ${result}`, () => check(sql, result));
    }
    for (const [change, sql, result] of DEFECTS) {
      await t.step(`${change}; ${sql}: ${result}`, async () => {
        await run(mirror, change);
        await check(sql, result);
      });
    }
  },
});
