import assert from "node:assert/strict";
import {
  addSketches,
  LatencySketcher,
} from "../../src/stats/latency_sketch.ts";
import {
  type Slower,
  slower,
  type SlowerLimits,
} from "../../src/stats/slower.ts";
import { seeded } from "./chance.ts";

/** The gate's defaults, and a statement's part of 1 % among 10,000. */
const LIMITS: SlowerLimits = {
  maxRatio: 1.25,
  minDifferenceMs: 2,
  minPairs: 30,
  minTailShare: 0.02,
  falseAlarm: 1e-6,
};
const HOUR = 3_600_000;

type Pair = readonly [primaryUs: number, mirrorUs: number];

function judged(
  pairs: readonly Pair[],
  limits: Partial<SlowerLimits> = {},
): Slower["by"] | undefined {
  const sketcher = new LatencySketcher();
  for (const [primary, mirror] of pairs) sketcher.add(primary, mirror, 0);
  return slower(sketcher.snapshot(), { ...LIMITS, ...limits })?.by;
}

const times = (n: number, ...pair: Pair) => new Array<Pair>(n).fill(pair);

Deno.test("slower: the median at its limits", () => {
  assert.equal(
    judged(times(100, 10_000, 12_500)),
    undefined,
    "a factor of 1.25",
  );
  assert.equal(judged(times(100, 10_000, 13_300)), "median");
  assert.equal(judged(times(100, 1_000, 2_900)), undefined, "2 ms are allowed");
  assert.equal(judged(times(100, 1_000, 3_200)), "median");
  assert.equal(judged(times(29, 10_000, 150_000)), undefined, "29 pairs");
  assert.equal(judged(times(30, 10_000, 150_000)), "median");
  const half = [...times(100, 10_000, 9_000), ...times(100, 10_000, 13_300)];
  assert.equal(judged(half), "tail", "half of the calls are no median");
  assert.equal(judged(times(100, 10_000, 13_300), { maxRatio: 2 }), undefined);
});

Deno.test("slower: the tail at its limits", () => {
  const tail = (share: number, us: number, n = 5_000): Pair[] => [
    ...times(Math.round(n * (1 - share)), 100, 100),
    ...times(Math.round(n * share), 100, us),
  ];
  assert.equal(judged(tail(0.05, 2_000)), undefined, "less than 2 ms longer");
  assert.equal(judged(tail(0.05, 2_400)), "tail");
  assert.equal(judged(tail(0.02, 2_400)), "tail");
  assert.equal(judged(tail(0.019, 2_400)), undefined, "under 2 % of the calls");
  assert.equal(judged(tail(0.05, 2_400, 100)), undefined, "5 may be chance");
  // The primary has such a tail, too, in other calls.
  const twin = [...tail(0.05, 2_400), ...times(250, 2_400, 100)];
  assert.equal(judged(twin), undefined);
  // 2.5 % of the calls beside the primary's 1 %.
  const more = [...tail(0.025, 2_400, 20_000), ...times(200, 2_400, 100)];
  assert.equal(judged(more), undefined);
});

Deno.test("slower: the total at its limits", () => {
  const rare = (us: number, n: number): Pair[] => [
    ...times(10_000 - n, 10_000, 10_000),
    ...times(n, 10_000, us),
  ];
  assert.equal(judged(rare(20e6, 100)), "total", "1 % of the calls at 20 s");
  assert.equal(judged(rare(20e6, 20)), undefined, "20 may be chance");
  assert.equal(judged(rare(200e3, 100)), undefined, "a ratio of 1.19");
  assert.equal(judged(rare(20e6, 100), { minDifferenceMs: 250 }), undefined);
});

Deno.test("slower: in an hour of the day", () => {
  const sketcher = new LatencySketcher();
  for (let i = 0; i < 10_000; i++) sketcher.add(10_000, 10_000, 12 * HOUR);
  for (let i = 0; i < 100; i++) sketcher.add(10_000, 100_000, 51 * HOUR);
  const found = slower(sketcher.snapshot(), LIMITS);
  assert.equal(found?.by, "hour");
  assert.equal(found?.by === "hour" && found.hour, 3);
  assert.equal(found?.by === "hour" && Math.round(found.ratio), 10);
});

Deno.test("slower: 47 % of a window ten times slower, and 20 s in 5 % of the calls, beside noise", () => {
  const draw = noise(1);
  const window = (share: number, slow: (us: number) => number) => {
    const random = seeded(2);
    return Array.from({ length: 2_000 }, (): Pair => {
      const us = draw();
      return [draw(), random() < share ? slow(us) : us];
    });
  };
  assert.notEqual(judged(window(0.47, (us) => 10 * us)), undefined);
  assert.equal(judged(window(0.05, () => 20e6)), "tail");
  assert.equal(judged(window(0, (us) => us)), undefined);
});

Deno.test("slower: parts that say nothing alone say it together", () => {
  const part = () => {
    const sketcher = new LatencySketcher();
    for (let i = 0; i < 20; i++) sketcher.add(10_000, 150_000, 0);
    return sketcher.snapshot();
  };
  assert.equal(slower(part(), LIMITS), undefined);
  assert.equal(slower(addSketches(part(), part()), LIMITS)?.by, "median");
});

/** Times with a heavy tail: log-normal, three of 100 a hundred times longer. */
function noise(seed: number, spread = 1): () => number {
  const random = seeded(seed);
  return () => {
    const normal = Math.sqrt(-2 * Math.log(1 - random())) *
      Math.cos(2 * Math.PI * random());
    return 5_000 * Math.exp(spread * normal) * (random() < 0.03 ? 100 : 1);
  };
}

/** Looks at a growing sketch. @returns after how many pairs it is slower. */
function pairsUntil(
  pair: () => Pair,
  most: number,
  limits: SlowerLimits,
  every: number,
): number {
  const sketcher = new LatencySketcher();
  for (let n = 1; n <= most; n++) {
    const [primary, mirror] = pair();
    sketcher.add(primary, mirror, n * 1e5);
    if (n % every === 0 && slower(sketcher.snapshot(), limits)) return n;
  }
  return Infinity;
}

Deno.test("slower: equal servers with noisy tails alarm in under 5 % of the runs if 5 % are allowed and nothing else is", () => {
  const draw = noise(4, 1.5);
  const strict = {
    maxRatio: 1,
    minDifferenceMs: 0,
    minPairs: 2,
    minTailShare: 0,
    falseAlarm: 0.05,
  };
  const runs = 200;
  let alarms = 0;
  for (let run = 0; run < runs; run++) {
    const pair = (): Pair => [draw(), draw()];
    if (pairsUntil(pair, 400, strict, 2) < Infinity) alarms++;
  }
  assert.ok(alarms <= 0.05 * runs, `${alarms} of ${runs}`);
});

Deno.test("slower: 1,000 statements on equal servers give no alarm in a day of looks", () => {
  const draw = noise(5, 1.5);
  const random = seeded(6);
  let alarms = 0;
  for (let statement = 0; statement < 1_000; statement++) {
    const pair = (): Pair => [draw(), draw()];
    const perDay = Math.ceil(10 ** (1 + 2 * random()));
    if (pairsUntil(pair, perDay, LIMITS, 3) < Infinity) alarms++;
  }
  assert.equal(alarms, 0);
});

Deno.test("slower: its power", () => {
  const draw = noise(7, 0.5);
  const random = seeded(8);
  const calm = seeded(9);
  const even = () => 20_000 * (0.8 + 0.4 * calm());
  // Pairs within which 95 of 100 are found.
  const cases: readonly [string, () => Pair, within: number][] = [
    ["all 15 times slower", () => [draw(), 15 * draw()], 60],
    ["1.5 times slower", () => [even(), 1.5 * even()], 150],
    ["47 % ten times", () => [
      even(),
      even() * (random() < 0.47 ? 10 : 1),
    ], 100],
    ["20 s in 5 %", () => [even(), random() < 0.05 ? 20e6 : even()], 1_000],
    ["20 s in 1 %", () => [even(), random() < 0.01 ? 20e6 : even()], 5_000],
  ];
  for (const [what, pair, within] of cases) {
    const runs = 40;
    let found = 0;
    for (let run = 0; run < runs; run++) {
      if (pairsUntil(pair, within, LIMITS, within / 10) < Infinity) found++;
    }
    assert.ok(found >= 0.95 * runs, `${what}: ${found} of ${runs}`);
  }
});
