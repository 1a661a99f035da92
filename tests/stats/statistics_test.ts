import assert from "node:assert/strict";
import { discoveries, medianInterval, signTest } from "../../src/stats/mod.ts";

const upTo = (n: number) => Array.from({ length: n }, (_, i) => i + 1);

Deno.test("medianInterval: ranks of the tables for 95 %", () => {
  // Ranks of the interval for the median: Conover, Practical Nonparametric
  // Statistics, and the binomial table: n = 10 gives the 2nd and the 9th value,
  // 20 the 6th and the 15th, 30 the 10th and the 21st, 100 the 40th and the 61st.
  const ranks: readonly [n: number, low: number, high: number][] = [
    [6, 1, 6],
    [10, 2, 9],
    [20, 6, 15],
    [30, 10, 21],
    [50, 18, 33],
    [100, 40, 61],
  ];
  for (const [n, low, high] of ranks) {
    const interval = medianInterval(upTo(n));
    assert.deepEqual([interval.low, interval.high], [low, high], `n = ${n}`);
    assert.equal(interval.median, (n + 1) / 2);
  }
});

Deno.test("medianInterval: too few values give no bounds", () => {
  assert.deepEqual(medianInterval([1, 2, 3]), {
    median: 2,
    low: -Infinity,
    high: Infinity,
  });
});

Deno.test("signTest: the binomial table", () => {
  // P(X >= k) for n tries of 1/2.
  const close = (value: number, expected: number) =>
    assert.ok(Math.abs(value - expected) < 1e-9, `${value} is not ${expected}`);
  close(signTest(5, 5), 1 / 32);
  close(signTest(9, 10), 11 / 1024);
  close(signTest(8, 10), 56 / 1024);
  close(signTest(0, 10), 1);
  assert.equal(signTest(0, 0), 1);
});

Deno.test("discoveries: the example of Benjamini and Hochberg (1995)", () => {
  // Their section 4.1: of 15 p-values, the first four are discoveries at 0.05.
  const pValues = [
    0.0001,
    0.0004,
    0.0019,
    0.0095,
    0.0201,
    0.0278,
    0.0298,
    0.0344,
    0.0459,
    0.3240,
    0.4262,
    0.5719,
    0.6528,
    0.7590,
    1.0,
  ];
  const shuffled = pValues.toReversed();
  assert.deepEqual(
    discoveries(shuffled).toReversed(),
    pValues.map((_, i) => i < 4),
  );
  assert.deepEqual(discoveries([]), []);
});
