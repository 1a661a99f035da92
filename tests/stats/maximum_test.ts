import assert from "node:assert/strict";
import type { MetricSpec } from "../../src/stats/mod.ts";
import { frozen, SEEN, seriesOf } from "./fixture.ts";

const LONGEST: MetricSpec = {
  name: "longest_seconds",
  help: "Longest",
  type: "gauge",
  scope: "mirror",
  aggregate: "max",
  windowed: true,
  label: { name: "target", values: ["primary", "mirror"] },
};

function setUp() {
  // A neighbour on each side, which a reset must leave alone.
  const after: MetricSpec = { ...SEEN, name: "after_total" };
  const { registry, stripes } = frozen([SEEN, LONGEST, after], { stripes: 2 });
  const observe = (stripe: number, value: number, target = 0, user = "ann") => {
    const one = stripes[stripe];
    assert.ok(one);
    const base = one.series(["shop", "new", user]);
    one.maximum("longest_seconds", target).observe(base, value);
  };
  const shown = () => seriesOf(registry, "longest_seconds");
  return { registry, stripes, observe, shown };
}

Deno.test("MaximumHandle.observe: the largest stays, over all stripes, for each label value", () => {
  const { observe, shown } = setUp();
  observe(0, 5);
  observe(0, 1);
  observe(1, 3);
  observe(1, 7, 1);
  assert.deepEqual(shown(), [
    "shop/new/ann/mirror=7",
    "shop/new/ann/primary=5",
  ]);
});

Deno.test("MaximumHandle: a new window is empty at once, before any worker has counted in it", () => {
  const { registry, observe, shown } = setUp();
  observe(0, 2);
  observe(1, 3);
  registry.bumpResetEpoch();
  assert.deepEqual(shown(), [
    "shop/new/ann/mirror=0",
    "shop/new/ann/primary=0",
  ]);
});

Deno.test("MaximumHandle: a worker that is idle since the last window does not speak in this one", () => {
  const { registry, observe, shown } = setUp();
  observe(0, 20);
  observe(1, 30);
  observe(1, 40, 1, "bob");
  registry.bumpResetEpoch();
  observe(0, 1);
  assert.deepEqual(shown(), [
    "shop/new/ann/mirror=0",
    "shop/new/ann/primary=1",
    "shop/new/bob/mirror=0",
    "shop/new/bob/primary=0",
  ]);
  observe(1, 2, 1);
  assert.deepEqual(shown(), [
    "shop/new/ann/mirror=2",
    "shop/new/ann/primary=1",
    "shop/new/bob/mirror=0",
    "shop/new/bob/primary=0",
  ]);
});

Deno.test("MaximumHandle: a new window changes no other metric", () => {
  const { registry, stripes: [stripe], observe } = setUp();
  assert.ok(stripe);
  const base = stripe.series(["shop", "new", "ann"]);
  for (const name of ["seen_total", "after_total"]) {
    stripe.cells[base + stripe.offset(name)] = 5;
  }
  registry.bumpResetEpoch();
  observe(0, 1);
  assert.deepEqual(seriesOf(registry, "seen_total"), ["shop/new/ann=5"]);
  assert.deepEqual(seriesOf(registry, "after_total"), ["shop/new/ann=5"]);
});
