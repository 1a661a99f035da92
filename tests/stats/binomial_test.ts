import assert from "node:assert/strict";
import {
  binomialTail,
  logBinomialMass,
  logBinomialTail,
} from "../../src/stats/binomial.ts";

/** Written by `binomial_table.py`. */
const TABLE: readonly [
  k: number,
  n: number,
  p: number,
  logTail: number,
  logMass: number,
][] = [
  [1, 1, 0.5, -0.69314718055994531, -0.69314718055994531],
  [5, 10, 0.5, -0.47313352225466321, -1.4020427180880298],
  [20, 30, 0.5, -3.0084412241778195, -3.5762081017971952],
  [60, 100, 0.5, -3.5598192034469067, -4.5241556388600274],
  [80, 1000, 0.05, -10.26341206323293, -11.148350905968031],
  [100, 1000, 0.05, -23.198984693880767, -23.823904870930004],
  [7, 7, 0.1, -16.118095650958319, -16.118095650958319],
  [30, 1000, 0.05, -0.00071945602664641972, -7.4913834553194792],
  [1000, 1000000, 0.001, -0.68475934666666613, -4.3723992559429218],
  [1200, 1000000, 0.001, -21.502049644022069, -23.269335544250739],
  [300000, 1000000, 0.3, -0.6923929768671505, -7.0463702515465391],
  [301000, 1000000, 0.3, -4.2261421945851485, -9.4267633380139126],
  [1000000, 1000000, 0.999, -1000.5003335835344, -1000.5003335835344],
  [2, 1000000, 1e-09, -14.509325376079401, -14.509658736525219],
  [1, 1000000000, 1e-09, -0.4586751450960935, -0.9999999995],
  [5, 1000000000, 1e-09, -5.6103339891795114, -5.7874917482820458],
  [20, 1000000000, 1e-09, -43.28693910019834, -43.335616631253485],
  [100050000, 1000000000, 0.1, -16.500831263679598, -23.963652604274227],
  [100100000, 1000000000, 0.1, -58.821556472431061, -65.616145829686255],
  [500000000, 1000000000, 0.5, -0.69312194955303595, -10.587424271367933],
  [500100000, 1000000000, 0.5, -22.786775621823525, -30.587424384701268],
  [
    999999997,
    1000000000,
    0.999999999,
    -0.019170745158153103,
    -2.7917595262919192,
  ],
];

function near(
  found: number,
  expected: number,
  what: string,
  relative = 1e-12,
): void {
  const tolerance = relative * Math.max(1, Math.abs(expected));
  assert.ok(
    Math.abs(found - expected) <= tolerance,
    `${what} is ${found}, expected ${expected}`,
  );
}

Deno.test("binomial: tail and mass of the table, to a billion tries and 1e-9", () => {
  for (const [k, n, p, logTail, logMass] of TABLE) {
    near(logBinomialMass(k, n, p), logMass, `mass of ${k} in ${n} of ${p}`);
    const tail = logBinomialTail(k, n, p);
    near(tail, logTail, `tail of ${k} in ${n} of ${p}`, 1e-10);
  }
});

Deno.test("binomial: tails and masses of few tries add up", () => {
  for (const n of [0, 1, 2, 9, 40]) {
    for (const p of [0, 1e-9, 0.1, 0.5, 0.97, 1]) {
      let sum = 0;
      for (let k = n; k >= 0; k--) {
        sum += Math.exp(logBinomialMass(k, n, p));
        near(binomialTail(k, n, p), sum, `tail of ${k} in ${n} of ${p}`);
      }
    }
  }
});

Deno.test("binomial: the ends", () => {
  assert.equal(binomialTail(0, 10, 0.3), 1);
  assert.equal(binomialTail(11, 10, 0.3), 0);
  assert.equal(binomialTail(1, 10, 0), 0);
  assert.equal(binomialTail(10, 10, 1), 1);
  assert.throws(() => binomialTail(1, 10, 1.1), RangeError);
  assert.throws(() => binomialTail(1, 10, NaN), RangeError);
});
