import assert from "node:assert/strict";
import postgres from "postgres";
import { startCluster } from "../support/cluster.ts";
import { prepare, resultsOf, run } from "../support/judged.ts";
import { onServer } from "../support/on_server.ts";
import { TestProxy } from "../support/proxy.ts";
import { waitFor } from "../support/wait.ts";

const SCHEMA = `
  create table paid (id bigserial primary key, v text, at timestamptz default now());
  create table noted (id int generated always as identity (cache 10) primary key, v text,
    at timestamp default localtimestamp);
  create sequence bill_number;
  create table bill (code text primary key
    default 'B-' || lpad(nextval('bill_number')::text, 6, '0'), v text);`;
const OWN = "makes a column's values by itself";
const TABLES = ["paid", "noted", "bill"] as const;

/** What is done to the mirror, and the column that it then makes by itself. */
const DEFECTS: readonly {
  readonly name: string;
  readonly change: string;
  readonly table: typeof TABLES[number];
  readonly column: string;
  readonly reason: string;
}[] = [
  {
    name: "a sequence that is one behind",
    change: "select setval('paid_id_seq', 99)",
    table: "paid",
    column: "id",
    reason: "behind",
  },
  {
    name: "a sequence of an identity column that was never set",
    change: "alter sequence noted_id_seq restart",
    table: "noted",
    column: "id",
    reason: "behind",
  },
  {
    name: "a number within a text that is behind",
    change: "select setval('bill_number', 7)",
    table: "bill",
    column: "code",
    reason: "behind",
  },
  {
    name: "a time zone that is another one",
    change: "alter database postgres set timezone = 'Asia/Tokyo'",
    table: "noted",
    column: "at",
    reason: "another moment",
  },
];

const ALIKE = TABLES.map((table) =>
  `insert into ${table} (v) values ('old') returning *`
);

Deno.test({
  name:
    "own defaults: what a given value would hide of the mirror's own is found",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn(t) {
    await using primary = await startCluster({ version: "15" });
    await using mirror = await startCluster({ version: "18" });
    const servers = [primary, mirror];
    const begin = async () => {
      await run(mirror, "alter database postgres reset timezone");
      for (const server of servers) {
        await prepare(server, SCHEMA);
        await run(
          server,
          `select setval('paid_id_seq', 100), setval('noted_id_seq', 100),
            setval('bill_number', 100);
          insert into paid (id, at) select generate_series(1, 100), '2026-01-01';
          insert into noted (id, at) overriding system value
            select generate_series(1, 100), '2026-01-01';
          insert into bill (code)
            select 'B-' || lpad(i::text, 6, '0') from generate_series(1, 100) i`,
        );
      }
    };
    const start = async (general = {}) => {
      const proxy = await TestProxy.start({ primary, mirror, general });
      await waitFor(
        "the schema to be known",
        () => proxy.logs.some((line) => line.includes("schema is known")),
        10_000,
      );
      return proxy;
    };
    /** By each protocol, alone and in a transaction behind another statement. */
    const insert = async (
      proxy: TestProxy,
      sql: postgres.Sql,
      others = 0,
    ) => {
      for (const text of ALIKE) {
        for (const prepare of [false, true]) {
          await sql.unsafe(text, [], { prepare });
          await sql.begin(async (tx) => {
            await tx`select 1 as one`;
            await tx.unsafe(text, [], { prepare });
          });
        }
        await sql.unsafe(text).simple();
      }
      await sql.end();
      await proxy.settled(undefined, others);
    };
    const connect = (proxy: TestProxy) =>
      postgres(proxy.url(), { max: 1, fetch_types: false });
    const ownOf = (proxy: TestProxy) =>
      proxy.logs.filter((line) => line.includes(OWN));

    await t.step("an equal mirror gets all values", async () => {
      await begin();
      await using proxy = await start();
      await insert(proxy, connect(proxy));
      assert.deepEqual(ownOf(proxy), []);
      await assertEqualTables();
      assert.deepEqual(await mismatchesOf(proxy), []);
    });

    await t.step("and so it does beside other sessions", async () => {
      await begin();
      await using proxy = await start();
      await Promise.all(
        Array.from({ length: 8 }, () => insert(proxy, connect(proxy))),
      );
      assert.deepEqual(ownOf(proxy), []);
      await assertEqualTables();
      assert.deepEqual(await mismatchesOf(proxy), []);
    });

    await t.step("numbers come in out of their order", async () => {
      await begin();
      await using proxy = await start();
      const [slow, fast] = [connect(proxy), connect(proxy)];
      await slow.begin(async (tx) => {
        await tx.unsafe(ALIKE[0] as string);
        await insert(proxy, fast, 1);
      });
      await slow.end();
      await proxy.settled();
      assert.deepEqual(ownOf(proxy), []);
      await assertEqualTables();
    });

    await t.step("and so they do when their clients have gone", async () => {
      await begin();
      await using proxy = await start();
      const [slow, fast] = [connect(proxy), connect(proxy)];
      await mirror.pause();
      await slow.begin(async (tx) => {
        await tx.unsafe(ALIKE[0] as string);
        await fast.unsafe(ALIKE[0] as string);
      });
      await Promise.all([slow.end(), fast.end()]);
      await waitFor("no client", () => proxy.clients === 0, 10_000);
      mirror.resume();
      await proxy.settled();
      assert.deepEqual(ownOf(proxy), []);
      await assertEqualTables();
    });

    // Sequences draw what is left out.
    const half = { mirror_exposure: 0.5 };

    await t.step("half of the transactions are left out", async () => {
      await begin();
      await using proxy = await start(half);
      for (let i = 0; i < 4; i++) await insert(proxy, connect(proxy));
      assert.deepEqual(ownOf(proxy), []);
      const rows = await rowsOf();
      for (const table of TABLES) {
        const [theirs = [], ours = []] = rows.map((row) =>
          (row[table] ?? []).map((one) => JSON.stringify(one))
        );
        assert.ok(ours.length > 100 && ours.length < theirs.length, table);
        assert.deepEqual(ours.filter((one) => !theirs.includes(one)), []);
      }
    });

    await t.step(
      "and a sequence that is behind is found all the same",
      async () => {
        await begin();
        await run(mirror, "select setval('paid_id_seq', 99)");
        await using proxy = await start(half);
        // Chance decides when one is replayed that nothing was left out behind.
        await waitFor("the sequence to be left to the mirror", async () => {
          await insert(proxy, connect(proxy));
          return ownOf(proxy).length > 0;
        }, 30_000);
        const own = ownOf(proxy);
        assert.equal(own.length, 1, own.join("\n"));
        assert.ok(own[0]?.includes("behind") && own[0].includes('"paid"'));
      },
    );

    for (const { name, change, table, column, reason } of DEFECTS) {
      await t.step(`${name}: ${table}.${column} is its own`, async () => {
        await begin();
        await run(mirror, change);
        await using proxy = await start();
        // A busy machine may hold up what makes a client be known as the only one.
        await waitFor("the column to be left to the mirror", async () => {
          await insert(proxy, connect(proxy));
          return ownOf(proxy).length > 0;
        }, 30_000);
        const own = ownOf(proxy).filter((line) => line.includes(reason));
        assert.equal(own.length, 1, own.join("\n"));
        const [line = ""] = own;
        assert.ok(line.includes(`"${table}","column":"${column}"`), line);
        const found = await mismatchesOf(proxy);
        assert.ok(found.length > 0);
        assert.ok(
          found.every((text) => text.includes(` ${table} `)),
          `${found}`,
        );
      });
    }

    async function assertEqualTables(): Promise<void> {
      const rows = await rowsOf();
      assert.ok((rows[0]?.paid?.length ?? 0) > 0);
      assert.deepEqual(rows[1], rows[0]);
    }

    /** By table, of both servers. */
    async function rowsOf(): Promise<Record<string, unknown[] | null>[]> {
      const rows = await Promise.all(
        servers.map((server) =>
          onServer(server, (sql) =>
            sql.unsafe(
              `select (select json_agg(x order by id) from paid x) as paid,
            (select json_agg(x order by id) from noted x) as noted,
            (select json_agg(x order by code) from bill x) as bill`,
            ))
        ),
      );
      return rows.map(([row]) => row ?? {});
    }
  },
});

/** Texts of the statements that differed. */
async function mismatchesOf(proxy: TestProxy): Promise<string[]> {
  const calls = () =>
    proxy.supervisor.statements().reduce((sum, { calls }) => sum + calls, 0);
  const compared = Object.values(proxy.ledger().statements);
  const all = compared.reduce((sum, count) => sum + count, 0);
  await waitFor("the statements to be reported", () => calls() >= all, 10_000);
  return proxy.supervisor.statements().flatMap((statement) => {
    const results = Object.keys(resultsOf([statement]));
    return results.some((result) => result.startsWith("mismatch"))
      ? [statement.text]
      : [];
  });
}
