/**
 * What counting costs: one count, one histogram observation, and what a whole
 * snapshot takes. Each iteration of the first three groups does {@linkcode TIMES}
 * of it, so a microsecond there is a nanosecond for one.
 *
 * ```
 * deno bench -A --no-check bench/stats_bench.ts
 * ```
 *
 * @module
 */

import createProbe from "../plugins/mirror_stats/probe.ts";
import { METRICS } from "../plugins/mirror_stats/metrics.ts";
import { prometheus } from "../plugins/prometheus/mod.ts";
import { PluginHost, ProbeSet } from "../src/plugin/mod.ts";
import {
  Dropped,
  EvidenceWindow,
  Registry,
  StatementStore,
  Stripe,
} from "../src/stats/mod.ts";

const TIMES = 1_000;
const SERIES = 255;
const WORKERS = 3;

const silent = { debug() {}, info() {}, warn() {}, error() {} };
const registry = new Registry();
for (const spec of METRICS) registry.declare(spec);
const host = new PluginHost({
  plugins: [prometheus],
  registry,
  statements: new StatementStore(),
  config: {},
  general: { openmetrics_namespace: "pgdog_" },
  version: "0.0.0",
  startedAt: Date.now(),
  window: new EvidenceWindow(Date.now()),
  mirrors: [],
  logger: () => silent,
});
const layout = registry.freeze({ stripes: WORKERS });
const stripe = new Stripe(layout, 0);
const { cells } = stripe;
const series = stripe.series(["shop", "shop_18", "ann"]);
const seen = series + stripe.offset("mirror_requests_total");
const histogram = stripe.histogram("statement_duration_seconds");
const probes = new ProbeSet([{
  module: "mirror_stats",
  probe: createProbe({ role: "proxy", stripe }),
}], () => {});
const nobody = new ProbeSet([], () => {});

const ordinary = new Float64Array(cells.length);
const shared = new Int32Array(new SharedArrayBuffer(cells.length * 4));
const byLabels = new Map<string, number>();

Deno.bench({
  name: "a cell of an array of its own",
  group: "one count × 1000",
  baseline: true,
  fn() {
    for (let i = 0; i < TIMES; i++) (ordinary[seen] as number)++;
  },
});

Deno.bench("a cell of the stripe", { group: "one count × 1000" }, () => {
  for (let i = 0; i < TIMES; i++) (cells[seen] as number)++;
});

Deno.bench("requestSeen, nobody listens", { group: "one count × 1000" }, () => {
  for (let i = 0; i < TIMES; i++) nobody.requestSeen(series);
});

Deno.bench("requestSeen", { group: "one count × 1000" }, () => {
  for (let i = 0; i < TIMES; i++) probes.requestSeen(series);
});

Deno.bench(
  "requestDropped (a barrier before it)",
  { group: "one count × 1000" },
  () => {
    for (let i = 0; i < TIMES; i++) {
      probes.requestDropped(series, Dropped.queueFull);
    }
  },
);

Deno.bench("instead: Atomics.add", { group: "one count × 1000" }, () => {
  for (let i = 0; i < TIMES; i++) Atomics.add(shared, seen, 1);
});

Deno.bench("instead: a map by labels", { group: "one count × 1000" }, () => {
  for (let i = 0; i < TIMES; i++) {
    const key = JSON.stringify({
      database: "shop",
      mirror: "shop_18",
      user: "ann",
    });
    byLabels.set(key, (byLabels.get(key) ?? 0) + 1);
  }
});

Deno.bench({
  name: "HistogramHandle.observe, 17 buckets",
  group: "one observation × 1000",
  baseline: true,
  fn() {
    for (let i = 0; i < TIMES; i++) histogram.observe(series, i / TIMES);
  },
});

Deno.bench(
  "primaryStatement (histogram and maximum)",
  { group: "one observation × 1000" },
  () => {
    for (let i = 0; i < TIMES; i++) probes.primaryStatement(series, i / TIMES);
  },
);

Deno.bench(
  "Stripe.series, once per session",
  { group: "one session × 1000" },
  () => {
    for (let i = 0; i < TIMES; i++) stripe.series(["shop", "shop_18", "ann"]);
  },
);

for (let i = 1; i < SERIES; i++) stripe.series(["shop", "shop_18", `user${i}`]);

Deno.bench(
  `Registry.snapshot, ${SERIES} series, ${WORKERS} workers`,
  { group: "one reading" },
  () => {
    registry.snapshot();
  },
);

Deno.bench(
  `GET /metrics, ${SERIES} series, ${WORKERS} workers`,
  { group: "one reading" },
  async () => {
    const response = await host.routes[0]?.handle(
      new Request("http://localhost/metrics"),
    );
    await response?.text();
  },
);
