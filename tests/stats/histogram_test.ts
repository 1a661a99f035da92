import assert from "node:assert/strict";
import type { MetricSpec } from "../../src/stats/mod.ts";
import { frozen } from "./fixture.ts";

const TOOK: MetricSpec = {
  name: "took_seconds",
  help: "Took",
  type: "histogram",
  scope: "mirror",
  buckets: [0.5, 1, 2],
};

Deno.test("HistogramHandle.observe: a bound belongs to its bucket, what is above all to the overflow", () => {
  const { registry, stripe } = frozen([TOOK]);
  const base = stripe.series(["shop", "new", "ann"]);
  const took = stripe.histogram("took_seconds");
  for (const value of [0, 0.5, 0.51, 1, 2, 2.01, 1000]) {
    took.observe(base, value);
  }
  const [series] = registry.snapshot().get("took_seconds")?.series ?? [];
  assert.deepEqual(series?.histogram, {
    counts: [2, 2, 1, 2],
    sum: 0 + 0.5 + 0.51 + 1 + 2 + 2.01 + 1000,
    count: 7,
  });
  assert.equal(series?.value, 7);
});

Deno.test("HistogramHandle.observe: every bucket of a long list is found", () => {
  const buckets = Array.from({ length: 17 }, (_, i) => 2 ** i);
  const { registry, stripe } = frozen([{ ...TOOK, buckets }]);
  const base = stripe.series(["shop", "new", "ann"]);
  const took = stripe.histogram("took_seconds");
  for (const bound of [...buckets, Infinity]) took.observe(base, bound);
  const [series] = registry.snapshot().get("took_seconds")?.series ?? [];
  assert.deepEqual(series?.histogram?.counts, new Array(18).fill(1));
});

Deno.test("HistogramHandle: a label has a histogram for each value, and stripes add up", () => {
  const { registry, stripes } = frozen([{
    ...TOOK,
    label: { name: "target", values: ["primary", "mirror"] },
  }], { stripes: 2 });
  for (const stripe of stripes) {
    const base = stripe.series(["shop", "new", "ann"]);
    stripe.histogram("took_seconds", 0).observe(base, 0.25);
    stripe.histogram("took_seconds", 1).observe(base, 3);
  }
  const shown = registry.snapshot().get("took_seconds")?.series
    .map(({ labels, histogram }) => [labels.target, histogram]);
  assert.deepEqual(shown, [
    ["primary", { counts: [2, 0, 0, 0], sum: 0.5, count: 2 }],
    ["mirror", { counts: [0, 0, 0, 2], sum: 6, count: 2 }],
  ]);
});
