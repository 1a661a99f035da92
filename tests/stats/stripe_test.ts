import assert from "node:assert/strict";
import { type MetricSpec, Stripe } from "../../src/stats/mod.ts";
import { count, DONE, frozen, SEEN, seriesOf } from "./fixture.ts";

Deno.test("Stripe: a structured clone of the layout is the same memory", () => {
  const { registry, layout } = frozen([SEEN]);
  const stripe = new Stripe(structuredClone(layout), 0);
  count(stripe, "seen_total", stripe.series(["shop", "new", "ann"]));
  assert.deepEqual(seriesOf(registry, "seen_total"), ["shop/new/ann=1"]);
});

Deno.test("Stripe: one that is not there is refused", () => {
  const { layout } = frozen([SEEN], { stripes: 2 });
  for (const index of [-1, 2, NaN]) {
    assert.throws(
      () => new Stripe(layout, index),
      new RangeError(`Stripe ${index} asked for, there are 2`),
    );
  }
});

Deno.test("Stripe: a metric that is not declared is refused by name", () => {
  const { stripe } = frozen([SEEN]);
  const undeclared = new RangeError('Metric "nowhere" is not declared');
  assert.throws(() => stripe.offset("nowhere"), undeclared);
  assert.throws(() => stripe.histogram("nowhere"), undeclared);
  assert.throws(() => stripe.maximum("nowhere"), undeclared);
  assert.throws(() => stripe.histogram("seen_total"), /is not a histogram/);
  assert.throws(() => stripe.maximum("seen_total"), /is not windowed/);
});

Deno.test("Stripe: cells of stripes, scopes, series and metrics do not overlap", () => {
  const process: MetricSpec = { ...SEEN, name: "all_total", scope: "process" };
  const took: MetricSpec = {
    ...SEEN,
    name: "took_seconds",
    type: "histogram",
    buckets: [1, 2],
  };
  const { stripes } = frozen([SEEN, process, took, DONE], {
    stripes: 2,
    maxSeries: 3,
  });
  const cells = new Set<string>();
  for (const [i, stripe] of stripes.entries()) {
    const bases = ["other", "ann", "bob"]
      .map((user) =>
        stripe.series(
          user === "other" ? ["other", "other", "other"] : [
            "shop",
            "new",
            user,
          ],
        )
      );
    cells.add(`${i} ${stripe.process + stripe.offset("all_total")}`);
    for (const base of bases) {
      cells.add(`${i} ${base + stripe.offset("seen_total")}`);
      cells.add(`${i} ${base + stripe.offset("done_total")}`);
      for (let cell = 0; cell < 4; cell++) {
        cells.add(`${i} ${base + stripe.offset("took_seconds") + cell}`);
      }
    }
    stripe.cells.fill(i + 1);
  }
  // Each stripe: 1 of the process, and 3 series of 1 + 1 + (2 buckets, overflow, sum).
  assert.equal(cells.size, 2 * (1 + 3 * (1 + 1 + 4)));
  assert.ok(stripes[0]?.cells.every((cell) => cell === 1));
  for (const { cells } of stripes) assert.equal(cells.byteOffset % 64, 0);
});

Deno.test("Stripe.series: the same labels are the same series, in every stripe", () => {
  const { stripes: [a, b] } = frozen([SEEN], { stripes: 2 });
  assert.ok(a && b);
  const ann = a.series(["shop", "new", "ann"]);
  const bob = b.series(["shop", "new", "bob"]);
  assert.notEqual(ann, bob);
  assert.equal(a.series(["shop", "new", "ann"]), ann);
  assert.equal(b.series(["shop", "new", "ann"]), ann);
  assert.equal(a.series(["shop", "new", "bob"]), bob);
  assert.notEqual(a.series(["new", "shop", "ann"]), ann);
});

Deno.test("Stripe.series: beyond the bound all share one, the same for every worker", () => {
  const { registry, stripes: [a, b] } = frozen([SEEN, DONE], {
    stripes: 2,
    maxSeries: 3,
  });
  assert.ok(a && b);
  // The order differs between the workers, as it does between proxy and mirror.
  for (const user of ["ann", "bob", "cid", "dan"]) {
    count(a, "seen_total", a.series(["shop", "new", user]));
  }
  for (const user of ["dan", "cid", "bob", "ann"]) {
    count(b, "done_total", b.series(["shop", "new", user]));
  }
  const expected = ["other/other/other=2", "shop/new/ann=1", "shop/new/bob=1"];
  assert.deepEqual(seriesOf(registry, "seen_total"), expected);
  assert.deepEqual(seriesOf(registry, "done_total"), expected);
});

Deno.test("Stripe.series: the shared series is not shown while nothing is in it", () => {
  const { registry, stripe } = frozen([SEEN]);
  assert.deepEqual(seriesOf(registry, "seen_total"), []);
  stripe.series(["shop", "new", "ann"]);
  assert.deepEqual(seriesOf(registry, "seen_total"), ["shop/new/ann=0"]);
});

Deno.test("Stripe.series: any text is a label value", () => {
  const { registry, stripe } = frozen([SEEN]);
  const users = ["", "ann\n", 'a"b\\c', "Ω≈ç√", "🐘".repeat(10), "x=y,z"];
  for (const user of users) {
    count(stripe, "seen_total", stripe.series(["shop", "new", user]));
  }
  const shown = registry.snapshot().get("seen_total")?.series;
  assert.deepEqual(shown?.map(({ labels }) => labels.user), users);
});

Deno.test("Stripe.series: a long name is cut at 63 bytes, never within a character", () => {
  const { registry, stripe } = frozen([SEEN]);
  const long = stripe.series(["shop", "new", `${"x".repeat(63)}yyy`]);
  assert.equal(stripe.series(["shop", "new", `${"x".repeat(63)}zzz`]), long);
  // 62 bytes and one character of 2 bytes.
  count(
    stripe,
    "seen_total",
    stripe.series(["shop", "new", `${"x".repeat(62)}é`]),
  );
  assert.deepEqual(seriesOf(registry, "seen_total"), [
    `shop/new/${"x".repeat(62)}=1`,
    `shop/new/${"x".repeat(63)}=0`,
  ]);
});

Deno.test("Stripe.series: a worker that starts again finds its series", () => {
  const { registry, layout, stripe } = frozen([SEEN], { maxSeries: 2 });
  count(stripe, "seen_total", stripe.series(["shop", "new", "ann"]));
  const again = new Stripe(layout, 0);
  count(again, "seen_total", again.series(["shop", "new", "ann"]));
  assert.deepEqual(seriesOf(registry, "seen_total"), ["shop/new/ann=2"]);
});

Deno.test("Stripe.series: workers that come at once lose no count, with the same labels or their own", async () => {
  const WORKERS = 3;
  const USERS = 30;
  const { registry, layout } = frozen([SEEN], { stripes: WORKERS });
  const start = new Int32Array(new SharedArrayBuffer(4));
  const workers = Array.from({ length: WORKERS }, (_, stripe) => {
    const worker = new Worker(new URL("series_worker.ts", import.meta.url), {
      type: "module",
    });
    const messages = [
      Promise.withResolvers<void>(),
      Promise.withResolvers<void>(),
    ];
    worker.onmessage = ({ data }: MessageEvent<number>) =>
      messages[data]?.resolve();
    worker.postMessage({ layout, stripe, users: USERS, start });
    return { worker, ready: messages[0]?.promise, done: messages[1]?.promise };
  });
  try {
    await Promise.all(workers.map(({ ready }) => ready));
    Atomics.store(start, 0, 1);
    await Promise.all(workers.map(({ done }) => done));
  } finally {
    for (const { worker } of workers) worker.terminate();
  }
  const expected = Array.from({ length: USERS }, (_, i) => [
    `shop/new/user${i}=${WORKERS}`,
    ...Array.from(
      { length: WORKERS },
      (_, stripe) => `shop/new/user${i} of ${stripe}=1`,
    ),
  ]).flat();
  assert.deepEqual(seriesOf(registry, "seen_total"), expected.sort());
});
