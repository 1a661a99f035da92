import assert from "node:assert/strict";
import { type MetricSpec, Registry } from "../../src/stats/mod.ts";
import { count, DONE, frozen, SEEN, seriesOf } from "./fixture.ts";

const GAUGE: MetricSpec = {
  name: "depth",
  help: "Depth",
  type: "gauge",
  scope: "process",
};

Deno.test("Registry.declare: what is wrong with a metric is named", async (t) => {
  const wrong: readonly [Partial<MetricSpec>, RegExp][] = [
    [{ name: "Depth" }, /"Depth" is not a metric name/],
    [{ name: "" }, /"" is not a metric name/],
    [{ name: "depth{a=1}" }, /is not a metric name/],
    [{ help: " " }, /"depth" has no help text/],
    [{ type: "counter" }, /must end in _total/],
    [{ name: "depth_total" }, /ends in _total and is not a counter/],
    [
      { label: { name: "user", values: ["a"] } },
      /label "user", which is taken/,
    ],
    [{ label: { name: "le", values: ["a"] } }, /label "le", which is taken/],
    [{ label: { name: "a-b", values: ["a"] } }, /ill-named label "a-b"/],
    [{ label: { name: "kind", values: [] } }, /a label without values/],
    [{ label: { name: "kind", values: ["a", "a"] } }, /label value "a" twice/],
    [{ buckets: [1] }, /has buckets and is not a histogram/],
    [{ type: "histogram" }, /has no buckets/],
    [{ type: "histogram", buckets: [] }, /has no buckets/],
    [{ type: "histogram", buckets: [1, 1] }, /buckets that do not ascend/],
    [{ type: "histogram", buckets: [2, 1] }, /buckets that do not ascend/],
    [{ type: "histogram", buckets: [1, Infinity] }, /without a finite bound/],
    [{ type: "histogram", buckets: [1], derive: () => 0 }, /can't be derived/],
    [
      { name: "a_total", type: "counter", aggregate: "max" },
      /has an aggregate and is not a gauge/,
    ],
    [
      { sets: [{ database: "a" }] },
      /has label sets and is not a derived metric of the process/,
    ],
    [
      { sets: [{ database: "a" }], derive: () => 0, scope: "mirror" },
      /has label sets and is not a derived metric of the process/,
    ],
    [
      { sets: [{ "a-b": "c" }], derive: () => 0 },
      /has the ill-named label "a-b"/,
    ],
    [{ windowed: true }, /is windowed and not a gauge/],
    [
      { windowed: true, aggregate: "max", derive: () => 0 },
      /is windowed and not a gauge/,
    ],
  ];
  for (const [change, message] of wrong) {
    await t.step(`${JSON.stringify(change)}: ${message.source}`, () => {
      assert.throws(
        () => new Registry().declare({ ...GAUGE, ...change }),
        (error) => error instanceof TypeError && message.test(error.message),
      );
    });
  }
});

Deno.test("Registry.declare: a name is taken once, and never after the freeze", () => {
  const registry = new Registry();
  registry.declare(GAUGE);
  assert.throws(() => registry.declare(GAUGE), /"depth" is declared twice/);
  assert.equal(registry.has("depth"), true);
  registry.freeze({ stripes: 1 });
  assert.throws(
    () => registry.declare({ ...GAUGE, name: "height" }),
    /"height" is declared after the workers have started/,
  );
  assert.equal(registry.has("height"), false);
});

Deno.test("Registry.freeze: a second call gives the same layout", () => {
  const { registry, layout } = frozen([GAUGE]);
  assert.equal(registry.freeze({ stripes: 7 }), layout);
});

Deno.test("Registry.snapshot: nothing before the freeze, zeros after it", () => {
  const registry = new Registry();
  registry.declare(GAUGE);
  assert.deepEqual(registry.snapshot().metrics, []);
  assert.equal(registry.snapshot().get("depth"), undefined);
  registry.freeze({ stripes: 2 });
  assert.deepEqual(registry.snapshot().get("depth")?.series, [
    { labels: {}, value: 0 },
  ]);
});

Deno.test("Registry.snapshot: stripes add up by label values", () => {
  const { registry, stripes: [a, b] } = frozen([SEEN], { stripes: 2 });
  assert.ok(a && b);
  count(a, "seen_total", a.series(["shop", "new", "ann"]), 2);
  count(b, "seen_total", b.series(["shop", "new", "bob"]), 3);
  count(b, "seen_total", b.series(["shop", "new", "ann"]), 5);
  assert.deepEqual(seriesOf(registry, "seen_total"), [
    "shop/new/ann=7",
    "shop/new/bob=3",
  ]);
});

Deno.test("Registry.snapshot: gauges add up, or the highest counts", () => {
  const high: MetricSpec = { ...GAUGE, name: "high", aggregate: "max" };
  const { registry, stripes: [a, b] } = frozen([GAUGE, high], { stripes: 2 });
  assert.ok(a && b);
  for (const [stripe, value] of [[a, 4], [b, 3]] as const) {
    count(stripe, "depth", stripe.process, value);
    count(stripe, "high", stripe.process, value);
  }
  assert.deepEqual(seriesOf(registry, "depth"), ["=7"]);
  assert.deepEqual(seriesOf(registry, "high"), ["=4"]);
});

Deno.test("Registry.snapshot: an enumerated label has a cell for each value", () => {
  const errors: MetricSpec = {
    ...SEEN,
    name: "errors_total",
    label: { name: "type", values: ["query", "timeout"] },
  };
  // A neighbour on each side: a wrong offset shows.
  const { registry, stripe } = frozen([SEEN, errors, DONE]);
  const base = stripe.series(["shop", "new", "ann"]);
  count(stripe, "seen_total", base, 100);
  count(stripe, "errors_total", base, 1, 0);
  count(stripe, "errors_total", base, 2, 1);
  count(stripe, "done_total", base, 200);
  assert.deepEqual(registry.snapshot().get("errors_total")?.series, [
    {
      labels: { database: "shop", mirror: "new", user: "ann", type: "query" },
      value: 1,
    },
    {
      labels: { database: "shop", mirror: "new", user: "ann", type: "timeout" },
      value: 2,
    },
  ]);
  assert.deepEqual(seriesOf(registry, "seen_total"), ["shop/new/ann=100"]);
  assert.deepEqual(seriesOf(registry, "done_total"), ["shop/new/ann=200"]);
});

Deno.test("Registry.snapshot: a derived metric sees its own series only", () => {
  const errors: MetricSpec = {
    ...SEEN,
    name: "errors_total",
    label: { name: "type", values: ["query", "timeout"] },
  };
  const took: MetricSpec = {
    ...SEEN,
    name: "took_seconds",
    type: "histogram",
    buckets: [1],
  };
  const derived: MetricSpec = {
    ...SEEN,
    name: "view",
    type: "gauge",
    label: { name: "of", values: ["sum", "timeout", "count"] },
    derive: (get, of) =>
      of === "sum"
        ? get("errors_total")
        : of === "timeout"
        ? get("errors_total", "timeout")
        : get("took_seconds"),
  };
  const { registry, stripe } = frozen([derived, errors, took]);
  for (const [user, by] of [["ann", 1], ["bob", 10]] as const) {
    const base = stripe.series(["shop", "new", user]);
    count(stripe, "errors_total", base, by, 0);
    count(stripe, "errors_total", base, 2 * by, 1);
    stripe.histogram("took_seconds").observe(base, 0.25);
  }
  assert.deepEqual(seriesOf(registry, "view"), [
    "shop/new/ann/count=1",
    "shop/new/ann/sum=3",
    "shop/new/ann/timeout=2",
    "shop/new/bob/count=1",
    "shop/new/bob/sum=30",
    "shop/new/bob/timeout=20",
  ]);
});

Deno.test("Registry.snapshot: to derive from what is not there is an error that names it", () => {
  for (const name of ["unheard_of", "depth"]) {
    const { registry, stripe } = frozen([
      GAUGE,
      { ...SEEN, name: "view", type: "gauge", derive: (get) => get(name) },
    ]);
    stripe.series(["shop", "new", "ann"]);
    assert.throws(
      () => registry.snapshot(),
      new RegExp(`RangeError: .*"${name}"`),
    );
  }
});

Deno.test("Registry.snapshot: what one worker counts in a row is never ahead of its total", async () => {
  const { registry, layout, stripe } = frozen([
    SEEN, // declared first, so read last
    DONE,
    {
      ...SEEN,
      name: "pending",
      type: "gauge",
      derive: (get) => get("seen_total") - get("done_total"),
    },
  ]);
  const base = stripe.series(["shop", "new", "ann"]);
  const stop = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(new URL("counting_worker.ts", import.meta.url), {
    type: "module",
  });
  const first = Promise.withResolvers<void>();
  worker.onmessage = () => first.resolve();
  worker.postMessage({ layout, base, stop });
  await first.promise;
  try {
    const pending = new Set<number>();
    for (let i = 0; i < 20_000; i++) {
      const snapshot = registry.snapshot();
      pending.add(snapshot.get("pending")?.series[0]?.value ?? NaN);
    }
    assert.ok(Math.min(...pending) >= 0, `pending was ${[...pending].sort()}`);
    assert.ok(
      (registry.snapshot().get("seen_total")?.series[0]?.value ?? 0) > 0,
    );
  } finally {
    Atomics.store(stop, 0, 1);
    worker.terminate();
  }
});

Deno.test("Registry.snapshot: a derived metric has a series for each of its label sets", () => {
  const { registry } = frozen([{
    ...GAUGE,
    sets: [{ mirror: "a" }, { mirror: "b" }],
    label: { name: "side", values: ["left", "right"] },
    derive: (_get, side, set) =>
      (set?.mirror === "a" ? 10 : 20) + (side === "left" ? 1 : 2),
  }]);
  assert.deepEqual(registry.snapshot().get("depth")?.series, [
    { labels: { mirror: "a", side: "left" }, value: 11 },
    { labels: { mirror: "a", side: "right" }, value: 12 },
    { labels: { mirror: "b", side: "left" }, value: 21 },
    { labels: { mirror: "b", side: "right" }, value: 22 },
  ]);
});
