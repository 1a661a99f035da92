import assert from "node:assert/strict";
import { loadModule } from "libpg-query";
import { Catalog } from "../../src/catalog/mod.ts";
import { createIgnore } from "../../src/judge/ignore.ts";
import { Judge } from "../../src/judge/judge.ts";
import { DrawnColumns } from "../../src/judge/drawn_columns.ts";
import { KnownColumns } from "../../src/judge/known_columns.ts";
import type { StatementTable } from "../../src/judge/statement_table.ts";
import * as d from "../../src/record/mod.ts";
import { analyze } from "../../src/sql/analyze.ts";
import { OTHER_SHAPE } from "../../src/sql/shape.ts";
import { RESULTS } from "../../src/stats/mod.ts";
import { concat, int16, int32, message } from "../support/wire_client.ts";

await loadModule();
const encoder = new TextEncoder();

/** A row of one text, described. */
function reply(name: string, text: string) {
  const words = new Uint32Array(d.STATEMENT_WORDS);
  const column = concat([int32(0), int16(0), int32(25), int16(-1), int32(-1)]);
  const cell = concat([int32(text.length), encoder.encode(text)]);
  const row = message("D", int16(1), cell);
  words[d.STATEMENT_KIND] = d.KIND_COMPLETE | d.FLAG_ROWS;
  words[d.STATEMENT_ROWS] = words[d.STATEMENT_KEPT_ROWS] = 1;
  words[d.STATEMENT_ROW_BYTES] = row.length;
  const described = message(
    "T",
    int16(1),
    concat([encoder.encode(`${name}\0`), column, int16(0)]),
  );
  return { words, at: 0, answer: concat([described, row]) };
}

/** What a judge makes of a statement with one column, of 'a' on the primary. */
function judged(
  sql: string,
  name: string,
  mirror: string,
  catalog = new Catalog(),
) {
  const logged: string[] = [];
  const results: (string | undefined)[] = [];
  const judge = new Judge(
    {
      settings: { examples: "redacted" },
      catalog,
      ignored: createIgnore([]),
      // It keeps what it is told of.
      table: { add() {} } as unknown as StatementTable,
      columns: new KnownColumns(),
      drawn: new DrawnColumns(),
      probes: {
        statementCompared: (_, result) => results.push(RESULTS[result]),
      },
      log: (_, message) => logged.push(message),
    },
    0,
    0,
  );
  const transaction = {
    comparison: { mode: "rows" },
    startUs: 0,
    roundTripUs: 0,
  } as unknown as d.Transaction;
  judge.begin(transaction, () => false, 0);
  const pair = {
    shape: analyze(sql)?.shapes[0] ?? OTHER_SHAPE,
    rows: undefined,
    primary: reply(name, "a"),
    mirror: reply(name, mirror),
    primaryUs: 1,
    queuedUs: 0,
    mirrorQueuedUs: 0,
    mirrorUs: 1,
    cycleStartUs: 0,
    cycleEndUs: 0,
  };
  judge.pair(pair, 0);
  judge.pair(pair, 0);
  return { results, logged };
}

Deno.test("Judge: a fault of ours ends no session: the statement counts as unparsed, and that is said once", () => {
  class Broken extends Catalog {
    override oids(): readonly string[] {
      throw new TypeError("a fault");
    }
  }
  assert.deepEqual(judged("select a from t", "a", "b", new Broken()), {
    results: ["skipped_unparsed", "skipped_unparsed"],
    logged: ["A statement could not be judged"],
  });
  assert.deepEqual(judged("select a from t", "a", "b").results, [
    "mismatch_rows",
    "mismatch_rows",
  ]);
});

/** Names that every object has. */
const NAMES = ["constructor", "__proto__", "toString", "hasOwnProperty"];
for (const name of NAMES) {
  const statements = [
    `select "${name}" from t`,
    `select "${name}" from "${name}"`,
    `with "${name}" as (select a as "${name}" from t) select * from "${name}"`,
    `select "${name}".* from (select a as "${name}" from t) "${name}"`,
    `insert into t (a) values (1) returning "${name}"`,
    `insert into t ("${name}") values ('a') on conflict do nothing returning *`,
    `insert into t (a) values (1) on conflict (a) do update set "${name}" = excluded."${name}" returning *`,
    `update t set a = 1 returning "${name}"`,
    `merge into t using u on t.a = u.a when matched then update set "${name}" = u."${name}" returning t.*`,
    `select "${name}"(a) as "${name}" from t`,
    `select a::"${name}" as "${name}" from t order by "${name}"`,
  ];
  const rows = [
    ["relation", name, "1", ""],
    ["relation", "t", "2", ""],
    ["columns", "1", JSON.stringify([[1, name, 25, "", null]]), ""],
    [
      "columns",
      "2",
      JSON.stringify([[1, "a", 25, "", null], [2, name, 25, "", null]]),
      "",
    ],
    ["key", "1", name],
    ["function", name, "select 1", "3"],
  ];
  Deno.test(`Judge: ${name} is a name as any other`, () => {
    for (const sql of statements) {
      const { results, logged } = judged(sql, name, "b", new Catalog(rows));
      assert.deepEqual(results, ["mismatch_rows", "mismatch_rows"], sql);
      assert.deepEqual(logged, [], sql);
      assert.deepEqual(judged(sql, name, "a").results, ["match", "match"], sql);
    }
  });
}
