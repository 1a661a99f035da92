import assert from "node:assert/strict";
import { NO_DIFFERENCE } from "../../src/judge/difference.ts";
import { mayBeDrift } from "../../src/judge/drift.ts";
import { StatementTable } from "../../src/judge/statement_table.ts";
import { OTHER_SHAPE } from "../../src/sql/shape.ts";
import {
  EVICTED,
  Result,
  StatementStore,
  type StatementSummary,
} from "../../src/stats/mod.ts";

const MAX = 10;

function filled() {
  const store = new StatementStore();
  let full = 0;
  const table = new StatementTable({
    database: "shop",
    mirror: "shop_18",
    maxEntries: MAX,
    onFull: () => full++,
  });
  const add = (fingerprint: string, result: number = Result.match) =>
    table.add({
      shape: { ...OTHER_SHAPE, fingerprint },
      result,
      primary: undefined,
      mirror: undefined,
      causes: () => ({ primary: 0, mirror: 0 }),
      primaryUs: 10,
      mirrorUs: 10,
      session: 1,
      masked: [],
      drifted: () => [],
      difference: () => NO_DIFFERENCE,
      values: () => null,
    });
  const known = () => {
    store.update(table.takeChanged(Infinity));
    return new Map(store.all().map((row) => [row.fingerprint, row]));
  };
  return { add, known, table, store, full: () => full };
}

const total = (rows: Iterable<StatementSummary>) =>
  [...rows].reduce((sum, { calls }) => sum + calls, 0);

Deno.test("StatementTable: beyond the bound the least used are given up, and sums stay exact", () => {
  const { add, known, full } = filled();
  for (let i = 0; i < MAX; i++) add(`s${i}`);
  assert.equal(full(), 0);
  assert.equal(known().size, MAX);
  add("s0");
  for (let i = MAX; i < 25; i++) add(`s${i}`);
  assert.equal(full(), 1, "said once");
  const rows = known();
  assert.equal(rows.size, MAX + 1);
  assert.ok(!rows.has("s1") && !rows.has("s0"));
  assert.equal(rows.get(EVICTED)?.calls, 16);
  assert.equal(total(rows.values()), 26);
  // One that comes back begins anew.
  add("s1");
  assert.equal(known().get("s1")?.calls, 1);
  assert.equal(total(known().values()), 27);
});

Deno.test("StatementTable: a mismatch is kept longest, and never lost", () => {
  const { add, known } = filled();
  add("bad", Result.mismatchRows);
  for (let i = 0; i < 1_000; i++) add(`s${i}`);
  const bad = known().get("bad");
  assert.equal(bad?.results[Result.mismatchRows], 1);
  assert.equal(bad?.examples.length, 1);
  // More of them than there is room for.
  for (let i = 0; i < 30; i++) add(`bad${i}`, Result.mismatchRows);
  const rows = known();
  assert.ok(!rows.has("bad"));
  const evicted = rows.get(EVICTED);
  assert.equal(evicted?.examples.length, 3);
  const mismatches = [...rows.values()].reduce(
    (sum, { results }) => sum + (results[Result.mismatchRows] ?? 0),
    0,
  );
  assert.equal(mismatches, 31);
  assert.equal(total(rows.values()), 1_031);
});

Deno.test("StatementTable: what is told in portions adds up in the end", () => {
  const { add, table, store } = filled();
  for (let i = 0; i < 300; i++) {
    add(`s${i % 23}`);
    if (i % 7 === 0) store.update(table.takeChanged(2));
  }
  for (let i = 0; i < MAX; i++) store.update(table.takeChanged(2));
  assert.equal(total(store.all()), 300);
});

Deno.test("StatementTable: a mismatch has its kind, its request, and keeps both when it is given up", () => {
  const { add, known, table } = filled();
  const kind = {
    result: "mismatch_rows",
    mirrorSqlstate: "00000",
    primarySqlstate: "00000",
    mayBeDrift: false,
  };
  add("bad", Result.mismatchRows);
  assert.deepEqual(known().get("bad")?.outcomes, [{
    ...kind,
    count: 1,
    requests: 0,
  }]);
  // The request ends later: what is known of it is told again.
  table.countRequest({ ...OTHER_SHAPE, fingerprint: "bad" }, kind);
  assert.equal(known().get("bad")?.outcomes[0]?.requests, 1);
  for (let i = 0; i < 20; i++) add(`bad${i}`, Result.mismatchRows);
  assert.ok(!known().has("bad"));
  table.countRequest({ ...OTHER_SHAPE, fingerprint: "bad" }, kind);
  assert.deepEqual(known().get(EVICTED)?.outcomes, [{
    ...kind,
    count: 11,
    requests: 2,
  }]);
});

Deno.test("mayBeDrift: a number that is there already is none, whatever chance gave", () => {
  assert.ok(mayBeDrift(["public.t.id"], "00000"));
  assert.ok(mayBeDrift(["public.t.id"], "23503"));
  assert.ok(!mayBeDrift(["public.t.id"], "23505"));
  assert.ok(!mayBeDrift([], "00000"));
});

Deno.test("StatementTable: of many changes those that differ are told first", () => {
  const { add, table } = filled();
  for (let i = 0; i < 5; i++) add(`s${i}`);
  add("bad", Result.mismatchRows);
  const told = table.takeChanged(1).summaries;
  assert.deepEqual(told.map(({ fingerprint }) => fingerprint), ["bad"]);
});
