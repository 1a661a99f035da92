import assert from "node:assert/strict";
import postgres from "postgres";
import {
  assertEqualTables,
  count,
  LOG,
  mismatches,
  rowsOf,
  startLoggedTwin,
} from "../support/primary_log.ts";
import type { TestProxy } from "../support/proxy.ts";
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

const TEST = { sanitizeOps: false, sanitizeResources: false };
const ANSWERS = {
  proxy: { general: { ...LOG, mirror_values: "answers" } },
  isLogged: false,
};
const OUTBOX =
  "create table outbox (id bigint primary key, batch int, payload text); insert into outbox (id, payload) select i, 'p' || i from generate_series(1, 3) i;";
const LATE = "insert into outbox (id, payload) values ($1, 'late')";

/** What a transaction writes by a condition, while others commit rows that meet it. */
interface Form {
  readonly name: string;
  /** Default: OUTBOX. */
  readonly schema?: string;
  readonly write: string;
  readonly values?: readonly (string | number)[];
  /** Commits twice behind it; `$1` is a number of its own. Default: LATE. */
  readonly others?: string;
  /** Default: the outbox. */
  readonly table?: string;
}

const FORMS: readonly Form[] = [
  {
    name: "UPDATE",
    write: "update outbox set batch = $1 where batch is null",
    values: [5],
  },
  {
    name: "UPDATE with OR, an alias, a comment and RETURNING of no key",
    write:
      "update only outbox as o set batch = $1 where o.batch is null or payload = $2 /* where */ returning o.payload; -- one",
    values: [5, "none"],
  },
  {
    name: "DELETE",
    write: "delete from outbox where payload like 'p%' or payload like 'l%'",
  },
  { name: "DELETE of all", write: "delete from outbox" },
  {
    name: "UPDATE of all, behind a time",
    schema:
      `${OUTBOX} alter table outbox add at timestamptz default '2024-01-01Z';`,
    write:
      "update outbox set batch = coalesce(batch, 0) + 1 where at < now() + interval '1 day'",
  },
  {
    name: "UPDATE from another table",
    schema:
      `${OUTBOX} create table batches (no int); insert into batches values (7);`,
    write:
      "update outbox set batch = no from batches where outbox.batch is null and no = $1",
    values: [7],
  },
  {
    name: "UPDATE of what an inner query finds",
    write:
      "update outbox set batch = 5 where id in (select id from outbox where batch is null for update)",
  },
  {
    name: "a key of two columns, one a text",
    schema:
      "create table parts (a int, b text, batch int, primary key (a, b)); insert into parts select i, 'b\"''\\' || i from generate_series(1, 3) i;",
    write: "update parts set batch = $1 where batch is null",
    values: [5],
    others: "insert into parts (a, b) values ($1, 'late')",
    table: "parts",
  },
  {
    name: "partitions",
    schema:
      "create table parts (id bigint primary key, batch int) partition by hash (id); create table p0 partition of parts for values with (modulus 2, remainder 0); create table p1 partition of parts for values with (modulus 2, remainder 1); insert into parts select generate_series(1, 6);",
    write: "update parts set batch = 5 where batch is null",
    others: "insert into parts values ($1)",
    table: "parts",
  },
  {
    name: "UPDATE that a trigger follows",
    schema:
      `${OUTBOX} create table audit (outbox_id bigint, batch int); create function f() returns trigger language plpgsql as $$ begin insert into audit values (new.id, new.batch); return null; end $$; create trigger t after update on outbox for each row execute function f();`,
    write: "update outbox set batch = $1 where batch is null",
    values: [5],
    table: "audit",
  },
];

const PROTOCOLS = ["simple", "unnamed", "prepared"] as const;

/** A form with tables of its own. */
function named(form: Form, suffix: string): Required<Form> {
  const own = (sql: string) =>
    sql.replaceAll(
      /\b(outbox|parts|batches|audit|p0|p1|f|t)\b/g,
      `$1_${suffix}`,
    );
  const { name, schema = OUTBOX, write, values = [], others = LATE } = form;
  return {
    name,
    schema: own(schema),
    write: own(write),
    values,
    others: own(others),
    table: own(form.table ?? "outbox"),
  };
}

for (const version of ["15", "18"] as const) {
  Deno.test({
    name: `chosen rows: what commits meanwhile is not written, ${version}`,
    ...TEST,
    async fn(t) {
      const forms = PROTOCOLS.flatMap((protocol) =>
        FORMS.map((form, i) => ({
          protocol,
          ...named(form, `${protocol}_${i}`),
        }))
      );
      const schema = forms.map((form) => form.schema).join("\n");
      await using twin = await startLoggedTwin({ schema, version });
      const told = () => count(twin.proxy, "mirror_taken_rows_total");
      for (const form of forms) {
        await t.step(`${form.name}, ${form.protocol}`, async () => {
          const before = told();
          await overlap(twin.proxy, form, form.protocol);
          const { statements, failed } = await twin.proxy.settled();
          assert.deepEqual([mismatches(statements), failed], [[], {}]);
          await waitFor("rows that were told", () => told() > before, 5_000);
          await assertEqualTables(twin, [form.table]);
        });
      }
    },
  });
}

Deno.test({
  name:
    "chosen rows: with answers alone RETURNING tells them, and that there are none",
  ...TEST,
  async fn() {
    await using twin = await startLoggedTwin({ schema: OUTBOX, ...ANSWERS });
    const write =
      "update outbox set batch = $1 where batch is null returning id";
    await overlap(twin.proxy, { name: "", write, values: [5] }, "prepared");
    const none = "delete from outbox where payload = 'later'";
    const others = "insert into outbox (id, payload) values ($1, 'later')";
    await overlap(twin.proxy, { name: "", write: none, others }, "unnamed", 1);
    const { statements, failed } = await twin.proxy.settled();
    assert.deepEqual([mismatches(statements), failed], [[], {}]);
    await assertEqualTables(twin, ["outbox"]);
  },
});

Deno.test({
  name: "chosen rows: a snapshot does not see what commits before the write",
  ...TEST,
  async fn() {
    await using twin = await startLoggedTwin({ schema: OUTBOX });
    const options = { max: 1, fetch_types: false, onnotice() {} };
    const one = postgres(twin.proxy.url(), options);
    const other = postgres(twin.proxy.url(), options);
    await one.begin("isolation level repeatable read", async (db) => {
      await db`select count(*) from outbox`;
      await other`insert into outbox (id, payload) values (50, 'late')`;
      await db`update outbox set batch = 5 where batch is null`;
    });
    await Promise.all([one.end(), other.end()]);
    await twin.proxy.settled();
    await assertEqualTables(twin, ["outbox"]);
  },
});

/** Where what is told of the rows is not all that a statement has done, or names something else. */
const LEFT: readonly Form[] = [
  {
    name: "a rule in the place of DELETE",
    schema:
      `${OUTBOX} alter table outbox add gone bool default false; create rule r as on delete to outbox do instead update outbox set gone = true where id = old.id;`,
    write: "delete from outbox where batch is null",
  },
  {
    name: "a trigger in the place of DELETE",
    schema:
      `${OUTBOX} alter table outbox add gone bool default false; create function f() returns trigger language plpgsql as $$ begin update outbox set gone = true where id = old.id; return null; end $$; create trigger t before delete on outbox for each row execute function f();`,
    write: "delete from outbox where batch is null",
  },
  {
    name: "a key behind another relation's columns",
    schema:
      `${OUTBOX} create table batches (batch int, id bigint, no int); insert into batches values (7, 2, 8);`,
    write:
      "update outbox set batch = $1 from batches where outbox.batch is null and batches.batch = 7 returning batches.*, outbox.id",
    values: [5],
  },
  {
    name: "a relation of the same name in another schema",
    schema:
      `${OUTBOX} create schema archive; create table archive.outbox (id bigint primary key, done bool); insert into archive.outbox values (1, true);`,
    write:
      "delete from public.outbox using archive.outbox where archive.outbox.id = public.outbox.id and public.outbox.batch is null",
  },
  {
    name: "a generated key",
    schema:
      "create table outbox (tenant int, id bigint, batch int, payload text, ref bigint generated always as (id * 1000 + coalesce(batch, 0)) stored not null unique, primary key (tenant, id)); insert into outbox (tenant, id) select 1, i from generate_series(1, 3) i;",
    write: "update outbox set batch = $1 where batch is null returning ref",
    values: [5],
    others: "insert into outbox (tenant, id, batch) values (1, $1, 9)",
  },
];

for (const values of ["answers", "log"] as const) {
  Deno.test({
    name: `chosen rows: what is not all, or another's, is no key, ${values}`,
    ...TEST,
    async fn(t) {
      for (const form of LEFT) {
        for (const protocol of ["unnamed", "prepared"] as const) {
          await t.step(`${form.name}, ${protocol}`, async () => {
            const { schema = OUTBOX } = form;
            await using twin = await startLoggedTwin({
              schema,
              ...(values === "log" ? {} : ANSWERS),
            });
            // They don't meet the condition.
            const others =
              "insert into outbox (id, batch, payload) values ($1, 9, 'late')";
            await overlap(twin.proxy, { others, ...form }, protocol);
            const { statements, failed } = await twin.proxy.settled();
            assert.deepEqual([mismatches(statements), failed], [[], {}]);
            await assertEqualTables(twin, ["outbox"]);
          });
        }
      }
    },
  });
}

Deno.test({
  name:
    "chosen rows: the first row that is fetched is not all that was written",
  ...TEST,
  async fn() {
    await using twin = await startLoggedTwin({ schema: OUTBOX, ...ANSWERS });
    const other = postgres(twin.proxy.url(), {
      max: 1,
      fetch_types: false,
      onnotice() {},
    });
    {
      using client = await WireClient.connect(twin.proxy.port);
      await client.send(query("begin"));
      await client.ready(1);
      await client.send(concat([
        message(
          "P",
          "\0update outbox set batch = 5 where batch is null returning id\0",
          int16(0),
        ),
        message("B", "\0\0", int16(0), int16(0), int16(0)),
        message("E", "\0", int32(1)),
        sync(),
      ]));
      await client.ready(1);
      await other`insert into outbox (id, batch) values (50, 9)`;
      await client.send(query("commit"));
      await client.ready(1);
    }
    await other.end();
    await twin.proxy.settled();
    await assertEqualTables(twin, ["outbox"]);
  },
});

/** A mirror with other data, and what shows it, while others write rows or not. */
const DEFECTS: readonly (readonly [name: string, defect: string])[] = [
  ["a row is missing", "delete from outbox where id = 2;"],
  [
    "a row does not meet the condition",
    "update outbox set batch = 1 where id = 2;",
  ],
];

for (const [name, defect] of DEFECTS) {
  for (const protocol of ["simple", "prepared"] as const) {
    Deno.test({
      name: `chosen rows: ${name} on the mirror, others commit, ${protocol}`,
      ...TEST,
      async fn() {
        await using twin = await startLoggedTwin({ schema: OUTBOX, defect });
        const write = "update outbox set batch = $1 where batch is null";
        await overlap(twin.proxy, { name, write, values: [5] }, protocol);
        const { statements } = await twin.proxy.settled();
        assert.deepEqual(mismatches(statements), ["mismatch_command_tag"]);
      },
    });
  }
}

Deno.test({
  name:
    "chosen rows: while nobody writes the table the mirror chooses by itself",
  ...TEST,
  async fn() {
    const schema = `${OUTBOX} create table others (id bigint primary key);`;
    const defect = "insert into outbox (id, payload) values (50, 'p50');";
    await using twin = await startLoggedTwin({ schema, defect });
    const write = "update outbox set batch = $1 where batch is null";
    const others = "insert into others values ($1)";
    await overlap(
      twin.proxy,
      { name: "", write, values: [5], others },
      "prepared",
    );
    const { statements } = await twin.proxy.settled();
    assert.deepEqual(mismatches(statements), ["mismatch_command_tag"]);
    assert.equal(count(twin.proxy, "mirror_taken_rows_total"), 0);
  },
});

Deno.test({
  name: "chosen rows: a mirror that sorts a text otherwise chooses by itself",
  ...TEST,
  async fn() {
    const table = (collation: string) =>
      `create table names (id bigint primary key, n text collate "${collation}", batch int); insert into names (id, n) values (1, 'a'), (2, 'B'), (3, 'Z');`;
    const defect = `drop table names; ${table("en-x-icu")}`;
    await using twin = await startLoggedTwin({ schema: table("C"), defect });
    const write = "update names set batch = $1 where n > 'Y'";
    const others = "insert into names (id, n) values ($1, 'A')";
    await overlap(
      twin.proxy,
      { name: "", write, values: [5], others },
      "prepared",
    );
    assert.notDeepEqual(
      await rowsOf(twin.mirror, "names"),
      await rowsOf(twin.primary, "names"),
    );
    const { statements } = await twin.proxy.settled();
    assert.equal(count(twin.proxy, "mirror_taken_rows_total"), 0);
    assert.notDeepEqual(mismatches(statements), []);
  },
});

let number = 1_000;

/** Runs the write so often, each time in a transaction that is open while the others commit. */
async function overlap(
  proxy: TestProxy,
  { write, values = [], others = LATE }: Form,
  protocol: "simple" | "unnamed" | "prepared",
  times = 3,
): Promise<void> {
  const options = { max: 1, fetch_types: false, onnotice() {} };
  const [one, other] = [
    postgres(proxy.url(), options),
    postgres(proxy.url(), options),
  ];
  const text = values.reduce(
    (sql: string, value, i) => sql.replace(`$${i + 1}`, `'${value}'`),
    write,
  );
  const prepare = protocol === "prepared";
  for (let i = 0; i < times; i++) {
    await one.begin(async (db) => {
      if (protocol === "simple") await db.unsafe(text).simple();
      else await db.unsafe(write, [...values], { prepare });
      await other.unsafe(others, [number++]);
      await other.unsafe(others, [number++]);
    });
  }
  await Promise.all([one.end(), other.end()]);
}
