import assert from "node:assert/strict";
import {
  addSketches,
  LatencySketcher,
  NO_SKETCH,
  pairsOf,
  sumsOf,
} from "../../src/stats/latency_sketch.ts";
import {
  addCounts,
  bucketAbove,
  countsFrom,
  edge,
  LogCounter,
  quantileOf,
} from "../../src/stats/log_counts.ts";
import { seeded } from "./chance.ts";

function counted(values: readonly number[]) {
  const counter = new LogCounter();
  for (const value of values) counter.add(value);
  return counter.snapshot();
}

Deno.test("LogCounter: a quantile is within 2.9 % of the value", () => {
  const random = seeded(1);
  const values = Array.from({ length: 2_001 }, () => 10 ** (8 * random() - 2));
  const counts = counted(values);
  const sorted = values.toSorted((a, b) => a - b);
  for (const q of [0, 0.05, 0.5, 0.95, 0.999, 1]) {
    const exact = sorted[Math.max(1, Math.ceil(q * 2_001)) - 1] as number;
    const found = quantileOf(counts, q);
    assert.ok(Math.abs(found / exact - 1) < 0.029, `${q}: ${found}, ${exact}`);
  }
  assert.ok(Number.isNaN(quantileOf(counted([]), 0.5)));
});

Deno.test("LogCounter: an edge belongs to the bucket below it", () => {
  assert.equal(bucketAbove(1), 0);
  assert.equal(bucketAbove(1.25), 4);
  for (const i of [-40, -4, 0, 1, 4, 7, 100]) {
    assert.equal(bucketAbove(edge(i)), i);
    const above = countsFrom(counted([edge(i), edge(i) * 1.001]));
    assert.deepEqual([above(i - 1), above(i), above(i + 1)], [2, 1, 0]);
  }
});

Deno.test("addCounts: of parts as of the whole, in any order", () => {
  const random = seeded(2);
  const values = Array.from({ length: 300 }, () => 10 ** (6 * random()));
  const parts = [
    values.slice(0, 10),
    [],
    values.slice(10, 11),
    values.slice(11),
  ]
    .map(counted);
  const whole = counted(values);
  assert.deepEqual(parts.reduce(addCounts), whole);
  assert.deepEqual(parts.toReversed().reduce(addCounts), whole);
});

const HOUR = 3_600_000;

Deno.test("LatencySketcher: parts of a story join without loss", () => {
  const random = seeded(3);
  const [whole, early, late] = [0, 1, 2].map(() => new LatencySketcher());
  assert.ok(whole && early && late);
  for (let i = 0; i < 500; i++) {
    const [p, m] = [1_000 * random(), 1_000 * random()];
    whole.add(p, m, i * HOUR / 10);
    (i < 200 ? early : late).add(p, m, i * HOUR / 10);
  }
  const joined = addSketches(early.snapshot(), late.snapshot());
  const expected = whole.snapshot();
  assert.deepEqual(joined.ratios, expected.ratios);
  assert.deepEqual(joined.primary, expected.primary);
  assert.deepEqual(joined.mirror, expected.mirror);
  assert.equal(pairsOf(joined), 500);
  assert.equal(
    Object.keys(joined.hours).length,
    24,
    "days lie upon each other",
  );
  const [a, b] = [sumsOf(joined), sumsOf(expected)];
  assert.equal(a.pairs, 500);
  assert.ok(Math.abs(a.products / b.products - 1) < 1e-12);
  assert.deepEqual(addSketches(NO_SKETCH, expected), expected);
  assert.deepEqual(JSON.parse(JSON.stringify(expected)), expected);
});

Deno.test("LatencySketcher: times are from 50 µs to an hour, and what it holds is bounded", () => {
  const sketcher = new LatencySketcher();
  for (let hour = 0; hour < 24; hour++) {
    sketcher.add(0, 1e13, hour * HOUR);
    sketcher.add(1e13, 0, hour * HOUR);
  }
  const { mirror, ratios } = sketcher.snapshot();
  assert.ok(Math.abs(quantileOf(mirror, 0.1) / 50 - 1) < 0.029);
  assert.ok(Math.abs(quantileOf(mirror, 0.9) / 3.6e9 - 1) < 0.029);
  assert.ok(Math.abs(quantileOf(ratios, 0.9) / 7.2e7 - 1) < 0.029);
  assert.ok(sketcher.bytes < 14_000, `${sketcher.bytes}`);
});
