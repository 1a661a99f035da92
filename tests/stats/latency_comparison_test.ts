import assert from "node:assert/strict";
import {
  latencyComparison,
  medianRank,
} from "../../src/stats/latency_comparison.ts";
import { latencyOf, NO_LATENCY } from "../support/sketches.ts";

Deno.test("medianRank: ranks of the tables for 95 %", () => {
  // Conover, Practical Nonparametric Statistics, and the binomial table: of 10
  // values the 2nd and the 9th, of 20 the 6th and the 15th, of 30 the 10th and
  // the 21st, of 100 the 40th and the 61st.
  for (
    const [n, rank] of [
      [0, 0],
      [5, 0],
      [6, 1],
      [10, 2],
      [20, 6],
      [30, 10],
      [50, 18],
      [100, 40],
      // scipy 1.17.1: binom.ppf(0.025, n, 0.5)
      [101, 41],
      [1_000, 469],
      [1_000_000, 499_020],
    ] as const
  ) assert.equal(medianRank(n), rank, `n = ${n}`);
});

Deno.test("latencyComparison: medians, their interval, and the sums", () => {
  const near = (found: number | null, expected: number) =>
    assert.ok(
      Math.abs((found ?? NaN) / expected - 1) < 0.029,
      `${found} is not about ${expected}`,
    );
  const { latency } = latencyOf([10, 4, 4], [60, 4, 8], [30, 4, 40]);
  assert.equal(latency.pairs, 100);
  near(latency.ratio, 2);
  near(latency.ratioLow, 2);
  near(latency.ratioHigh, 2);
  assert.ok(Math.abs((latency.difference ?? NaN) - 0.004) < 0.0004);
  near(latency.totalRatio, (40 + 480 + 1_200) / 400);
  const few = latencyOf([1, 4, 4], [1, 4, 8]).latency;
  assert.deepEqual([few.ratioLow, few.ratioHigh], [null, null]);
  assert.ok(few.ratio !== null);
  assert.equal(latencyOf([1, 4, 4]).latency.ratio, null);
  assert.deepEqual(latencyComparison(NO_LATENCY.sketch), {
    pairs: 0,
    ratio: null,
    ratioLow: null,
    ratioHigh: null,
    difference: null,
    totalRatio: null,
  });
});
