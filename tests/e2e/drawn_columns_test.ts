import assert from "node:assert/strict";
import type { Cluster } from "../support/cluster.ts";
import { startCluster } from "../support/cluster.ts";
import { prepare, resultsOf, run } from "../support/judged.ts";
import { TestProxy } from "../support/proxy.ts";
import { runAll } from "../support/run_all.ts";
import {
  concat,
  int16,
  int32,
  message,
  sync,
  WireClient,
} from "../support/wire_client.ts";
import { waitFor } from "../support/wait.ts";
import type { StatementSummary } from "../../src/stats/mod.ts";

const SCHEMA = `
  create table orders (ref text primary key, total int, at timestamptz,
    created_at timestamptz default now(), updated_at timestamptz,
    day date generated always as ((at at time zone 'UTC')::date) stored,
    token uuid default gen_random_uuid());
  create function touch() returns trigger language plpgsql as
    $$ begin new.updated_at := clock_timestamp(); return new; end $$;
  create trigger touch before update on orders
    for each row execute function touch();
  insert into orders (ref, total, at, updated_at)
    select 'old' || i, i, '2026-01-01', '2026-01-01' from generate_series(1, 3) i;
  update orders set created_at = '2026-01-01', updated_at = '2026-01-01',
    token = '00000000-0000-0000-0000-000000000000';
  alter table orders disable trigger touch;
  update orders set updated_at = '2026-01-01';
  alter table orders enable trigger touch;
  create table job (ref text primary key, seen_at timestamptz default now(),
    state text default 'new');
  create table archive (ref text primary key, stamped timestamptz, state text);
  create table customer (id serial primary key, name text unique, city text);
  create table visit (ref text primary key, city text,
    customer_id int references customer);
  create table audit (n int, entry text, at timestamptz default now(), token uuid);
  create function note() returns trigger language plpgsql as
    $$ begin insert into audit (n, entry, token)
      values (new.total, new.ref, new.token); return new; end $$;
  create trigger note after insert on orders
    for each row execute function note();
  create view recent as select ref, total, created_at as made from orders;
`;

const INSERT = "insert into orders (ref, total, at) values";
const T = "'2026-02-03 04:05:06Z'";

/** What an application writes. */
const WRITES: readonly string[] = [
  `${INSERT} ('a', 1, ${T}), ('b', 2, ${T}), ('c', 3, ${T})`,
  "update orders set updated_at = now() where ref = 'a'",
  "update orders set total = 20 where ref = 'b'",
  "insert into job (ref) values ('a'), ('b')",
  "update job set seen_at = now(), state = 'done' where ref = 'a'",
  "with moved as (select * from job) insert into archive select * from moved",
];

/** What it reads back. */
const READS: readonly string[] = [
  "select * from orders where ref = 'a'",
  "select * from orders order by ref",
  "select * from orders order by created_at, ref",
  "select ref from orders order by created_at desc",
  "select * from recent where ref = 'b'",
  "select o.*, j.seen_at from orders o join job j on j.ref = o.ref",
  "select ref, to_char(created_at, 'YYYY-MM-DD HH24:MI:SS.US') from orders",
  "select ref, created_at::date, md5(token::text) from orders",
  "select ref, now() - created_at, extract(epoch from updated_at) from orders",
  "with o as (select * from orders) select ref, created_at + interval '1 day' from o",
  "select max(updated_at), min(created_at), count(created_at), count(*) from orders",
  "select ref, created_at, token from orders where total > 1",
  "update orders set total = 4 where ref = 'c' returning created_at, total",
  "select * from archive order by ref",
  "select * from audit order by n",
  "select entry, token from audit where n = 1",
];

/** Changes of the mirror's rows, statements that see them, and where. */
const DEFECTS: readonly [change: string, read: string, place: RegExp][] = [
  [
    "update orders set created_at = created_at + interval '1 hour' where ref = 'a'",
    "select ref, created_at from orders",
    /column created_at/,
  ],
  [
    "update orders set created_at = created_at + interval '1 hour' where ref = 'a'",
    "select made, ref from recent where ref = 'a'",
    /column made/,
  ],
  [
    "update orders set total = 7 where ref = 'b'",
    "select * from orders where ref in ('a', 'b')",
    /column total/,
  ],
  [
    "update orders set created_at = null where ref = 'b'",
    "select created_at, ref from orders where ref = 'b'",
    /column created_at/,
  ],
  [
    "update orders set created_at = null where ref = 'b'",
    "select count(created_at) from orders",
    /column count/,
  ],
  [
    "delete from orders where ref = 'c'",
    "select ref, created_at from orders where total > 0 order by created_at",
    /^row 4 of the primary is missing/,
  ],
  [
    "update orders set at = at + interval '1 ms' where ref = 'a'",
    "select *, 1 from orders where ref = 'a'",
    /column at /,
  ],
  [
    "update archive set state = 'lost' where ref = 'a'",
    "select *, 1 from archive",
    /column state/,
  ],
];

const COLUMNS = "ref, total, at, created_at, updated_at, token";
const KEEP = `
  create table kept as select ${COLUMNS} from orders;
  create table kept_archive as table archive;`;
const RESTORE = `
  set session_replication_role = replica;
  truncate orders, archive;
  insert into orders (${COLUMNS}) table kept;
  insert into archive table kept_archive;`;

Deno.test({
  name:
    "judge: what the mirror has drawn is read back as it was drawn, and nothing else",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn(t) {
    await using primary = await startCluster({ version: "15" });
    await using mirror = await startCluster({ version: "15" });
    const begin = async (): Promise<TestProxy> => {
      await prepare(primary, SCHEMA);
      await prepare(mirror, SCHEMA);
      const proxy = await TestProxy.start({ primary, mirror });
      await waitFor(
        "the schema to be known",
        () => proxy.logs.some((line) => line.includes("schema is known")),
        10_000,
      );
      return proxy;
    };
    const protocols = [false, true];

    await t.step("before a write all is strict", async () => {
      await using proxy = await begin();
      const change = async (cluster: Cluster) => {
        await run(
          cluster,
          "update orders set created_at = created_at + interval '1 ms'",
        );
      };
      await change(mirror);
      const found = await runAll(
        proxy,
        [
          "select ref, created_at from orders",
          "select max(token::text) from orders",
        ],
        [false],
      );
      assert.deepEqual(found.map(resultsOfOne), [
        { mismatch_rows: 1 },
        { match: 1 },
      ]);
    });

    for (const prepared of protocols) {
      const name = prepared ? "extended" : "simple";
      await t.step(`an equal server, ${name} protocol`, async () => {
        await using proxy = await begin();
        await runAll(proxy, WRITES, [prepared]);
        const found = await runAll(proxy, READS, [prepared]);
        for (const summary of found) {
          const wrong = Object.keys(resultsOfOne(summary)).filter((result) =>
            !result.startsWith("match")
          );
          assert.deepEqual(wrong, [], differenceOf(summary));
        }
      });
    }

    await t.step("an equal server, binary format", async () => {
      await using proxy = await begin();
      await runAll(proxy, WRITES, [false]);
      const client = await WireClient.connect(proxy.port);
      for (const read of READS) {
        await client.send(concat([
          message("P", `\0${read}\0`, int16(0)),
          message("B", "\0\0", int16(0), int16(0), int16(1), int16(1)),
          message("D", "P\0"),
          message("E", "\0", int32(0)),
          sync(),
        ]));
        await client.ready(1);
      }
      await client.terminate();
      const { statements } = await proxy.settled();
      const wrong = Object.entries(statements).filter(([result, count]) =>
        count > 0 && !result.startsWith("match")
      );
      assert.deepEqual(wrong, []);
      assert.ok((statements.match_masked ?? 0) > 5);
    });

    await t.step("defects among what was drawn", async (t) => {
      await using proxy = await begin();
      await runAll(proxy, WRITES, [false]);
      await runAll(proxy, WRITES.slice(1, 3), [true]);
      await run(mirror, KEEP);
      for (const [change, read, place] of DEFECTS) {
        await t.step(`${change}: ${read}`, async () => {
          await run(
            mirror,
            `set session_replication_role = replica; ${change}`,
          );
          const [summary] = await runAll(proxy, [read], protocols);
          await run(mirror, RESTORE);
          assert.ok(summary);
          const results = Object.keys(resultsOfOne(summary));
          assert.ok(
            results.every((result) => result.startsWith("mismatch_")),
            differenceOf(summary),
          );
          assert.match(summary.examples[0]?.difference ?? "", place);
        });
      }
    });
  },
});

function resultsOfOne(summary: StatementSummary): Record<string, number> {
  return resultsOf([summary]);
}

function differenceOf(summary: StatementSummary): string {
  return JSON.stringify([
    summary.text,
    resultsOfOne(summary),
    summary.examples,
    summary.masked,
  ]);
}
