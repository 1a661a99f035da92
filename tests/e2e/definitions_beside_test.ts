import assert from "node:assert/strict";
import postgres from "postgres";
import { startCluster } from "../support/cluster.ts";
import { prepare, run } from "../support/judged.ts";
import { onServer } from "../support/on_server.ts";
import { TestProxy } from "../support/proxy.ts";
import { waitFor } from "../support/wait.ts";

const SCHEMA = `
  create table post (id int primary key, title text not null, likes int);
  insert into post select i, 'post ' || i from generate_series(1, 20) i;
  create view shown as select id, title from post;
  create table other (id int, name text);
  insert into other select i, 'other ' || i from generate_series(1, 20) i;
  create table lacking (id int, extra int);
  create table log (id int, note text) partition by range (id);
  create table log_1 partition of log for values from (0) to (10);
  create table log_2 partition of log for values from (10) to (20);
  insert into log values (1, 'one'), (11, 'eleven');
  create table held (id int);
  create function tally() returns int language sql volatile
    as 'insert into other values (0, null); select 1';
`;
const BREAK = `
  update post set title = 'wrong' where id = 7;
  update log set note = 'wrong' where id = 1;
  alter table lacking drop column extra;`;

const READ = "select title from post where id = 7";
const READ_VIEW = "select title from shown where id = 7";
const READ_LACKING = "select extra from lacking";

/** What another client does in a transaction beside a read of `post`. */
const OF_OTHERS: readonly (readonly string[])[] = [
  [
    "create temp table tt (i int) on commit drop",
    "insert into tt select generate_series(1, 50)",
    "select count(*), pg_sleep(0) from tt",
  ],
  ["create temp table tt (i int) on commit drop", "select pg_sleep(0)"],
  ["select count(*) from other"],
  ["select tally()"],
  ["lock table other in share mode"],
  ["create index on other (lower(name))"],
  ["create table fresh as select count(*) from other", "drop table fresh"],
  ["alter table other alter id type int using id + 1"],
  ["drop table if exists fresh cascade"],
  ["truncate other"],
];

/** What may change the rows that a read of `post` gives. */
const OF_POST: readonly (readonly [sql: string, read: string])[] = [
  ["alter table post alter likes type bigint using 2 * likes", READ],
  ["alter table post add note int default 1", READ_VIEW],
  ["alter table post rename to old; create table post as table old", READ],
  ["create or replace view shown as select id, title from post", READ_VIEW],
  ["do $$ begin perform 1; end $$", READ],
  ["truncate other cascade", READ],
  ["drop table log_2", "select note from log"],
];

/** Runs `use` while a definition is on its way to the mirror, and then until all `transactions` of it are replayed. */
async function whileDefining(
  proxy: TestProxy,
  mirror: { url(): string },
  transactions: number,
  use: () => Promise<unknown>,
): Promise<void> {
  const holder = postgres(mirror.url(), { max: 1 });
  const definer = postgres(proxy.url(), { max: 1, fetch_types: false });
  const pending = (count: number) =>
    waitFor(
      `${count} transactions under way`,
      () => proxy.ledger().pending === count,
      20_000,
    );
  try {
    await holder.begin(async (lock) => {
      await lock.unsafe("lock table held in access exclusive mode");
      await definer.unsafe("alter table held alter id set default 1");
      await pending(1);
      await use();
      await pending(1 + transactions);
    });
    await pending(0);
  } finally {
    await holder.end();
    await definer.end();
  }
}

for (const isTwin of [true, false]) {
  Deno.test({
    name: isTwin
      ? "judge: on a twin nothing differs beside definitions"
      : "judge: definitions, and other clients meanwhile, excuse only what they name",
    sanitizeOps: false,
    sanitizeResources: false,
    async fn(t) {
      await using primary = await startCluster({ version: "15" });
      await using mirror = await startCluster({ version: "18" });
      await prepare(primary, SCHEMA);
      await prepare(mirror, SCHEMA);
      if (!isTwin) await run(mirror, BREAK);
      await using proxy = await TestProxy.start({ primary, mirror });
      const options = { max: 1, fetch_types: false, onnotice() {} };
      const reader = postgres(proxy.url(), options);
      const writer = postgres(proxy.url(), options);
      await waitFor(
        "the schema to be known",
        () => proxy.logs.some((line) => line.includes("schema is known")),
        10_000,
      );

      /** What differs of a read in the middle of others' transaction. */
      const beside = async (statements: readonly string[], read = READ) => {
        const before = proxy.ledger().statements;
        await whileDefining(proxy, mirror, 2, async () => {
          let answer: Promise<unknown> | undefined;
          await reader.begin(async (reads) => {
            await reads`select 1`;
            await writer.begin(async (writes) => {
              for (const one of statements) await writes.unsafe(one);
              answer = reads.unsafe(read).execute();
              if (statements.some((one) => /\b(?:post|log_2)\b/.test(one))) {
                await blocked(primary);
              } else await answer;
            });
            await answer;
          });
        });
        return differences(before, proxy.ledger().statements);
      };

      for (const statements of OF_OTHERS) {
        await t.step(`beside ${statements[0]}`, async () => {
          const expected = isTwin ? {} : { mismatch_rows: 1 };
          assert.deepEqual(await beside(statements), expected);
          assert.deepEqual(await beside(statements, READ_VIEW), expected);
          // By CASCADE any other relation may be gone.
          if (statements[0]?.endsWith("cascade")) return;
          const lacking = await beside(statements, READ_LACKING);
          assert.equal(lacking.mismatch_error_on_mirror ?? 0, isTwin ? 0 : 1);
        });
      }
      for (const [statement, read] of OF_POST) {
        await t.step(`beside ${statement}`, async () => {
          const found = Object.keys(await beside([statement], read));
          // Who comes first on the mirror is chance.
          if (isTwin) {
            const wrong = found.filter((one) => one.startsWith("mismatch"));
            assert.deepEqual(wrong, []);
          } else assert.deepEqual(found, ["noise_concurrent_write"]);
        });
      }
      await t.step(
        "beside another session's table of the same name",
        async () => {
          const read = "select title from mine";
          await reader.unsafe(
            "create temp table mine as select title from post where id = 7",
          );
          const expected = isTwin ? {} : { mismatch_rows: 1 };
          const fill = "insert into mine select name from other";
          const make = "create temp table mine (title text)";
          assert.deepEqual(
            await beside([`${make} on commit drop`, fill], read),
            expected,
          );
          await writer.unsafe(make);
          assert.deepEqual(
            await beside([fill, "truncate mine"], read),
            expected,
          );
        },
      );
      await reader.end();
      await writer.end();
      await proxy.settled();
    },
  });
}

/** Waits until a client of the server waits for a lock. */
function blocked(server: { url(): string }): Promise<void> {
  return waitFor("a reader that waits", () =>
    onServer(server, async (sql) => {
      const [row] = await sql`select count(*)::int as n from pg_stat_activity
        where wait_event_type = 'Lock'`;
      return row?.n > 0;
    }), 10_000);
}

/** Results that are neither alike nor control, since then. */
function differences(
  before: Readonly<Record<string, number>>,
  after: Readonly<Record<string, number>>,
): Record<string, number> {
  const found: Record<string, number> = {};
  for (const [result, count] of Object.entries(after)) {
    const more = count - (before[result] ?? 0);
    if (more > 0 && !result.startsWith("match")) found[result] = more;
  }
  return found;
}
