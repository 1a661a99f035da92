import { NO_LATENCY } from "../../support/sketches.ts";
import assert from "node:assert/strict";
import { TopStatements } from "../../../plugins/prometheus/top_statements.ts";
import {
  DURATION_BUCKETS,
  EVICTED,
  Result,
  RESULTS,
  type StatementSummary,
} from "../../../src/plugin/api.ts";

function summary(
  fingerprint: string,
  calls: number,
  mismatches = 0,
  mirror = "shop_18",
): StatementSummary {
  const results = new Array<number>(RESULTS.length).fill(0);
  results[Result.match] = calls - mismatches;
  results[Result.mismatchRows] = mismatches;
  const counts = new Array<number>(DURATION_BUCKETS.length + 1).fill(0);
  counts[3] = calls;
  const times = { counts, sum: calls * 0.002, count: calls };
  return {
    database: "shop",
    mirror,
    fingerprint,
    text: `select /* ${fingerprint} */ secret`,
    calls,
    results,
    outcomes: [],
    rows: 0,
    primary: times,
    mirrorLatency: times,
    ...NO_LATENCY,
    firstSeen: 0,
    lastSeen: 0,
    masked: {},
    drifted: [],
    examples: [],
  };
}

/** Calls by fingerprint, of one mirror. */
function calls(top: TopStatements, mirror = "shop_18") {
  const family = top.families("").find(({ name }) =>
    name === "mirror_top_statement_calls_total"
  );
  return Object.fromEntries(
    (family?.series ?? []).filter(({ labels }) => labels.mirror === mirror)
      .map(({ labels, value }) => [labels.fingerprint, value]),
  );
}

Deno.test("TopStatements: mismatches first, then calls, the rest as other", () => {
  const top = new TopStatements(2);
  top.update([summary("a", 10), summary("b", 30), summary("c", 2, 1)]);
  assert.deepEqual(calls(top), { other: 10, c: 2, b: 30 });
});

Deno.test("TopStatements: each mirror has its own, and its own other", () => {
  const top = new TopStatements(1);
  top.update([
    summary("a", 10),
    summary("b", 5),
    summary("b", 7, 0, "shop_19"),
  ]);
  assert.deepEqual(calls(top), { other: 5, a: 10 });
  assert.deepEqual(calls(top, "shop_19"), { other: 0, b: 7 });
});

Deno.test("TopStatements: no counter falls when statements take turns", () => {
  const top = new TopStatements(1);
  top.update([summary("a", 10), summary("b", 5)]);
  assert.deepEqual(calls(top), { other: 5, a: 10 });
  top.update([summary("a", 12), summary("b", 50)]);
  assert.deepEqual(calls(top), { other: 5 + 2, b: 50 }, "a left with two more");
  top.update([summary("a", 12), summary("b", 51)]);
  assert.deepEqual(calls(top), { other: 7, b: 51 });
  top.update([summary("a", 100), summary("b", 52)]);
  assert.deepEqual(calls(top), { other: 7 + 1, a: 100 });
});

Deno.test("TopStatements: no counter falls when another window begins", () => {
  const top = new TopStatements(1);
  top.update([summary("a", 10), summary("b", 5)]);
  top.begin();
  top.update([]);
  assert.deepEqual(calls(top), { other: 5, a: 10 });
  top.update([summary("a", 2), summary("b", 1)]);
  assert.deepEqual(calls(top), { other: 5 + 1, a: 10 + 2 });
  top.begin();
  top.update([summary("a", 1)]);
  assert.deepEqual(calls(top), { other: 6, a: 13 });
});

Deno.test("TopStatements: a challenger must be clearly better", () => {
  const top = new TopStatements(1);
  top.update([summary("a", 100), summary("b", 99)]);
  top.update([summary("a", 100), summary("b", 105)]);
  assert.ok("a" in calls(top));
  top.update([summary("a", 100), summary("b", 111)]);
  assert.ok("b" in calls(top));
});

Deno.test("TopStatements: what does not parse is in other, however often it comes", () => {
  const top = new TopStatements(2);
  top.update([summary("other", 1_000, 1_000), summary("a", 1)]);
  assert.deepEqual(calls(top), { other: 1_000, a: 1 });
});

Deno.test("TopStatements: results and times of both sides; never the text", () => {
  const top = new TopStatements(1);
  top.update([summary("a", 10, 4), summary("b", 3)]);
  const families = top.families("x_");
  const series = (name: string, labels: Record<string, string>) =>
    families.find((family) => family.name === name)?.series.find((one) =>
      Object.entries(labels).every(([key, value]) => one.labels[key] === value)
    );
  const results = "x_mirror_top_statement_results_total";
  const of = (fingerprint: string, result: string) =>
    series(results, { fingerprint, result })?.value;
  assert.equal(of("a", "mismatch_rows"), 4);
  assert.equal(of("a", "match"), 6);
  assert.equal(of("other", "match"), 3);
  for (const target of ["primary", "mirror"]) {
    const { histogram } = series("x_mirror_top_statement_duration_seconds", {
      fingerprint: "a",
      target,
    }) ?? {};
    assert.equal(histogram?.count, 10);
    assert.equal(histogram?.counts[3], 10);
  }
  assert.doesNotMatch(JSON.stringify(families), /secret/);
});

Deno.test("TopStatements: none unless asked for", () => {
  const top = new TopStatements(0);
  top.update([summary("a", 10, 4)]);
  assert.deepEqual(top.families(""), []);
});

Deno.test("TopStatements: what is given up is counted once, whether it was among the top or not", () => {
  const top = new TopStatements(1);
  top.update([summary("a", 10), summary("b", 5)]);
  assert.deepEqual(calls(top), { other: 5, a: 10 });
  // "b" was called twice more before it was given up.
  top.update([summary("a", 10), summary(EVICTED, 7)]);
  assert.deepEqual(calls(top), { other: 7, a: 10 });
  // "a", too: what its own series had is not counted again.
  top.update([summary("c", 1), summary(EVICTED, 7 + 11)]);
  assert.deepEqual(calls(top), { other: 8, c: 1 });
});
