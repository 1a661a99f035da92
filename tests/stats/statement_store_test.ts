import assert from "node:assert/strict";
import { StatementStore, type StatementSummary } from "../../src/stats/mod.ts";
import { latencyOf } from "../support/sketches.ts";

const none = { counts: [], sum: 0, count: 0 };

function summary(pairs: number): StatementSummary {
  return {
    database: "shop",
    mirror: "next",
    fingerprint: "f",
    text: "select 1",
    outcomes: [],
    calls: pairs,
    results: [],
    rows: 0,
    primary: none,
    mirrorLatency: none,
    ...latencyOf([pairs, 1, 1]),
    firstSeen: 0,
    lastSeen: 0,
    masked: {},
    drifted: [],
    examples: [],
  };
}

Deno.test("StatementStore: what earlier processes knew is joined anew if either part changes, and only then", () => {
  const store = new StatementStore();
  const update = (pairs: number) =>
    store.update({
      database: "shop",
      mirror: "next",
      gone: [],
      summaries: [summary(pairs)],
    });
  const pairs = () => store.all().map(({ latency }) => latency.pairs);
  store.restore([summary(10), summary(5)]);
  update(1);
  assert.deepEqual(pairs(), [16]);
  assert.equal(store.all()[0], store.all()[0]);
  update(2);
  assert.deepEqual(pairs(), [17]);
  store.restore([summary(30)]);
  assert.deepEqual(pairs(), [32]);
});

Deno.test("StatementStore: differences of one kind behind which a column stands add up", () => {
  const store = new StatementStore();
  const drift = (column: string, result: string, count: number) => ({
    column,
    result,
    mirrorSqlstate: "00000",
    primarySqlstate: "00000",
    count,
  });
  store.restore([{
    ...summary(1),
    drifted: [
      drift("public.t.id", "mismatch_rows", 2),
      drift("public.t.id", "noise_limit", 3),
    ],
  }]);
  store.update({
    database: "shop",
    mirror: "next",
    gone: [],
    summaries: [{
      ...summary(1),
      drifted: [
        drift("public.t.id", "mismatch_rows", 5),
        drift("public.u.id", "mismatch_rows", 1),
      ],
    }],
  });
  assert.deepEqual(
    store.all()[0]?.drifted.map(({ column, result, count }) =>
      `${column} ${result} ${count}`
    ),
    [
      "public.t.id mismatch_rows 7",
      "public.t.id noise_limit 3",
      "public.u.id mismatch_rows 1",
    ],
  );
});
