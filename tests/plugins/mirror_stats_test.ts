import assert from "node:assert/strict";
import { METRICS } from "../../plugins/mirror_stats/metrics.ts";
import { mirrorStats } from "../../plugins/mirror_stats/mod.ts";
import {
  DROPPED,
  Dropped,
  EXCLUDED,
  Excluded,
  FAILED,
  Failed,
} from "../../src/plugin/api.ts";
import { waitFor } from "../support/wait.ts";
import {
  ANN,
  assertCloses,
  BOB,
  counted,
  replay,
  stats,
  WEB,
} from "./fixture.ts";

const SEED_ROWS = [
  "requests_total",
  "requests_mirrored",
  "requests_dropped",
  "errors_connection",
  "errors_query",
  "errors_timeout",
  "errors_buffer_full",
  "consecutive_errors",
  "latency_avg_ms",
  "latency_max_ms",
  "error_rate",
];

Deno.test("mirrorStats: the total is declared before its parts, so that it is read after them", () => {
  assert.equal(METRICS[0]?.name, "mirror_requests_total");
});

Deno.test("mirrorStats: declares what the design lists", () => {
  const { registry } = counted();
  for (
    const name of [
      "mirror_requests_total",
      "mirror_requests_mirrored_total",
      "mirror_requests_dropped_total",
      "mirror_requests_excluded_total",
      "mirror_requests_failed_total",
      "mirror_pending_requests",
      "mirror_errors_total",
      "statement_duration_seconds",
      "mirror_lag_seconds",
      "mirror_queue_length",
      "mirror_queue_bytes",
      "mirror_consecutive_errors",
      "mirror_last_success_timestamp_seconds",
      "mirror_last_error_timestamp_seconds",
    ]
  ) assert.ok(registry.has(name), name);
});

Deno.test("mirrorStats: has no settings, and says so of each", () => {
  assert.deepEqual(mirrorStats.parseConfig(undefined), {});
  assert.deepEqual(mirrorStats.parseConfig({}), {});
  assert.throws(
    () => mirrorStats.parseConfig({ speed: 1 }),
    /\[plugins\.mirror_stats\] has no key "speed"/,
  );
});

Deno.test("SHOW MIRROR_STATS: without traffic every row is there, with zeros and no error rate", () => {
  const test = counted();
  const rows = test.command("SHOW MIRROR_STATS").rows();
  assert.deepEqual(rows.slice(0, SEED_ROWS.length).map(([name]) => name), [
    ...SEED_ROWS,
  ]);
  const none = [
    "error_rate",
    "last_success",
    "last_error",
    "last_error_sqlstate",
  ];
  for (const [name, cell] of rows) {
    const expected = name === "last_error_category"
      ? "none"
      : name === "metrics"
      ? "on"
      : none.includes(String(name))
      ? null
      : "0";
    assert.equal(cell, expected, String(name));
  }
  assertCloses(stats(test));
});

Deno.test("SHOW MIRROR_STATS: every outcome has its row, and they add up", () => {
  const test = counted();
  const { proxy, mirror, series } = test;
  const ann = series(ANN);
  const seen = (times: number) => {
    for (let i = 0; i < times; i++) proxy.requestSeen(ann);
  };
  EXCLUDED.forEach((_, reason) => {
    seen(reason + 1);
    for (let i = 0; i <= reason; i++) {
      (i % 2 ? proxy : mirror).requestExcluded(ann, reason);
    }
  });
  DROPPED.forEach((_, reason) => {
    seen(reason + 1);
    for (let i = 0; i <= reason; i++) {
      (i % 2 ? proxy : mirror).requestDropped(ann, reason);
    }
  });
  FAILED.forEach((_, reason) => {
    seen(reason + 1);
    for (let i = 0; i <= reason; i++) mirror.requestFailed(ann, reason);
  });
  replay(test, BOB, { times: 5 });
  seen(3);
  const shown = stats(test);
  EXCLUDED.forEach((reason, i) =>
    assert.equal(shown[`excluded_${reason}`], `${i + 1}`, reason)
  );
  DROPPED.forEach((reason, i) =>
    assert.equal(shown[`dropped_${reason}`], `${i + 1}`, reason)
  );
  FAILED.forEach((reason, i) =>
    assert.equal(shown[`failed_${reason}`], `${i + 1}`, reason)
  );
  assert.equal(shown.requests_total, `${55 + 28 + 10 + 5 + 3}`);
  assert.equal(shown.requests_mirrored, "5");
  assert.equal(shown.requests_pending, "3");
  assertCloses(shown);
});

Deno.test("SHOW MIRROR_STATS: the seed's errors come from the ledger, an internal one is in none", () => {
  const test = counted();
  const { proxy, mirror, series } = test;
  const ann = series(ANN);
  mirror.requestFailed(ann, Failed.connection);
  mirror.requestFailed(ann, Failed.protocol);
  for (let i = 0; i < 3; i++) mirror.requestFailed(ann, Failed.timeout);
  for (let i = 0; i < 4; i++) proxy.requestDropped(ann, Dropped.queueFull);
  mirror.requestFailed(ann, Failed.internal);
  mirror.requestDropped(ann, Dropped.tooLarge);
  mirror.requestExcluded(ann, Excluded.cancelled);
  const { errors_connection, errors_timeout, errors_buffer_full } = stats(test);
  assert.deepEqual(
    [errors_connection, errors_timeout, errors_buffer_full],
    ["2", "3", "4"],
  );
  assert.equal(stats(test).failed_internal, "1");
});

Deno.test("SHOW MIRROR_STATS: errors in a row, until a request is replayed without one", () => {
  const test = counted();
  const { proxy, mirror, series } = test;
  const ann = series(ANN);
  const steps: readonly [() => void, number][] = [
    [() => mirror.requestFailed(ann, Failed.timeout), 1],
    // One request, however many of its statements failed.
    [() => replay(test, ANN, { errorsOnMirror: 3 }), 2],
    [() => mirror.requestDropped(ann, Dropped.mirrorDown), 3],
    [() => mirror.requestDropped(ann, Dropped.queueFull), 4],
    // These say nothing of the mirror's health.
    [() => mirror.requestDropped(ann, Dropped.tooLarge), 4],
    [() => mirror.requestDropped(ann, Dropped.shutdown), 4],
    [() => mirror.requestExcluded(ann, Excluded.sampledOut), 4],
    [() => proxy.requestDropped(ann, Dropped.queueFull), 4],
    // Another user's success is not this one's.
    [() => replay(test, BOB), 4],
    [() => replay(test, ANN), 0],
    [() => mirror.requestFailed(ann, Failed.connection), 1],
  ];
  for (const [i, [step, expected]] of steps.entries()) {
    step();
    assert.equal(stats(test).consecutive_errors, `${expected}`, `step ${i}`);
  }
});

Deno.test("SHOW MIRROR_STATS: the error rate is of requests, not of statements", () => {
  const test = counted();
  const { mirror, series, proxy } = test;
  const ann = series(ANN);
  replay(test, ANN, { times: 6 });
  assert.equal(stats(test).error_rate, "0");
  replay(test, ANN, { errorsOnMirror: 9 });
  mirror.requestFailed(ann, Failed.timeout);
  // Neither begun nor an error of the mirror's.
  proxy.requestSeen(ann);
  proxy.requestDropped(ann, Dropped.paused);
  proxy.requestExcluded(ann, Excluded.level);
  assert.equal(stats(test).error_rate, "0.25");
});

Deno.test("SHOW MIRROR_STATS: what the last error was, and its SQLSTATE", () => {
  const test = counted();
  const { mirror, series } = test;
  const last = () => {
    const { last_error_category, last_error_sqlstate } = stats(test);
    return [last_error_category, last_error_sqlstate];
  };
  assert.deepEqual(last(), ["none", null]);
  for (const sqlstate of ["42P01", "P0001", "XX000", "00000", "ZZZZZ"]) {
    mirror.errorOnMirror(series(ANN), sqlstate);
    assert.deepEqual(last(), ["query", sqlstate]);
  }
  for (const [reason, category] of FAILED.entries()) {
    mirror.requestFailed(series(ANN), reason);
    assert.deepEqual(last(), [category, null]);
  }
  for (
    const hostile of ["", "\x00;--\n", "42p01", "42P01\n", "Z".repeat(999)]
  ) {
    mirror.errorOnMirror(series(ANN), hostile);
    assert.deepEqual(last(), ["query", null]);
  }
  const [{ last_error, last_success }] = [stats(test)];
  const age = Date.now() - Date.parse(last_error ?? "");
  assert.ok(age >= 0 && age < 60_000, `${last_error}`);
  assert.equal(last_success, null);
  replay(test, ANN);
  const since = Date.now() - Date.parse(stats(test).last_success ?? "");
  assert.ok(since >= 0 && since < 60_000);
});

Deno.test("SHOW MIRROR_STATS: the last error is the latest of all users", async () => {
  const test = counted();
  const { mirror, series } = test;
  const ann = series(ANN);
  mirror.errorOnMirror(series(BOB), "42P01");
  series(WEB);
  const then = Date.now();
  await waitFor("the clock to go on", () => Date.now() > then, 5_000);
  mirror.requestFailed(ann, Failed.timeout);
  const { last_error_category, last_error_sqlstate } = stats(test);
  assert.deepEqual([last_error_category, last_error_sqlstate], [
    "timeout",
    null,
  ]);
});

Deno.test("SHOW MIRROR_STATS: latencies of both sides in milliseconds", () => {
  const test = counted();
  replay(test, ANN, { latencySeconds: 0.002, times: 99 });
  replay(test, BOB, { latencySeconds: 0.8 });
  const shown = stats(test);
  assert.equal(shown.latency_avg_ms, `${(99 * 2 + 800) / 100}`);
  assert.equal(shown.latency_max_ms, "800");
  assert.equal(shown.primary_latency_avg_ms, `${(99 * 1 + 400) / 100}`);
  assert.equal(shown.primary_latency_max_ms, "400");
  // Interpolated in the bucket from 1 to 2.5 ms: 1 + 1.5 * 50 / 99.
  assert.equal(shown.latency_p50_ms, "1.758");
  assert.equal(shown.latency_p99_ms, "2.5");
  assert.equal(shown.lag_ms, "250");
});

Deno.test("SHOW MIRROR_STATS: the queue of the mirror and the bytes of all", () => {
  const test = counted();
  test.mirror.queue(test.series(ANN), 7, 4096);
  const { queue_length, queue_bytes } = stats(test);
  assert.deepEqual([queue_length, queue_bytes], ["7", "4096"]);
});

Deno.test("SHOW MIRROR_STATS: says that metrics are off", () => {
  const test = counted([mirrorStats], {
    general: { mirror_metrics_enabled: false },
  });
  assert.equal(stats(test).metrics, "off: mirror_metrics_enabled is false");
});
