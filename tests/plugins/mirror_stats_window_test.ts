import assert from "node:assert/strict";
import { METRICS } from "../../plugins/mirror_stats/metrics.ts";
import { mirrorStats } from "../../plugins/mirror_stats/mod.ts";
import {
  Dropped,
  Excluded,
  Failed,
  type Plugin,
} from "../../src/plugin/api.ts";
import {
  ANN,
  assertCloses,
  BOB,
  counted,
  records,
  replay,
  stats,
  value,
  WEB,
} from "./fixture.ts";

Deno.test("mirror_metrics_reset_interval: a new window each time, by the uptime", () => {
  let uptime = 0;
  let look = () => {};
  const caught: Plugin<Record<never, never>> = {
    ...mirrorStats,
    create(config, context) {
      const instance = mirrorStats.create(config, context);
      look = () => instance.onSample?.(context.stats.snapshot());
      return instance;
    },
  };
  const test = counted([caught], {
    general: { mirror_metrics_reset_interval: 60 },
    uptimeMs: () => uptime,
  });
  const at = (ms: number) => {
    uptime = ms;
    look();
    return stats(test).requests_total;
  };
  replay(test, ANN, { times: 4 });
  assert.equal(at(59_999), "4");
  assert.equal(at(60_000), "0");
  replay(test, ANN, { times: 3 });
  assert.equal(at(119_999), "3");
  assert.equal(at(120_000), "0");
});

Deno.test("RESET MIRROR_STATS: SHOW begins at zero, and no counter falls", () => {
  const test = counted();
  replay(test, ANN, { times: 4, latencySeconds: 0.9, errorsOnMirror: 1 });
  replay(test, ANN, { times: 4, latencySeconds: 0.0004 });
  test.proxy.requestSeen(test.series(ANN));
  test.mirror.requestFailed(test.series(ANN), Failed.timeout);
  const counters = METRICS.filter(({ type }) => type === "counter")
    .map(({ name }) => name);
  const before = counters.map((name) => value(test, name));
  assert.deepEqual(test.command("RESET MIRROR_STATS").rows(), []);
  const after = stats(test);
  for (
    const row of [
      "requests_mirrored",
      "errors_timeout",
      "latency_avg_ms",
      "latency_max_ms",
      "latency_p99_ms",
      "primary_latency_max_ms",
    ]
  ) assert.equal(after[row], "0", row);
  assert.equal(after.error_rate, null);
  assert.deepEqual(counters.map((name) => value(test, name)), before);
  replay(test, BOB, { times: 2, latencySeconds: 0.02 });
  const later = stats(test);
  assert.equal(later.requests_total, "2");
  assert.equal(later.requests_mirrored, "2");
  assert.equal(later.latency_avg_ms, "20");
  assert.equal(later.latency_max_ms, "20");
  // In the bucket from 10 to 25 ms.
  assert.equal(later.latency_p99_ms, "24.85");
  assert.equal(later.error_rate, "0");
  assert.equal(value(test, "mirror_requests_mirrored_total"), 10);
});

Deno.test("RESET MIRROR_STATS: what was pending is the new window's, so that its ledger closes", () => {
  const test = counted();
  const ann = test.series(ANN);
  replay(test, ANN, { times: 3 });
  for (let i = 0; i < 2; i++) test.proxy.requestSeen(ann);
  test.command("RESET MIRROR_STATS").rows();
  assert.equal(stats(test).requests_total, "2");
  assert.equal(stats(test).requests_pending, "2");
  assertCloses(stats(test));
  test.mirror.requestReplayed(ann, 0.001, 0.001, 0, 0);
  test.mirror.requestFailed(ann, Failed.connection);
  test.proxy.requestSeen(ann);
  const { requests_total, requests_mirrored, requests_failed } = stats(test);
  assert.deepEqual([requests_total, requests_mirrored, requests_failed], [
    "3",
    "1",
    "1",
  ]);
  assertCloses(stats(test));
});

Deno.test("SHOW MIRRORS: PgDog's columns first, a row for each user, and one for a silent mirror", () => {
  const test = counted(undefined, {
    isPaused: ({ mirror }) => mirror === "web_18",
  });
  const { proxy, mirror, series, command } = test;
  replay(test, ANN, { times: 2, errorsOnMirror: 1 });
  replay(test, ["shop", "shop_17", "ann"]);
  const bob = series(BOB);
  for (let i = 0; i < 9; i++) proxy.requestSeen(bob);
  proxy.requestDropped(bob, Dropped.queueFull);
  mirror.requestDropped(bob, Dropped.mirrorDown);
  mirror.requestExcluded(bob, Excluded.sampledOut);
  mirror.requestFailed(bob, Failed.protocol);
  mirror.requestFailed(bob, Failed.internal);
  mirror.queue(bob, 3, 100);
  const show = command("SHOW MIRRORS");
  assert.deepEqual(show.columns.slice(0, 7).map(({ name }) => name), [
    "database",
    "user",
    "total_count",
    "mirrored_count",
    "dropped_count",
    "error_count",
    "queue_length",
  ]);
  const zero = {
    total_count: 0,
    mirrored_count: 0,
    dropped_count: 0,
    error_count: 0,
    queue_length: 0,
    excluded_count: 0,
    failed_count: 0,
    pending_count: 0,
    state: "active",
  };
  assert.deepEqual(records(show), [
    {
      ...zero,
      database: "shop",
      user: "ann",
      mirror: "shop_18",
      total_count: 2,
      mirrored_count: 2,
    },
    {
      ...zero,
      database: "shop",
      user: "ann",
      mirror: "shop_17",
      total_count: 1,
      mirrored_count: 1,
      state: "removed",
    },
    {
      ...zero,
      database: "shop",
      user: "bob",
      mirror: "shop_18",
      total_count: 9,
      dropped_count: 2,
      // queue_full and protocol; mirror_down and internal are in none of the four.
      error_count: 2,
      queue_length: 3,
      excluded_count: 1,
      failed_count: 2,
      pending_count: 4,
    },
    { ...zero, database: "web", user: "", mirror: "web_18", state: "paused" },
  ]);
});

Deno.test("SHOW MIRROR_STATS_BY_DATABASE: each source database for itself, in the window", () => {
  const test = counted();
  replay(test, ANN, { latencySeconds: 0.5 });
  replay(test, WEB, { latencySeconds: 0.5 });
  test.command("RESET MIRROR_STATS").rows();
  replay(test, ANN, { times: 2, latencySeconds: 0.004 });
  replay(test, BOB, { times: 2, latencySeconds: 0.002 });
  test.mirror.requestFailed(test.series(WEB), Failed.timeout);
  test.proxy.requestSeen(test.series(WEB));
  const show = test.command("SHOW MIRROR_STATS_BY_DATABASE");
  assert.deepEqual(show.columns.slice(0, 3).map(({ name }) => name), [
    "database",
    "mirrored",
    "errors",
  ]);
  const shown = records(show).map((row) => [
    row.database,
    row.mirrored,
    row.errors,
    row.total,
    row.failed,
    row.pending,
    row.latency_avg_ms,
    row.primary_latency_avg_ms,
  ]);
  assert.deepEqual(shown, [
    ["shop", 4, 0, 4, 0, 0, 3, 1.5],
    ["web", 0, 1, 1, 1, 0, 0, 0],
  ]);
});

Deno.test("mirrorStats: every row of every command has a cell for each column", () => {
  const test = counted();
  replay(test, ANN);
  for (const { words, columns, rows } of test.host.commands) {
    for (const row of rows()) assert.equal(row.length, columns.length, words);
  }
});
