import assert from "node:assert/strict";
import { loadModule } from "libpg-query";
import { Catalog } from "../../src/catalog/mod.ts";
import { createIgnore } from "../../src/judge/ignore.ts";
import {
  DrawnColumns,
  Judge,
  KnownColumns,
  Writes,
} from "../../src/judge/mod.ts";
import type { StatementTable } from "../../src/judge/statement_table.ts";
import * as d from "../../src/record/mod.ts";
import { analyze } from "../../src/sql/analyze.ts";
import type { TouchedRows } from "../../src/sql/pinned_values.ts";
import { OTHER_SHAPE } from "../../src/sql/shape.ts";
import { RESULTS } from "../../src/stats/mod.ts";
import { sqlstate } from "../../src/wire/mod.ts";

await loadModule();

const SCHEMA = [
  ["relation", "lock", "1"],
  [
    "columns",
    "1",
    JSON.stringify([
      [1, "name", 25, "", null],
      [2, "client", 23, "", null],
    ]),
  ],
];
const UNIQUE = ["unique", "1", "name"];

function rows(values: Record<string, string>): TouchedRows {
  return {
    relation: "lock",
    values: Object.entries(values).map(([column, text]) => ({
      column,
      isBinary: false,
      text,
    })),
  };
}

function reply(code: string, inserted: number) {
  const words = new Uint32Array(d.STATEMENT_WORDS);
  words[d.STATEMENT_KIND] = code === "" ? d.KIND_COMPLETE : d.KIND_ERROR;
  words[d.STATEMENT_SQLSTATE] = code === "" ? 0 : sqlstate(code);
  words[d.STATEMENT_TAG] = d.tagHash("INSERT");
  words[d.STATEMENT_ROWS] = inserted;
  return { words, at: 0, answer: new Uint8Array(0) };
}

/** What a judge makes of an INSERT of ('report', 7) beside another statement. */
function judged(
  {
    primary = "23505",
    mirror = "",
    given = true,
    beside = {},
    schema,
    sql = "insert into lock (name, client) values ('report', 7)",
    inserted = [0, 0],
  }: {
    sql?: string;
    /** Rows that primary and mirror have inserted. */
    inserted?: readonly [number, number];
    primary?: string;
    mirror?: string;
    given?: boolean;
    /** Of the row that was written beside it. */
    beside?: Record<string, string> | "nothing";
    schema: string[][];
  },
): string {
  const judge = new Judge(
    {
      settings: { examples: "redacted" },
      catalog: new Catalog(schema),
      ignored: createIgnore([]),
      table: { add() {} } as unknown as StatementTable,
      columns: new KnownColumns(),
      drawn: new DrawnColumns(),
      probes: { statementCompared() {} },
    },
    0,
    0,
  );
  const transaction = {
    comparison: { mode: "rows" },
    startUs: 0,
    roundTripUs: 0,
  } as unknown as d.Transaction;
  const writes = new Writes();
  if (beside !== "nothing") writes.add({ writes: ["lock"] }, rows(beside));
  judge.begin(transaction, (isRead) => isRead(writes), 0);
  const result = judge.pair({
    shape: analyze(sql)?.shapes[0] ?? OTHER_SHAPE,
    rows: given ? rows({ name: "report", client: "7" }) : undefined,
    primary: reply(primary, inserted[0]),
    mirror: reply(mirror, inserted[1]),
    primaryUs: 1,
    queuedUs: 0,
    mirrorQueuedUs: 0,
    mirrorUs: 1,
    cycleStartUs: 0,
    cycleEndUs: 0,
  }, 0);
  return RESULTS[result] as string;
}

Deno.test("Judge: a key that is taken on one side only is chance beside a writer of that key", () => {
  const schema = [...SCHEMA, UNIQUE];
  const same = { name: "report" };
  const noise = "noise_concurrent_write";
  assert.equal(judged({ schema, beside: same }), noise);
  const other = { name: "report", client: "8" };
  assert.equal(judged({ schema, beside: other }), noise);
  const refused = { primary: "", mirror: "23505" };
  assert.equal(judged({ schema, beside: same, ...refused }), noise);
});

Deno.test("Judge: a key that is taken on one side only is a mismatch beside others, or without the key", () => {
  const schema = [...SCHEMA, UNIQUE];
  const found = "mismatch_error_on_primary";
  const same = { name: "report" };
  assert.equal(judged({ schema, beside: { name: "other" } }), found);
  assert.equal(judged({ schema, beside: "nothing" }), found);
  assert.equal(judged({ schema: SCHEMA, beside: same }), found);
  const drawn = [...SCHEMA, ["unique", "1", "id"]];
  assert.equal(judged({ schema: drawn, beside: same }), found);
  assert.equal(judged({ schema, beside: same, given: false }), found);
  assert.equal(judged({ schema, beside: same, primary: "23503" }), found);
});

Deno.test("Judge: of several rows, and by an expression, any row beside may have the key", () => {
  const noise = "noise_concurrent_write";
  const found = "mismatch_error_on_primary";
  const several = {
    sql: "insert into lock (name, client) values ('a', 7), ('b', 8)",
    given: false,
  };
  const schema = [...SCHEMA, UNIQUE];
  const beside = { name: "other" };
  assert.equal(judged({ ...several, schema, beside }), noise);
  assert.equal(judged({ ...several, schema, beside: "nothing" }), found);
  assert.equal(judged({ ...several, schema: SCHEMA, beside }), found);
  const expression = [...SCHEMA, ["unique", "1", ""]];
  assert.equal(judged({ schema: expression, beside }), noise);
  assert.equal(judged({ schema: expression, beside: "nothing" }), found);
});

Deno.test("Judge: what ON CONFLICT DO NOTHING inserts is chance beside a writer of its key, where the mirror has one", () => {
  const nothing = {
    sql:
      "insert into lock (name, client) values ('report', 7) on conflict do nothing",
    primary: "",
    inserted: [0, 1] as const,
  };
  const schema = [...SCHEMA, UNIQUE];
  const same = { name: "report", client: "8" };
  const found = "mismatch_command_tag";
  assert.equal(
    judged({ ...nothing, schema, beside: same }),
    "noise_concurrent_write",
  );
  assert.equal(judged({ ...nothing, schema, beside: { name: "x" } }), found);
  assert.equal(judged({ ...nothing, schema, beside: "nothing" }), found);
  assert.equal(judged({ ...nothing, schema: SCHEMA, beside: same }), found);
});
