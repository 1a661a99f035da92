import assert from "node:assert/strict";
import { quantile } from "../../src/stats/mod.ts";

function histogram(...counts: number[]) {
  return { counts, sum: 0, count: counts.reduce((sum, n) => sum + n, 0) };
}

Deno.test("quantile: interpolates within the bucket as histogram_quantile does", async (t) => {
  // Expected values: lower + (upper - lower) * (rank - below) / count, by hand.
  const bounds = [1, 2, 4];
  const cases: readonly [number[], number, number][] = [
    [[10, 0, 0, 0], 0.5, 0.5],
    [[10, 0, 0, 0], 1, 1],
    [[0, 10, 0, 0], 0.5, 1.5],
    [[5, 5, 0, 0], 0.5, 1],
    [[5, 5, 0, 0], 0.75, 1.5],
    [[5, 0, 5, 0], 0.5, 1],
    [[5, 0, 5, 0], 0.9, 3.6],
    [[1, 1, 1, 1], 0.75, 4],
    [[3, 1, 0, 0], 0.99, 1.96],
  ];
  for (const [counts, q, expected] of cases) {
    await t.step(`${counts} at ${q}`, () => {
      const value = quantile(histogram(...counts), bounds, q);
      assert.ok(Math.abs(value - expected) < 1e-9, `${value}`);
    });
  }
});

Deno.test("quantile: above the last bound nothing is known but that bound", () => {
  assert.equal(quantile(histogram(0, 0, 0, 3), [1, 2, 4], 0.5), 4);
  assert.equal(quantile(histogram(1, 0, 0, 99), [1, 2, 4], 0.99), 4);
});

Deno.test("quantile: the lowest quantile is where the first counted bucket begins", () => {
  assert.equal(quantile(histogram(0, 4, 0, 0), [1, 2, 4], 0), 1);
  assert.equal(quantile(histogram(4, 0, 0, 0), [1, 2, 4], 0), 0);
});

Deno.test("quantile: a lowest bound that is not above 0 is the answer itself", () => {
  assert.equal(quantile(histogram(4, 0), [-1], 0.5), -1);
  assert.equal(quantile(histogram(4, 0), [0], 0.5), 0);
});

Deno.test("quantile: without observations there is none", () => {
  assert.equal(quantile(histogram(0, 0), [1], 0.5), NaN);
});

Deno.test("quantile: only 0 to 1", () => {
  for (const q of [-0.1, 1.1, NaN, 99]) {
    assert.throws(() => quantile(histogram(1, 0), [1], q), RangeError);
  }
});
