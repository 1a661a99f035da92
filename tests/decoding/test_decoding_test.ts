import assert from "node:assert/strict";
import {
  type DecodedChange,
  decodedLine,
  decodedRow,
} from "../../src/decoding/test_decoding.ts";
import { startCluster } from "../support/cluster.ts";
import { onServer } from "../support/on_server.ts";

function changesOf(line: string): readonly DecodedChange[] {
  const found = decodedLine(line);
  return found?.type === "changes" ? found.changes : [];
}

/** The only row of a line. */
function rowOf(line: string): Record<string, string | null> | undefined {
  const [change] = changesOf(line);
  const row = change && decodedRow(change);
  return row && Object.fromEntries(row);
}

Deno.test("decodedLine: transactions, with the moment of the commit", () => {
  assert.deepEqual(decodedLine("BEGIN 728"), { type: "begin" });
  assert.deepEqual(
    decodedLine("COMMIT 728 (at 2026-11-28 06:00:00.12345+00)"),
    {
      type: "commit",
      committedUs: Date.UTC(2026, 10, 28, 6) * 1e3 + 123_450,
    },
  );
  assert.deepEqual(
    decodedLine("message: transactional: 1 prefix: a, sz: 5 content:BEGIN"),
    { type: "message" },
  );
});

Deno.test("decodedLine: what is not understood is refused", () => {
  const lines = [
    "",
    "BEGIN x",
    "COMMIT 1",
    // In another time zone.
    "COMMIT 728 (at 2026-11-28 06:00:00.12345+01)",
    "table t: INSERT: id[integer]:1",
    "table public.t, public.u: INSERT: id[integer]:1",
    "table public.t: MERGE: id[integer]:1",
    "table public.t",
    'table public."t: INSERT: id[integer]:1',
  ];
  for (const line of lines) assert.equal(decodedLine(line), undefined, line);
});

Deno.test("decodedRow: what is not understood to its end is refused", () => {
  const rows = [
    "id[integer]",
    "id[integer]:",
    "id[integer]:'1",
    "id[integer]:'1'x",
    "id integer:1",
    "id[integer]:1 ",
    "id[integer:1",
    "(no-tuple-data)",
    "old-key: id[integer]:1",
  ];
  for (const row of rows) {
    const [change] = changesOf(`table public.t: INSERT: ${row}`);
    assert.ok(change, row);
    assert.equal(decodedRow(change), undefined, row);
  }
});

Deno.test("decodedRow: a value that looks like the next column", () => {
  assert.deepEqual(
    rowOf(
      "table public.t: UPDATE: a[text]:' b[integer]:1 new-tuple: ''x''\n' c[text]:null",
    ),
    { a: " b[integer]:1 new-tuple: 'x'\n", c: null },
  );
});

/** Tables and statements whose names, types and values are odd; each is read back as JSON. */
const ODD = `
create schema "S "". chema";
create type "S "". chema"."My]Type" as enum ('it''s', 'x]:1');
create domain "d[]" as int;
create table "S "". chema"."T: INSERT: x" (
  id int primary key, "select" text, "a[text]:'" text, "é b" "S "". chema"."My]Type",
  "$1" "S "". chema"."My]Type"[], d "d[]", l text[], b bit varying, b3 bit(3), t boolean,
  f float8, n numeric, j jsonb, x bytea, at timestamptz, i interval, c "char", z text
);
alter table "S "". chema"."T: INSERT: x" replica identity full;
`;
const TABLE = '"S "". chema"."T: INSERT: x"';
const WRITES = [
  `insert into ${TABLE} values (1, 'a''b', E'\\\\ \\n\\t', 'it''s', array['x]:1', 'it''s']::"S "". chema"."My]Type"[], 3, '{NULL,"a b","\\"q''"}', b'0101', b'101', true, 'NaN', 1.50, '{"a": "it''s"}', '\\x00ff', '2026-11-28 06:00:00.5+01', '1 mon -2 days 03:00', 'x', repeat('big ', 5000))`,
  `insert into ${TABLE} (id, t, f, b, z) values (2, false, '-Infinity', b'', 'null')`,
  `update ${TABLE} set "select" = 'unchanged-toast-datum' where id = 1`,
  `update ${TABLE} set id = 3, z = null where id = 2`,
];

for (const version of ["15", "18"] as const) {
  Deno.test({
    name: `decodedRow: odd names, types and values of PostgreSQL ${version}`,
    sanitizeOps: false,
    sanitizeResources: false,
    async fn() {
      await using cluster = await startCluster({
        version,
        initSql: ODD,
        settings: { wal_level: "logical" },
      });
      await onServer(cluster, async (sql) => {
        await sql.unsafe("set timezone = 'UTC'; set intervalstyle = iso_8601");
        await sql`select pg_create_logical_replication_slot('s', 'test_decoding', true)`;
        for (const write of WRITES) {
          await sql.unsafe(write);
          const id = /id = 3|values \((\d)|id = 1/.exec(write);
          const [row] = await sql.unsafe(
            `select ${
              COLUMNS.map((name) => `"${name.replaceAll('"', '""')}"::text`)
                .join(", ")
            } from ${TABLE} where id = ${id?.[1] ?? id?.[0].slice(-1)}`,
          ).values();
          const expected = Object.fromEntries(
            COLUMNS.map((name, i) => [name, row?.[i] ?? null]),
          );
          const lines = await sql<{ data: string }[]>`
            select data from pg_logical_slot_get_changes('s', null, null, 'include-timestamp', 'on')`;
          const [begin, change, commit, ...more] = lines.map(({ data }) =>
            data
          );
          assert.deepEqual(more, []);
          assert.equal(decodedLine(begin ?? "")?.type, "begin");
          assert.equal(decodedLine(commit ?? "")?.type, "commit");
          const [{ relation } = { relation: "" }] = changesOf(change ?? "");
          assert.equal(relation, 'S ". chema\0T: INSERT: x');
          // A large value that was not changed is not told, of whatever kind it is.
          const { z: _, ...found } = rowOf(change ?? "") ?? {};
          const { z: __, ...rest } = expected;
          assert.deepEqual(found, rest, `${change}`);
        }
        await sql.unsafe(
          `delete from ${TABLE} where id = 3; truncate ${TABLE}`,
        );
        const lines = await sql<{ data: string }[]>`
          select data from pg_logical_slot_get_changes('s', null, null)`;
        const kinds = lines.flatMap(({ data }) =>
          changesOf(data).map(({ kind }) => kind)
        );
        assert.deepEqual(kinds, ["delete", "truncate"]);
      });
    },
  });
}

const COLUMNS = [
  "id",
  "select",
  "a[text]:'",
  "é b",
  "$1",
  "d",
  "l",
  "b",
  "b3",
  "t",
  "f",
  "n",
  "j",
  "x",
  "at",
  "i",
  "c",
  "z",
];
