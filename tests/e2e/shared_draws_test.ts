import assert from "node:assert/strict";
import postgres from "postgres";
import { startCluster } from "../support/cluster.ts";
import { prepare } from "../support/judged.ts";
import { TestProxy } from "../support/proxy.ts";
import { waitFor } from "../support/wait.ts";

const CLIENTS = 8;
const ROUNDS = 60;

/** An INSERT that is told what it drew, by turns with one that is not, from the same sequence. */
interface Mix {
  readonly name: string;
  readonly schema?: string;
  /** Draws, and nobody is told. @param n is another one each time. */
  readonly unseen: (sql: postgres.Sql, n: string) => Promise<unknown>;
  /** Default: 480 rows are too few for a mirror that gives numbers twice. */
  readonly errors?: number;
}

const MIXES: readonly Mix[] = [
  {
    name: "no RETURNING, prepared when it was not known",
    unseen: (sql, n) => sql`insert into t (k) values (${n})`,
  },
  {
    name: "rows by a cursor",
    unseen: async (sql, n) => {
      const rows = sql`insert into t (k) values (${n}), (${`${n} too`})
        returning id`;
      for await (const [row] of rows.cursor(1)) assert.ok(row?.id);
    },
  },
  {
    name: "fewer rows back than sent",
    unseen: (sql, n) =>
      sql.unsafe(
        "insert into t (k) values ('old'), ($1), ($2) on conflict (k) do nothing returning id",
        [n, `${n} too`],
      ),
  },
  {
    name: "within another INSERT",
    unseen: (sql, n) =>
      sql`with o as (insert into t (k) values (${n}) returning id)
        insert into child (t) select id from o returning t`,
  },
  {
    name: "in a text of two statements",
    unseen: (sql, n) =>
      sql.unsafe(`insert into t (k) values ('${n}') returning id; select 1`)
        .simple(),
  },
  {
    name: "nextval() in VALUES",
    unseen: (sql, n) =>
      sql`insert into t (id, k) values (nextval('t_id_seq'), ${n}) returning id`,
  },
  {
    name: "into a view",
    schema: "create view v as select k from t;",
    unseen: (sql, n) => sql`insert into v (k) values (${n})`,
  },
  {
    name: "by another table's default",
    schema: "create table other (id int default nextval('t_id_seq'), k text);",
    unseen: (sql, n) => sql`insert into other (k) values (${n})`,
  },
  {
    name: "within a function, which only collisions tell",
    schema:
      "create function f(text) returns void language sql as 'insert into t (k) values ($1)';",
    unseen: (sql, n) => sql`select f(${n})`,
    errors: 24,
  },
  {
    name: "within a trigger, which only collisions tell",
    schema: `create table log (v text);
      create function f() returns trigger language plpgsql as
        $$begin insert into t (k) values (new.v); return null; end$$;
      create trigger x after insert on log for each row execute function f();`,
    unseen: (sql, n) => sql`insert into log (v) values (${n})`,
    errors: 24,
  },
];

Deno.test({
  name:
    "shared draws: numbers that are given do not meet those that are drawn unseen",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn(t) {
    await using primary = await startCluster({ version: "15" });
    await using mirror = await startCluster({ version: "15" });
    for (const { name, schema = "", unseen, errors = 3 } of MIXES) {
      await t.step(name, async () => {
        for (const server of [primary, mirror]) {
          await prepare(
            server,
            `create table t (id serial primary key, k text unique);
            create table child (id serial primary key, t int);
            insert into t (k) values ('old'); ${schema}`,
          );
        }
        await using proxy = await TestProxy.start({ primary, mirror });
        await waitFor(
          "the schema to be known",
          () => proxy.logs.some((line) => line.includes("schema is known")),
          10_000,
        );
        await Promise.all(Array.from({ length: CLIENTS }, async (_, client) => {
          const sql = postgres(proxy.url(), { max: 1, fetch_types: false });
          for (let round = 0; round < ROUNDS; round++) {
            const n = `${client} ${round}`;
            if (round % 2 === 1) await unseen(sql, n);
            else await sql`insert into t (k) values (${n}) returning id`;
          }
          await sql.end();
        }));
        const { queryErrors, statements } = await proxy.settled();
        const own = proxy.logs.filter((line) => line.includes("by itself"));
        // Where only collisions tell, and no numbers have met, nobody knows.
        const isTold = own.some((line) => line.includes('"id"'));
        const isUnmet = name.includes("only collisions") && queryErrors === 0;
        assert.ok(isTold || isUnmet, own.join("\n"));
        assert.ok(!own.some((line) => line.includes("behind")), own.join("\n"));
        assert.ok(
          queryErrors <= errors,
          `${queryErrors} errors, ${JSON.stringify(statements)}`,
        );
      });
    }
  },
});
