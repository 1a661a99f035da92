import assert from "node:assert/strict";
import { loadModule } from "libpg-query";
import { analyze } from "../../src/sql/analyze.ts";
import postgres from "postgres";
import { startCluster } from "../support/cluster.ts";
import { prepare, resultsOf, run } from "../support/judged.ts";
import { TestProxy } from "../support/proxy.ts";
import { waitFor } from "../support/wait.ts";

await loadModule();

const SCHEMA = `
  create table item (id int primary key, name text, rank int);
  insert into item select i, 'item ' || i, i % 3 from generate_series(1, 50) i;
  create view plain as select id, name from item;
  create view deep as select * from plain;
  create view aged as select id, now() as at from item;
  create view older as select * from aged;
  create function told(int) returns text language sql volatile
    as 'select $1 || clock_timestamp()::text';
  create function indeed(int) returns text language plpgsql stable
    as $$ begin return told($1); end $$;
  create function looked(int) returns text language sql stable
    as 'select name from item where id = $1';
  create table part (id int, name text) partition by range (id);
  create table part_1 partition of part for values from (0) to (100);
  insert into part values (1, 'one');
  create table owner (id int primary key);
  create table owned (id int primary key, name text,
    owner_id int references owner on delete cascade);
  insert into owner values (1), (2);
  insert into owned values (1, 'one', 1);
  create table source (id int primary key);
  create table noted (id int, name text);
  insert into noted values (1, 'one');
  create function note() returns trigger language plpgsql as
    $$ begin insert into noted values (new.id, 'new'); return new; end $$;
  create trigger note after insert on source for each row execute function note();
  create table loose (id int, name text);
  insert into loose values (1, 'one');
`;

/** Other contents, the same counts. */
const BREAK = `
  update item set name = 'other'; update part set name = 'other';
  update owned set name = 'other'; update noted set name = 'other';
  update loose set name = 'other';`;

const ROWS = "mismatch_rows";
const CHOICE = "noise_limit";
const MASKED = "match_masked";

const DEFECTS: readonly [sql: string, result: string][] = [
  // A unique key leaves no choice to a LIMIT, and no ties.
  ["select name from item where id = 3 limit 1", ROWS],
  ["select name from item where rank = 1 and 4 = item.id limit 1", ROWS],
  ["select name from item order by id limit 5", ROWS],
  ["select name from item order by rank, id limit 5", ROWS],
  ["select name from loose where id = 1 limit 1", CHOICE],
  ["select name from item where rank = 1 limit 1", CHOICE],
  ["select name from item where id > 3 limit 1", CHOICE],
  ["select name from item where id = 3 or rank = 1 limit 1", CHOICE],
  ["select name from item order by rank limit 5", "noise_ties"],
  // Only what is volatile behind a view or function is masked.
  ["select * from plain", ROWS],
  ["select * from deep order by id", ROWS],
  ["select looked(7)", ROWS],
];

const BY_NATURE = [
  "select * from aged",
  "select * from older order by id",
  "select told(1)",
  "select indeed(2) from item",
];

/** Statements on relations that a write to another may change, and such a write. */
const BEHIND: readonly [sql: string, write: string][] = [
  ["select * from deep where id = 1", "update item set rank = 1 where id = 2"],
  [
    "select name, looked(5) from loose",
    "update item set rank = 1 where id = 2",
  ],
  ["select * from part_1", "insert into part values (2, 'two')"],
  ["select * from part", "insert into part_1 values (3, 'three')"],
  ["select * from owned", "delete from owner where id = 2"],
  ["select * from noted where id = 1", "insert into source values (1)"],
];

Deno.test({
  name:
    "judge: what the mirror's schema says of keys, views, functions, partitions, cascades and triggers",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn(t) {
    await using primary = await startCluster({ version: "15" });
    await using mirror = await startCluster({ version: "15" });
    await prepare(primary, SCHEMA);
    await prepare(mirror, SCHEMA);
    await run(mirror, BREAK);
    await using proxy = await TestProxy.start({ primary, mirror });
    const known = () =>
      waitFor(
        "the schema to be known",
        () => proxy.logs.some((line) => line.includes("schema is known")),
        10_000,
      );
    const sql = postgres(proxy.url(), { max: 1, fetch_types: false });
    const other = postgres(proxy.url(), { max: 1, fetch_types: false });
    const results = () => resultsOf(proxy.supervisor.statements());
    const of = async (text: string) => {
      const fingerprint = analyze(text)?.shapes[0]?.fingerprint;
      const found = () =>
        proxy.supervisor.statements().filter((summary) =>
          summary.fingerprint === fingerprint
        );
      await waitFor(`a result of ${text}`, () => found().length > 0, 10_000);
      return Object.keys(resultsOf(found()));
    };
    /** Reads while a write is open; the reader's transaction ends behind the writer's. */
    const beside = async (write: string, text: string) => {
      await sql.begin(async (reader) => {
        await other.begin(async (writer) => {
          await writer.unsafe(write);
          await reader.unsafe(text);
        });
      });
    };
    await known();

    for (const [text, result] of DEFECTS) {
      await t.step(`${text}: ${result}`, async () => {
        await sql.unsafe(text);
        assert.deepEqual(await of(text), [result]);
      });
    }
    for (const text of BY_NATURE) {
      await t.step(`${text}: ${MASKED}`, async () => {
        await sql.unsafe(text);
        assert.deepEqual(await of(text), [MASKED]);
      });
    }
    for (const [text, write] of BEHIND) {
      await t.step(`${text}, beside ${write}`, async () => {
        await beside(write, text);
        assert.deepEqual(await of(text), ["noise_concurrent_write"]);
      });
    }
    await t.step("beside a write to something else", async () => {
      const text = "select id, name from deep where id = 1";
      await beside("insert into owner values (9)", text);
      assert.deepEqual(await of(text), [ROWS]);
    });

    await t.step("DDL changes what is known", async () => {
      const before = results()[ROWS] ?? 0;
      await sql.unsafe("alter table loose add primary key (id)");
      await waitFor("the new key to count", async () => {
        await sql.unsafe("select name from loose where id = 1 limit 1");
        return (results()[ROWS] ?? 0) > before;
      }, 20_000);
    });
    await sql.end();
    await other.end();
    await proxy.settled();
  },
});
