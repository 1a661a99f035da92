import assert from "node:assert/strict";
import type { Evidence } from "../../../plugins/readiness/evidence.ts";
import { assess, type Gate, GATES } from "../../../plugins/readiness/score.ts";
import {
  readinessSchema,
  type Thresholds,
} from "../../../plugins/readiness/thresholds.ts";
import type { StatementSummary } from "../../../src/stats/mod.ts";

const THRESHOLDS: Thresholds = {
  ...readinessSchema.parse({}),
  maxErrorRate: 0.01,
  maxLatencyMs: 1_000,
  minRuntimeHours: 24,
  minRequests: 100_000,
  errorThreshold: 100,
  maxLatencyRatio: 1.25,
};

function statement(
  latency: Partial<StatementSummary["latency"]> = {},
): StatementSummary {
  const none = { counts: [], sum: 0, count: 0 };
  return {
    database: "shop",
    mirror: "next",
    fingerprint: "1",
    text: "select slow",
    calls: 100,
    results: [],
    outcomes: [],
    rows: 0,
    primary: none,
    mirrorLatency: none,
    latency: {
      pairs: 100,
      ratio: 1,
      ratioLow: 0.9,
      ratioHigh: 1.1,
      difference: 0,
      pValue: 1,
      ...latency,
    },
    firstSeen: 0,
    lastSeen: 0,
    masked: {},
    examples: [],
  };
}

/** Evidence for READY with 100 points. */
const GOOD: Evidence = {
  seen: 300_000,
  excluded: 0,
  dropped: 0,
  replayed: 300_000,
  failed: 0,
  pending: 0,
  requestsWithErrors: 0,
  compared: 1_000_000,
  mismatches: 0,
  ignored: 0,
  acceptedRequests: 0,
  consecutiveErrors: 0,
  lagP99Seconds: 0.01,
  lagCounts: [],
  mirrorStatements: 1_000_000,
  mirrorSeconds: 2_000,
  mirrorMeanMs: 2,
  replayedSeconds: 1_000,
  comparedSeconds: 1_000,
  shapes: 100,
  comparedShapes: 100,
  stalledSeconds: 0,
  reasons: {},
  since: 0,
  observedHours: 100,
  activeHours: 48,
  metricsEnabled: true,
  compareMode: "rows",
  paused: false,
  statements: [statement()],
};

function gateOf(changes: Partial<Evidence>, gate: string): Gate {
  const found = assess({ ...GOOD, ...changes }, THRESHOLDS).gates
    .find((g) => g.gate === gate);
  assert.ok(found !== undefined);
  return found;
}

Deno.test("assess: good evidence is READY with 100 points", () => {
  const verdict = assess(GOOD, THRESHOLDS);
  assert.equal(verdict.state, "READY");
  assert.equal(verdict.score, 100);
  assert.equal(verdict.recommendation, "Safe to proceed");
  assert.deepEqual(verdict.gates.map(({ gate }) => gate), [...GATES]);
});

/** Each gate at its limit, just below and just above: what it must say. */
const LIMITS: readonly (readonly [
  gate: string,
  changes: Partial<Evidence>,
  status: string,
])[] = [
  ["error_rate", { requestsWithErrors: 2_999 }, "pass"],
  ["error_rate", { requestsWithErrors: 3_000 }, "pass"],
  ["error_rate", { requestsWithErrors: 3_001 }, "fail"],
  ["latency", { mirrorMeanMs: 999 }, "pass"],
  ["latency", { mirrorMeanMs: 1_000 }, "pass"],
  ["latency", { mirrorMeanMs: 1_001 }, "fail"],
  ["runtime", { activeHours: 23.9 }, "insufficient"],
  ["runtime", { activeHours: 24 }, "pass"],
  ["requests", { replayed: 99_999, seen: 99_999 }, "insufficient"],
  ["requests", { replayed: 100_000, seen: 100_000 }, "pass"],
  ["mismatch_rate", { mismatches: 1_000 }, "pass"],
  ["mismatch_rate", { mismatches: 1_001 }, "fail"],
  ["coverage", { replayed: 297_000 }, "pass"],
  ["coverage", { replayed: 296_999 }, "fail"],
  ["coverage", { comparedSeconds: 989 }, "insufficient"],
  ["coverage", { comparedSeconds: 990 }, "pass"],
  ["coverage", { comparedShapes: 98 }, "insufficient"],
  ["coverage", { comparedShapes: 99 }, "pass"],
  ["unknown", { failed: 300 }, "pass"],
  ["unknown", { failed: 301 }, "fail"],
  ["consecutive_errors", { consecutiveErrors: 99 }, "pass"],
  ["consecutive_errors", { consecutiveErrors: 100 }, "fail"],
  ["lag", { lagP99Seconds: 60 }, "pass"],
  ["lag", { lagP99Seconds: 60.1 }, "fail"],
];
for (const [gate, changes, status] of LIMITS) {
  Deno.test(`assess: ${gate} with ${JSON.stringify(changes)} is ${status}`, () => {
    assert.equal(gateOf(changes, gate).status, status);
    const { state } = assess({ ...GOOD, ...changes }, THRESHOLDS);
    const expected = status === "pass"
      ? "READY"
      : status === "fail"
      ? "NOT READY"
      : "INCONCLUSIVE";
    assert.equal(state, expected);
  });
}

const SLOWER = { ratioLow: 1.26, ratio: 1.5, difference: 0.0021, pValue: 1e-9 };
const REGRESSIONS: readonly (readonly [
  what: string,
  latency: Partial<StatementSummary["latency"]>,
  status: string,
])[] = [
  ["a slower statement", SLOWER, "fail"],
  ["an interval that reaches the limit", { ...SLOWER, ratioLow: 1.25 }, "pass"],
  ["a difference of 2 ms", { ...SLOWER, difference: 0.002 }, "pass"],
  ["what may be chance", { ...SLOWER, pValue: 0.2 }, "pass"],
  ["29 pairs", { ...SLOWER, pairs: 29 }, "insufficient"],
  ["30 pairs", { ...SLOWER, pairs: 30 }, "fail"],
];
for (const [what, latency, status] of REGRESSIONS) {
  Deno.test(`assess: latency_regressions with ${what} is ${status}`, () => {
    const gate = gateOf(
      { statements: [statement(latency)] },
      "latency_regressions",
    );
    assert.equal(gate.status, status);
  });
}

Deno.test("assess: among many statements one small p-value is no discovery", () => {
  const statements = Array.from(
    { length: 100 },
    (_, i) => statement(i === 0 ? { ...SLOWER, pValue: 0.01 } : {}),
  );
  assert.equal(gateOf({ statements }, "latency_regressions").status, "pass");
  assert.equal(
    gateOf({ statements: statements.slice(0, 1) }, "latency_regressions")
      .status,
    "fail",
  );
});

Deno.test("assess: never READY without evidence", () => {
  const nothing: Evidence = {
    ...GOOD,
    seen: 0,
    replayed: 0,
    compared: 0,
    mirrorStatements: 0,
    mirrorMeanMs: null,
    lagP99Seconds: null,
    replayedSeconds: 0,
    comparedSeconds: 0,
    shapes: 0,
    comparedShapes: 0,
    statements: [],
  };
  for (
    const [changes, reason] of [
      [nothing, "there was no traffic"],
      [{ metricsEnabled: false }, "metrics are off"],
      [
        { compareMode: "off" },
        'rows are not compared (mirror_compare = "off")',
      ],
      [
        { compareMode: "shape" },
        'rows are not compared (mirror_compare = "shape")',
      ],
      [
        { stalledSeconds: 61, pending: 5, seen: 300_005 },
        "5 requests are pending and none has found its outcome for 61 s",
      ],
    ] as const
  ) {
    const verdict = assess({ ...GOOD, ...changes }, THRESHOLDS);
    assert.equal(verdict.state, "INCONCLUSIVE", reason);
    assert.deepEqual(verdict.reasons, [reason]);
  }
  const { gates } = assess(nothing, THRESHOLDS);
  assert.ok(gates.every(({ status }) => status === "insufficient"));
});

Deno.test("assess: evidence against outweighs evidence that is missing", () => {
  const { state } = assess(
    { ...GOOD, activeHours: 1, mismatches: 500_000 },
    THRESHOLDS,
  );
  assert.equal(state, "NOT READY");
});

Deno.test("assess: the score loses what the issue says, and never falls below 0", () => {
  const score = (changes: Partial<Evidence>) =>
    assess({ ...GOOD, ...changes }, THRESHOLDS).score;
  assert.equal(
    score({ requestsWithErrors: 1_501 }),
    90,
    "above half the limit",
  );
  assert.equal(score({ requestsWithErrors: 3_001 }), 70);
  assert.equal(score({ mirrorMeanMs: 751 }), 95, "above three quarters");
  assert.equal(score({ mirrorMeanMs: 1_001 }), 80);
  assert.equal(score({ activeHours: 1 }), 75);
  assert.equal(score({ seen: 150_000, replayed: 150_000 }), 95, "under twice");
  assert.equal(score({ seen: 10, replayed: 10 }), 75);
  assert.equal(score({ consecutiveErrors: 100 }), 90);
  assert.equal(score({ lagP99Seconds: 61 }), 90);
  assert.equal(
    score({
      requestsWithErrors: 300_000,
      mirrorMeanMs: 9_999,
      activeHours: 0,
      replayed: 10,
      consecutiveErrors: 1_000,
      mismatches: 900_000,
    }),
    0,
  );
});

Deno.test("assess: ignored mismatches stay visible", () => {
  assert.match(
    gateOf({ ignored: 7 }, "mismatch_rate").sentence,
    /7 more are accepted by rules/,
  );
});
