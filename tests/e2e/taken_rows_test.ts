import assert from "node:assert/strict";
import { type Cluster, startCluster } from "../support/cluster.ts";
import { onServer } from "../support/on_server.ts";
import { type Ledger, TestProxy } from "../support/proxy.ts";
import { waitFor } from "../support/wait.ts";
import {
  concat,
  int16,
  int32,
  message,
  query,
  sync,
  WireClient,
} from "../support/wire_client.ts";

const LOCK = "for update skip locked";
const ANSWERS = { mirror_values: "answers" };

/** A table of jobs, and what takes some of them; `T` is the table. */
interface Form {
  readonly name: string;
  readonly schema: string;
  /** A `?` stands for each value. */
  readonly sql: string;
  readonly values?: readonly string[];
  /** Rows that it takes of six of which one is locked; default: one. */
  readonly takes?: number;
}

const PLAIN =
  "create table T (id int primary key, prio int default 0, state text default 'new', payload text); insert into T (id, payload) select i, 'p' || i from generate_series(1, 6) i";

const TOLD: readonly Form[] = [
  {
    name: "a SELECT by a key of its own",
    schema: PLAIN,
    sql:
      `select payload, id from T where state = ? order by prio limit 1 ${LOCK}`,
    values: ["new"],
  },
  {
    name: "a SELECT of all columns, without WHERE",
    schema: PLAIN,
    sql: `select * from T order by id limit 3 ${LOCK}`,
    takes: 3,
  },
  {
    name: "OR in WHERE, a comment, and a lock of another strength",
    schema: PLAIN,
    sql:
      `select x.id from public.T as x where prio = 7 or state = ? -- the oldest\n order by x.id fetch first 2 rows only for no key update of x skip locked -- one`,
    values: ["new"],
    takes: 2,
  },
  {
    name: "a text as key",
    schema:
      "create table T (k text primary key, state text default 'new'); insert into T select E'a\"\\\\''{,' || i from generate_series(1, 6) i",
    sql: `select k from T order by k limit 2 ${LOCK}`,
    takes: 2,
  },
  {
    name: "a uuid as key, of a domain",
    schema:
      "create domain T_d as uuid; create table T (k T_d primary key); insert into T select ('00000000-0000-0000-0000-00000000000' || i)::uuid from generate_series(1, 6) i",
    sql: `select k from T order by k limit 1 ${LOCK}`,
  },
  {
    name: "a key of two columns",
    schema:
      "create table T (a int, b text, primary key (a, b)); insert into T select i % 2, 'b' || i from generate_series(1, 6) i",
    sql: `select b, a from T order by a, b limit 3 ${LOCK}`,
    takes: 3,
  },
  {
    name: "a unique key that is not the primary one",
    schema:
      "create table T (id serial primary key, job bigint not null unique); insert into T (job) select 10 * i from generate_series(1, 6) i",
    sql: `select job from T order by id limit 1 ${LOCK}`,
  },
  {
    name: "a time as key",
    schema:
      "create table T (at timestamptz primary key); insert into T select '2024-01-01Z'::timestamptz + i * interval '1 day' from generate_series(1, 6) i",
    sql: `select at from T order by at limit 2 ${LOCK}`,
    takes: 2,
  },
  {
    name: "partitions, by a key of the parent",
    schema:
      "create table T (id int primary key, state text default 'new') partition by hash (id); create table T_0 partition of T for values with (modulus 2, remainder 0); create table T_1 partition of T for values with (modulus 2, remainder 1); insert into T select i from generate_series(1, 6) i",
    sql: `select id from T where state = ? order by id limit 2 ${LOCK}`,
    values: ["new"],
    takes: 2,
  },
  {
    name: "UPDATE of an inner SELECT's row",
    schema: PLAIN,
    sql:
      `update T set state = ? where id = (select id from T where state = 'new' order by prio, id limit 1 ${LOCK}) returning id, payload`,
    values: ["run"],
  },
  {
    name: "UPDATE of several",
    schema: PLAIN,
    sql:
      `update T as t set state = ? where t.id in (select id from T where state = 'new' order by id limit 2 ${LOCK}) returning *`,
    values: ["run"],
    takes: 2,
  },
  {
    name: "UPDATE by a CTE",
    schema: PLAIN,
    sql:
      `with x as materialized (select id from T where state = 'new' and prio < ? order by id limit 2 ${LOCK}) update T t set state = 'run' from x where t.id = x.id returning t.*`,
    values: ["5"],
    takes: 2,
  },
  {
    name: "DELETE by a CTE",
    schema: PLAIN,
    sql:
      `with x as (select id from T order by id limit ? ${LOCK}) delete from T using x where T.id = x.id returning T.payload, T.id`,
    values: ["2"],
    takes: 2,
  },
  {
    name: "DELETE of an array's rows",
    schema: PLAIN,
    sql:
      `delete from T where id = any(array(select id from T order by id limit 2 ${LOCK})) returning id`,
    takes: 2,
  },
];

const PROTOCOLS = ["simple", "text", "binary", "prepared"] as const;
type Protocol = typeof PROTOCOLS[number];

for (const [theirs, ours] of [["15", "15"], ["15", "18"]] as const) {
  Deno.test({
    name:
      `taken rows: the mirror takes those that the primary gave, ${theirs} and ${ours}`,
    sanitizeOps: false,
    sanitizeResources: false,
    async fn(t) {
      const tables = TOLD.flatMap((form, i) =>
        PROTOCOLS.map((protocol) => ({
          form,
          protocol,
          table: `${protocol}_${i}`,
        }))
      );
      const initSql = tables.map(({ form, table }) => of(table, form.schema))
        .join(";\n");
      await using primary = await startCluster({ version: theirs, initSql });
      await using mirror = await startCluster({ version: ours, initSql });
      await using proxy = await started(primary, mirror);
      using worker = await WireClient.connect(proxy.port);
      using other = await WireClient.connect(proxy.port);
      for (const { form, protocol, table } of tables) {
        await t.step(`${form.name}, ${protocol}`, async () => {
          const before = takenRows(proxy);
          // It has the first row until the worker is replayed.
          await say(
            other,
            query(
              `begin; select * from ${table} order by 1 limit 1 for update`,
            ),
          );
          await take(worker, of(table, form.sql), form.values, protocol, table);
          await waitFor(
            "the rows to be taken",
            () => takenRows(proxy) - before === (form.takes ?? 1),
            20_000,
          );
          await say(other, query("rollback"));
        });
      }
      await other.terminate();
      await worker.terminate();
      const { statements } = await proxy.settled();
      assert.deepEqual(
        Object.keys(statements).filter((result) => !result.startsWith("match")),
        [],
        told(proxy),
      );
      for (const { form, protocol, table } of tables) {
        await t.step(`${form.name}, ${protocol}: equal tables`, async () => {
          assert.deepEqual(
            await rowsOf(mirror, table),
            await rowsOf(primary, table),
          );
        });
      }
    },
  });
}

/** Statements of which the mirror is told nothing. */
const UNTOLD: readonly Form[] = [
  {
    name: "no unique key in the answer",
    schema: PLAIN,
    sql: `select payload from T order by id limit 1 ${LOCK}`,
  },
  {
    name: "a unique key that may be NULL",
    schema:
      "create table T (k int unique); insert into T select i from generate_series(1, 6) i",
    sql: `select k from T order by k limit 1 ${LOCK}`,
  },
  {
    name: "a table that others inherit from",
    schema: `${PLAIN}; create table T_more () inherits (T)`,
    sql: `select id from T order by id limit 1 ${LOCK}`,
  },
  {
    name: "a view",
    schema: `create table T_0 (id int primary key); create view T as table T_0`,
    sql: `select id from T order by id limit 1 ${LOCK}`,
  },
  {
    name: "two tables",
    schema: `${PLAIN}; create table T_0 (id int primary key)`,
    sql:
      `select T.id from T left join T_0 using (id) limit 1 for update of T skip locked`,
  },
  {
    name: "a trigger that sets the key",
    schema:
      `${PLAIN}; create function T_f() returns trigger language plpgsql as $$begin new.id := new.id + 10; return new; end$$; create trigger x before update on T for each row execute function T_f()`,
    sql:
      `update T set state = 'run' where id = (select id from T order by id limit 1 ${LOCK}) returning id`,
  },
  {
    name: "no RETURNING",
    schema: PLAIN,
    sql:
      `update T set state = 'run' where id = (select id from T order by id limit 1 ${LOCK})`,
  },
  {
    name: "times in another style than ISO",
    schema:
      "create table T (at timestamptz primary key); insert into T values ('2024-01-02Z')",
    sql: `set datestyle = 'German'; select at from T limit 1 ${LOCK}`,
  },
  {
    name: "columns that are called as clauses",
    schema:
      `create table T (id int primary key, "limit" int, skip int); insert into T select i from generate_series(1, 6) i`,
    sql: `select id, skip locked from T where T.limit is null ${LOCK}`,
  },
  {
    name: "NOWAIT",
    schema: PLAIN,
    sql: "select id from T order by id limit 1 for update nowait",
  },
  {
    name: "two statements in one text",
    schema: PLAIN,
    sql: `select 1; select id from T order by id limit 1 ${LOCK}`,
  },
];

Deno.test({
  name: "taken rows: what tells no rows for sure goes as it came",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn(t) {
    const initSql = UNTOLD.map(({ schema }, i) => of(`own_${i}`, schema))
      .join(";\n");
    await using primary = await startCluster({ version: "15", initSql });
    await using mirror = await startCluster({ version: "18", initSql });
    await using proxy = await started(primary, mirror);
    for (const [i, { name, sql }] of UNTOLD.entries()) {
      await t.step(name, async () => {
        using client = await WireClient.connect(proxy.port);
        for (const protocol of ["simple", "text"] as const) {
          const [first = "", second] = sql.split("; ");
          const isPair = first === "select 1";
          if (!isPair && second !== undefined) await say(client, query(first));
          const text = isPair ? sql : second ?? sql;
          if (isPair && protocol !== "simple") continue;
          await take(client, of(`own_${i}`, text), [], protocol, "");
        }
        await client.terminate();
        await proxy.settled();
        assert.equal(takenRows(proxy), 0);
      });
    }
    const { statements } = await proxy.settled();
    assert.deepEqual(Object.keys(statements), ["match", "match_control"]);
  },
});

Deno.test({
  name: "taken rows: by its own values the mirror takes what it finds",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    const initSql = of("t", PLAIN);
    await using primary = await startCluster({ version: "15", initSql });
    await using mirror = await startCluster({ version: "15", initSql });
    const own = { mirror_values: "own" };
    await using proxy = await started(primary, mirror, own);
    using client = await WireClient.connect(proxy.port);
    await take(client, `select id from t limit 1 ${LOCK}`, [], "text", "");
    await client.terminate();
    const { statements } = await proxy.settled();
    assert.deepEqual(statements, { match: 1 });
    assert.equal(takenRows(proxy), 0);
  },
});

Deno.test({
  name:
    "taken rows: with nobody in a transaction beside it a mirror takes what it finds: another order, and a queue that is empty on the primary only",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn(t) {
    const tables = PROTOCOLS.flatMap((protocol) =>
      DEFECTS.flatMap((defect, i) => [
        { ...defect, protocol, table: `alone_${protocol}_${i}`, isAlone: true },
        {
          ...defect,
          protocol,
          table: `beside_${protocol}_${i}`,
          isAlone: false,
        },
      ])
    );
    const initSql = tables.map(({ table }) => of(table, PLAIN)).join(";\n");
    await using primary = await startCluster({ version: "15", initSql });
    await using mirror = await startCluster({ version: "15", initSql });
    await using proxy = await started(primary, mirror);
    let before = proxy.ledger().statements;
    for (const { table, isAlone, protocol, ...defect } of tables) {
      await t.step(`${table}: ${defect.name}`, async () => {
        const server = defect.isOfPrimary ? primary : mirror;
        await onServer(server, (sql) => sql.unsafe(of(table, defect.sql)));
        using worker = await WireClient.connect(proxy.port);
        // One that rests holds no locks.
        using beside = await WireClient.connect(proxy.port);
        if (!isAlone) {
          await beside.send(query("begin"));
          await beside.ready(1);
        }
        const sql = `select id from ${table} order by id limit 1 ${LOCK}`;
        await take(worker, sql, [], protocol, table);
        const { statements } = await compared(
          proxy,
          sum(before) + (protocol === "prepared" ? 2 : 1),
        );
        const count = (result: string) =>
          (statements[result] ?? 0) - (before[result] ?? 0);
        assert.equal(count(defect.alone), isAlone ? 1 : 0);
        if (!isAlone) assert.ok(count(defect.beside) > 0);
      });
      before = (await proxy.settled()).statements;
    }
  },
});

/** By an order with ties. */
const CHOICES = [
  `select id, payload from T order by prio limit 1 ${LOCK}`,
  `update T set state = 'run' where id = (select id from T order by prio limit 1 ${LOCK}) returning id, payload`,
  `with x as (select id from T limit 1 ${LOCK}) delete from T using x where x.id = T.id returning T.*`,
];

Deno.test({
  name: "taken rows: a row that is told is no choice: another payload is found",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn(t) {
    const tables = CHOICES.flatMap((sql, i) =>
      PROTOCOLS.map((protocol) => ({
        sql,
        protocol,
        table: `${protocol}_${i}`,
      }))
    );
    const initSql = tables.map(({ table }) => of(table, PLAIN)).join(";\n");
    await using primary = await startCluster({ version: "15", initSql });
    await using mirror = await startCluster({ version: "18", initSql });
    await using proxy = await started(primary, mirror);
    for (const { sql, protocol, table } of tables) {
      await t.step(`${table}: ${sql}`, async () => {
        await onServer(
          mirror,
          (sql) => sql.unsafe(`update ${table} set payload = payload || '!'`),
        );
        const before = proxy.ledger().statements;
        using worker = await WireClient.connect(proxy.port);
        await take(worker, of(table, sql), [], protocol, table);
        const { statements } = await compared(
          proxy,
          sum(before) + (protocol === "prepared" ? 2 : 1),
        );
        assert.equal(
          (statements.mismatch_rows ?? 0) - (before.mismatch_rows ?? 0),
          1,
          JSON.stringify(statements),
        );
      });
      await proxy.settled();
    }
  },
});

Deno.test({
  name: "taken rows: a key that the mirror has drawn tells no rows apart",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    const initSql =
      "create table t (id serial primary key, v text); insert into t (v) select 'v' from generate_series(1, 6)";
    await using primary = await startCluster({ version: "15", initSql });
    await using mirror = await startCluster({ version: "15", initSql });
    await onServer(mirror, (sql) => sql.unsafe("select nextval('t_id_seq')"));
    await using proxy = await started(primary, mirror);
    using worker = await WireClient.connect(proxy.port);
    using other = await WireClient.connect(proxy.port);
    // No RETURNING: the mirror draws another number.
    await say(worker, query("insert into t (v) values ('n')"));
    await say(other, query("begin"));
    await say(other, query("update t set v = 'o' where id = 1"));
    await say(worker, query("begin"));
    await take(
      worker,
      `select id, v from t order by id desc limit 1 ${LOCK}`,
      [],
      "text",
      "",
    );
    await say(other, query("commit"));
    await say(worker, query("commit"));
    await other.terminate();
    await worker.terminate();
    const { statements } = await proxy.settled();
    assert.equal(statements.noise_concurrent_write, 1);
  },
});

/** Waits until so many statements are compared. */
async function compared(proxy: TestProxy, count: number): Promise<Ledger> {
  await waitFor(
    `${count} statements to be compared: ${JSON.stringify(proxy.ledger())}`,
    () => sum(proxy.ledger().statements) === count,
    20_000,
  );
  return proxy.ledger();
}

function sum(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}

/** In what the queues differ, and what comes of it. */
const DEFECTS = [
  {
    name: "empty on the primary only",
    sql: "delete from T",
    isOfPrimary: true,
    alone: "mismatch_row_count",
    beside: "match_control",
  },
  {
    name: "another row in front on the mirror",
    sql: "insert into T (id) values (0)",
    isOfPrimary: false,
    alone: "mismatch_rows",
    beside: "match",
  },
];

function of(table: string, sql: string): string {
  return sql.replaceAll(/\bT(?=_|\b)/g, table);
}

async function started(
  primary: Cluster,
  mirror: Cluster,
  general: Readonly<Record<string, string>> = ANSWERS,
): Promise<TestProxy> {
  const proxy = await TestProxy.start({ primary, mirror, general });
  await waitFor(
    "the mirror's schema to be known",
    () => proxy.logs.some((line) => line.includes("Mirror's schema is known")),
    10_000,
  );
  return proxy;
}

async function say(client: WireClient, bytes: Uint8Array): Promise<void> {
  await client.send(bytes);
  await client.ready(1);
}

/** Runs a statement once. @param name of the prepared statement. */
async function take(
  client: WireClient,
  sql: string,
  values: readonly string[] = [],
  protocol: Protocol,
  name: string,
): Promise<void> {
  let number = 0;
  if (protocol === "simple") {
    await say(
      client,
      query(sql.replaceAll("?", () => `'${values[number++]}'`)),
    );
    return;
  }
  const numbered = sql.replaceAll("?", () => `$${++number}`);
  const own = protocol === "prepared" ? name : "";
  const parse = message("P", `${own}\0${numbered}\0`, int16(0));
  const bind = message(
    "B",
    `\0${own}\0`,
    int16(0),
    int16(values.length),
    ...values.flatMap((value) => {
      const bytes = new TextEncoder().encode(value);
      return [int32(bytes.length), bytes];
    }),
    ...(protocol === "binary" ? [int16(1), int16(1)] : [int16(0)]),
  );
  const run = [message("D", "P\0"), message("E", "\0", int32(0)), sync()];
  if (protocol !== "prepared") {
    return await say(client, concat([parse, bind, ...run]));
  }
  await say(client, concat([parse, message("D", `S${own}\0`), sync()]));
  await say(client, concat([bind, ...run]));
}

async function rowsOf(cluster: Cluster, table: string): Promise<string[]> {
  return await onServer(cluster, async (sql) => {
    const rows = await sql.unsafe(`select x::text as row from ${table} x`);
    return rows.map(({ row }) => String(row)).toSorted();
  });
}

function takenRows(proxy: TestProxy): number {
  const { series } =
    proxy.supervisor.snapshot().get("mirror_taken_rows_total") ??
      { series: [] };
  return series.reduce((sum, { value }) => sum + value, 0);
}

function told(proxy: TestProxy): string {
  return JSON.stringify(
    proxy.supervisor.statements()
      .filter(({ examples }) => examples.length > 0)
      .map(({ text, examples }) => [text, examples]),
  );
}
