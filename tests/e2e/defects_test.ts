import assert from "node:assert/strict";
import postgres from "postgres";
import { atOnce, STEPS_AT_ONCE } from "../support/at_once.ts";
import { type Cluster, startCluster } from "../support/cluster.ts";
import { judge, prepare, resultsOf, run } from "../support/judged.ts";
import { TestProxy } from "../support/proxy.ts";
import { waitFor } from "../support/wait.ts";
import { slower } from "../../src/stats/mod.ts";

const SCHEMA = `
  create table item (id int primary key, name text, price numeric, note text);
  insert into item select i, 'item ' || i, i * 1.5, case when i % 2 = 0 then 'n' end
    from generate_series(1, 2000) i;
  create table log (id int, line text);
  create table sorted (name text collate "C");
  insert into sorted values ('a'), ('B'), ('c'), ('D');
  create table strict (a int not null);
  create function twice(int) returns int language sql immutable as 'select $1 * 2';
  analyze;
`;

/** What is done to the mirror, the statement that shows it, and the result that it must have. */
const DEFECTS: readonly {
  readonly name: string;
  readonly break: string;
  readonly statement: string;
  readonly result: string;
}[] = [
  {
    name: "one row missing",
    break: "delete from item where id = 7",
    statement: "select * from item where id between 1 and 10 order by id",
    result: "mismatch_row_count",
  },
  {
    name: "one byte changed",
    break: "update item set name = 'item_7' where id = 7",
    statement:
      "select id, name from item where id between 1 and 10 order by id",
    result: "mismatch_rows",
  },
  {
    name: "NULL against empty",
    break: "update item set note = '' where id = 7",
    statement: "select note from item where id = 7",
    result: "mismatch_rows",
  },
  {
    name: "another type",
    break: "alter table item alter column price type float8",
    statement: "select price from item where id = 8",
    result: "mismatch_columns",
  },
  {
    name: "another column name",
    break: "alter table item rename column name to title",
    statement: "select * from item where id = 9",
    result: "mismatch_columns",
  },
  {
    name: "another order under ORDER BY",
    break: 'alter table sorted alter column name type text collate "und-x-icu"',
    statement: "select name from sorted order by name",
    result: "mismatch_rows",
  },
  {
    name: "the same rows in another order, without ORDER BY",
    break:
      "create table other_order as select * from item order by id desc; alter table item rename to gone; alter table other_order rename to item",
    statement: "select id from item where id < 50",
    result: "match_unordered",
  },
  {
    name: "a missing table",
    break: "drop table log",
    statement: "insert into log values (1, 'x')",
    result: "mismatch_error_on_mirror",
  },
  {
    name: "a missing function",
    break: "drop function twice(int)",
    statement: "select twice(21)",
    result: "mismatch_error_on_mirror",
  },
  {
    name: "a unique violation on the mirror only",
    break:
      "create unique index on log (id); insert into log values (1, 'there')",
    statement: "insert into log values (1, 'new')",
    result: "mismatch_error_on_mirror",
  },
  {
    name: "fewer rows hit by an UPDATE",
    break: "delete from item where id = 11",
    statement: "update item set note = 'u' where id in (11, 12)",
    result: "mismatch_command_tag",
  },
  {
    name: "an error on the primary only",
    break: "create table only_there (a int)",
    statement: "select * from only_there",
    result: "mismatch_error_on_primary",
  },
  {
    name: "another SQLSTATE",
    break:
      "alter table strict alter column a drop not null, add check (a is not null)",
    statement: "insert into strict values (null)",
    result: "mismatch_sqlstate",
  },
  {
    name: "rows that differ by nature",
    break: "select 1",
    statement: "select clock_timestamp()",
    result: "match_masked",
  },
];

/** What an example says of where the rows differ, and what each side has there. */
const PLACES: readonly {
  readonly broken: string;
  readonly statement: string;
  readonly place: string | null;
  readonly values: readonly [string | null, string | null];
}[] = [
  {
    broken: "update item set name = 'item_7' where id = 7",
    statement: "select id, name from item where id between 1 and 9 order by id",
    place: "row 7, column name (text)",
    values: ["'item 7'", "'item_7'"],
  },
  {
    broken: "update item set price = 12 where id = 8",
    statement: "select * from item where id < 20",
    place: "row 8, column price (numeric)",
    values: ["'12.0'", "'12'"],
  },
  {
    broken: "update item set note = '' where id = 7",
    statement: "select note from item where id = 7",
    place: "row 1, column note (text)",
    values: ["NULL", "''"],
  },
  {
    broken: "delete from item where id = 7",
    statement: "select * from item where id between 1 and 9 order by id",
    place: "row 7 of the primary is missing on the mirror",
    values: [null, null],
  },
  {
    broken:
      'alter table sorted alter column name type text collate "und-x-icu"',
    statement: "select name from sorted order by name",
    place: "only the order differs, from row 1 on",
    values: [null, null],
  },
  {
    // A tie in another order is none; another row among the tied is.
    broken: "update item set name = 'changed' where id = 4",
    statement: "select note, name from item where id < 6 order by note",
    place: "row 2, column name (text)",
    values: ["'item 4'", "'changed'"],
  },
  {
    broken: "drop table log",
    statement: "insert into log values (1, 'x')",
    place: null,
    values: [null, 'relation "log" does not exist'],
  },
];

/** Two servers of one version. */
interface Pair {
  readonly primary: Cluster;
  readonly mirror: Cluster;
}

Deno.test({
  name: "judge: every seeded defect is found and named, and nothing else",
  ...STEPS_AT_ONCE,
  async fn(t) {
    await using stack = new AsyncDisposableStack();
    const [first, second] = await Promise.all(
      ["one", "other"].map(async (): Promise<Pair> => ({
        primary: stack.use(await startCluster({ version: "15" })),
        mirror: stack.use(await startCluster({ version: "15" })),
      })),
    ) as [Pair, Pair];
    const { primary, mirror } = first;
    const idle = [first, second];
    /** Runs a step for each, on two pairs of servers at once. */
    const eachOnPair = <T>(
      all: readonly T[],
      nameOf: (one: T) => string,
      fn: (one: T, pair: Pair) => Promise<void>,
    ) =>
      atOnce(2, all, async (one) => {
        const pair = idle.pop() as Pair; // as many as run at once
        await t.step(nameOf(one), () => fn(one, pair));
        idle.push(pair);
      });

    await eachOnPair(
      DEFECTS,
      ({ name }) => name,
      async (defect, { primary, mirror }) => {
        await prepare(primary, SCHEMA);
        await prepare(mirror, SCHEMA);
        await run(mirror, defect.break);
        const found = await judge(primary, mirror, [defect.statement], 4);
        const results = resultsOf(found);
        assert.deepEqual(Object.keys(results), [defect.result]);
        const [summary] = found;
        assert.ok(summary !== undefined);
        if (defect.result.startsWith("mismatch")) {
          assert.ok(summary.examples.length > 0);
          assert.equal(summary.examples[0]?.result, defect.result);
          assert.equal(
            summary.examples[0]?.values,
            null,
            "values are redacted",
          );
        }
      },
    );

    await t.step(
      "an accepted difference is counted as what it is: rules apply to the verdict",
      async () => {
        await prepare(primary, SCHEMA);
        await prepare(mirror, SCHEMA);
        await run(mirror, "delete from item where id = 7");
        const found = await judge(
          primary,
          mirror,
          [
            "select * from item where id = 7",
            "select twice(id) from item where id = 7",
          ],
          2,
          {
            more: `[[ignore]]
class = "row_count"
reason = "known"
[[ignore]]
class = "rows"
reason = "over"
until = "2020-01-01"`,
          },
        );
        assert.deepEqual(resultsOf(found), { mismatch_row_count: 4 });
      },
    );

    await eachOnPair(
      PLACES,
      ({ broken }) => `the place is named: ${broken}`,
      async ({ statement, broken, place, values }, { primary, mirror }) => {
        for (const cluster of [primary, mirror]) {
          await prepare(cluster, SCHEMA);
        }
        const clear = { general: { mirror_examples: "clear" as const } };
        const equal = await judge(primary, mirror, [statement], 2, clear);
        assert.deepEqual(Object.keys(resultsOf(equal)), ["match"]);
        await run(mirror, broken);
        const [found] = await judge(primary, mirror, [statement], 2, clear);
        const [example] = found?.examples ?? [];
        assert.equal(example?.difference, place);
        assert.deepEqual(
          [example?.primary.detail, example?.mirror.detail],
          values,
        );
      },
    );

    await t.step(
      "values are redacted, the place and the lengths are not",
      async () => {
        await prepare(primary, SCHEMA);
        await prepare(mirror, SCHEMA);
        await run(mirror, "update item set name = 'another' where id = 7");
        const [found] = await judge(
          primary,
          mirror,
          ["select id, name from item where id = 7"],
          2,
        );
        const [example] = found?.examples ?? [];
        assert.equal(example?.difference, "row 1, column name (text)");
        assert.equal(example?.primary.detail, "6 bytes");
        assert.equal(example?.mirror.detail, "7 bytes");
      },
    );

    await t.step('mirror_examples = "clear" keeps the values', async () => {
      await prepare(primary, SCHEMA);
      await prepare(mirror, SCHEMA);
      await run(mirror, "update item set note = '' where id = 7");

      const [summary] = await judge(
        primary,
        mirror,
        ["select note from item where id = 7"],
        1,
        { general: { mirror_examples: "clear" } },
      );
      assert.equal(summary?.text, "select note from item where id = $1");
      assert.equal(
        summary?.examples[0]?.values,
        "select note from item where id = 7",
      );
    });

    let without = 0;
    await t.step(
      "a table without its index is slower: a regression",
      async () => {
        const big = `
        create table big (id int, filler text);
        insert into big select i, repeat('x', 100) from generate_series(1, 200000) i;
        create index on big (id);
        analyze big`;
        await prepare(primary, big);
        await prepare(mirror, big);
        await run(mirror, "drop index big_id_idx");
        const [found] = await judge(
          primary,
          mirror,
          ["select filler from big where id = 777"],
          40,
        );
        assert.ok(found !== undefined);
        const { pairs, ratioLow, difference } = found.latency;
        assert.ok(pairs >= 30, `${pairs} pairs`);
        assert.ok((ratioLow ?? 0) > 1.25, `ratio from ${ratioLow}`);
        assert.ok((difference ?? 0) > 0.002, `${difference} s`);
        const slowness = slower(found.sketch, {
          maxRatio: 1.25,
          minDifferenceMs: 2,
          minPairs: 30,
          minTailShare: 0.02,
          falseAlarm: 1e-6,
        });
        assert.equal(slowness?.by, "median");
        without = difference ?? 0;
      },
    );

    await t.step(
      "the same table with its index is nothing like it",
      async () => {
        await run(mirror, "create index on big (id)");
        const [found] = await judge(
          primary,
          mirror,
          ["select filler from big where id = 777"],
          40,
        );
        // A ratio within one run: a busy machine makes both slow.
        const { difference } = found?.latency ?? {};
        assert.ok((difference ?? Infinity) < without / 2, `${difference} s`);
      },
    );

    await t.step("a mirror that errors on everything", async () => {
      await prepare(primary, SCHEMA);
      await run(mirror, "drop schema public cascade; create schema public");
      const results = resultsOf(
        await judge(
          primary,
          mirror,
          ["select * from item where id = 1", "select twice(1)"],
          4,
        ),
      );
      assert.deepEqual(results, { mismatch_error_on_mirror: 8 });
    });

    await t.step(
      "a mirror that drops connections: failed, not compared",
      async () => {
        await prepare(mirror, SCHEMA);
        await using proxy = await TestProxy.start({ primary, mirror });
        const sql = postgres(proxy.url(), { max: 1, fetch_types: false });
        await sql`select 1`;
        await proxy.replayed(1);
        const sleeping = sql`select pg_sleep(3)`.execute();
        await sleeping;
        const admin = postgres(mirror.url(), { max: 1 });
        await waitFor("the replay to be ended", async () => {
          const ended = await admin`
            select pg_terminate_backend(pid) from pg_stat_activity
            where query = 'select pg_sleep(3)' and state = 'active'`;
          return ended.length > 0;
        }, 5_000);
        await admin.end();
        await sql.end();
        const ledger = await proxy.settled();
        assert.deepEqual(ledger.failed, { connection: 1 });
        assert.deepEqual(ledger.statements, { match: 1 });
      },
    );
  },
});
