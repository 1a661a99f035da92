import assert from "node:assert/strict";
import { reportOf } from "../../../src/cli/demo/report.ts";
import { summaryText } from "../../../src/cli/demo/summary.ts";
import {
  DROPPED,
  Dropped,
  EXCLUDED,
  Excluded,
  FAILED,
  Failed,
  type MetricSpec,
  Registry,
  Stripe,
} from "../../../src/stats/mod.ts";

const ERROR_TYPES = ["connection", "query", "timeout", "buffer_full"];

function spec(
  name: string,
  more: Partial<MetricSpec> = {},
): MetricSpec {
  return { name, help: name, type: "counter", scope: "mirror", ...more };
}

const reason = (values: readonly string[]) => ({
  label: { name: "reason", values },
});

/** What the report reads, as mirror_stats declares it. */
const METRICS: readonly MetricSpec[] = [
  spec("mirror_requests_total"),
  spec("mirror_requests_excluded_total", reason(EXCLUDED)),
  spec("mirror_requests_dropped_total", reason(DROPPED)),
  spec("mirror_requests_mirrored_total"),
  spec("mirror_requests_failed_total", reason(FAILED)),
  spec("mirror_pending_requests", { type: "gauge" }),
  spec("mirror_errors_total", {
    label: { name: "type", values: ERROR_TYPES },
  }),
  spec("statement_duration_seconds", {
    type: "histogram",
    label: { name: "target", values: ["primary", "mirror"] },
    buckets: [0.0005, 0.001, 0.0025],
  }),
];

/** 20 transactions of two users: 2 excluded, 3 dropped, 9 replayed, 2 failed. */
function sample() {
  const registry = new Registry();
  for (const spec of METRICS) registry.declare(spec);
  const stripe = new Stripe(registry.freeze({ stripes: 1 }), 0);
  const durations = stripe.histogram("statement_duration_seconds");
  const cells = stripe.cells;
  const count = (base: number, name: string, by: number, label = 0) => {
    const cell = base + stripe.offset(name) + label;
    cells[cell] = (cells[cell] ?? 0) + by;
  };
  for (const user of ["a", "b"]) {
    const base = stripe.series(["shop", "shop_18", user]);
    count(base, "mirror_requests_total", 10);
    count(base, "mirror_requests_excluded_total", 1, Excluded.clientGone);
    durations.observe(base, 0.0006);
  }
  const a = stripe.series(["shop", "shop_18", "a"]);
  count(a, "mirror_requests_dropped_total", 3, Dropped.queueFull);
  count(a, "mirror_requests_mirrored_total", 9);
  count(a, "mirror_requests_failed_total", 2, Failed.timeout);
  count(a, "mirror_pending_requests", 4);
  for (const [type, n] of [[1, 5], [2, 2], [3, 3]] as const) {
    count(a, "mirror_errors_total", n, type);
  }
  return registry.snapshot();
}

const VERSIONS = { primary: "15.18", mirror: "18.4" };

Deno.test("reportOf: sums over users, names every reason, and has the promised shape", () => {
  assert.deepEqual(reportOf(sample(), VERSIONS), {
    primary: { version: "15.18" },
    mirror: { version: "18.4" },
    requests: {
      seen: 20,
      excluded: {
        sampled_out: 0,
        level: 0,
        replication: 0,
        cancelled: 0,
        client_gone: 2,
        primary_lost: 0,
        unsupported: 0,
        rolled_back: 0,
        rule: 0,
        unsafe: 0,
      },
      dropped: {
        queue_full: 3,
        too_large: 0,
        mirror_down: 0,
        session_tainted: 0,
        paused: 0,
        shutdown: 0,
        removed: 0,
      },
      replayed: 9,
      failed: { connection: 0, timeout: 2, protocol: 0, internal: 0 },
      pending: 4,
    },
    errors: { connection: 0, query: 5, timeout: 2, buffer_full: 3 },
    latency_ms: {
      // Interpolated in the bucket from 0.5 to 1 ms.
      primary: { p50: 0.75, p99: 0.995 },
      mirror: { p50: null, p99: null },
    },
  });
});

Deno.test("summaryText: says what was lost, what broke and which tables differ", () => {
  const text = summaryText({
    report: reportOf(sample(), VERSIONS),
    workload: {
      elapsedMs: 1000,
      statements: 12_345,
      errorsExpected: 6,
      errorsUnexpected: 1,
      steps: {},
      unexpected: ["copy in: 08006 gone"],
    },
    breakages: 4,
    tables: 6,
    differing: ["stock"],
  });
  for (
    const part of [
      /seen on the primary +│ +20 /,
      /dropped +│ +3 │ queue_full 3 /,
      /failed +│ +2 │ timeout 2 /,
      /pending +│ +4 /,
      /primary, PostgreSQL 15.18 +│ 0.75 ms │ +0.99 ms/,
      /mirror, PostgreSQL 18.4 +│ +- │ +- /,
      /12,345 statements; 6 failed as they should, 1 did not/,
      /\n {2}copy in: 08006 gone\n/,
      /5 statements worked on PostgreSQL 15.18 and failed on PostgreSQL 18.4; 4 of them/,
      /differ between the servers: stock\./,
    ]
  ) {
    assert.match(text, part);
  }
});
