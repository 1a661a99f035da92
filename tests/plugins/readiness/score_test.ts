import assert from "node:assert/strict";
import type { Evidence } from "../../../plugins/readiness/evidence.ts";
import { assess, type Gate, GATES } from "../../../plugins/readiness/score.ts";
import {
  readinessSchema,
  type Thresholds,
} from "../../../plugins/readiness/thresholds.ts";
import { EVICTED, type StatementSummary } from "../../../src/stats/mod.ts";
import { latencyOf, NO_LATENCY } from "../../support/sketches.ts";

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
  parts: Partial<StatementSummary> = {},
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
    ...latencyOf([100, 10, 10]),
    firstSeen: 0,
    lastSeen: 0,
    masked: {},
    drifted: [],
    examples: [],
    ...parts,
  };
}

Deno.test("assess: what a rule left out bounds the verdict, what is unsafe is only said", () => {
  const verdict = (over: Partial<Evidence>) =>
    assess({ ...GOOD, ...over }, THRESHOLDS);
  const unsafe = verdict({
    seen: 300_003,
    excluded: 3,
    reasons: { "excluded unsafe": 3 },
  });
  assert.equal(unsafe.state, "READY");
  assert.equal(
    unsafe.headline,
    "READY for all but 3 requests excluded as unsafe",
  );
  assert.match(
    unsafe.gates.find(({ gate }) => gate === "coverage")?.sentence ?? "",
    / 3 requests were excluded as unsafe\.$/,
  );
  const ruled = verdict({
    seen: 300_003,
    excluded: 3,
    untried: 2,
    reasons: { "excluded rule": 2, "excluded unsafe": 1 },
  });
  assert.equal(ruled.state, "INCONCLUSIVE");
  assert.equal(
    ruled.headline,
    "INCONCLUSIVE for a part of the traffic: 0.0007 % of the requests were not tried, 2 of them by rules of [[exclude]]; 1 request was excluded as unsafe",
  );
  const partial = assess({
    ...GOOD,
    seen: 300_002,
    excluded: 2,
    untried: 2,
    reasons: { "excluded rule": 2 },
  }, { ...THRESHOLDS, scope: "partial" });
  assert.equal(partial.state, "READY");
  assert.match(partial.headline, /^READY for a part of the traffic: .* 2 of/);
  // Beyond the gate's limit it keeps READY away, as all that circumstances leave out.
  const many = verdict({
    seen: 310_000,
    excluded: 10_000,
    reasons: { "excluded unsafe": 10_000 },
  });
  assert.equal(many.state, "INCONCLUSIVE");
});

/** Evidence for READY with 100 points. */
const GOOD: Evidence = {
  seen: 300_000,
  excluded: 0,
  untried: 0,
  dropped: 0,
  withheld: 0,
  replayed: 300_000,
  failed: 0,
  pending: 0,
  requestsWithErrors: 0,
  compared: 1_000_000,
  uncompared: 0,
  mismatches: 0,
  driftedMismatches: 0,
  driftedRequests: 0,
  driftedShapes: 0,
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
  shapes: { seen: 100, different: 0, uncompared: 0 },
  named: { different: ["select different"], uncompared: [] },
  drift: [],
  level: "all",
  clientsInTransaction: 0,
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
  ["coverage", { comparedSeconds: 989 }, "insufficient"],
  ["coverage", { comparedSeconds: 990 }, "pass"],
  ["coverage", { uncompared: 10_101 }, "pass"],
  ["coverage", { uncompared: 10_102 }, "insufficient"],
  // Of 300,000: 1 % that the mirror lost, that nobody asked of it, that was withheld from it.
  ["coverage", { replayed: 297_000, dropped: 3_000 }, "pass"],
  ["coverage", { replayed: 296_999, dropped: 3_001 }, "fail"],
  ["coverage", { replayed: 296_999, excluded: 3_001 }, "insufficient"],
  [
    "coverage",
    { replayed: 296_999, dropped: 3_001, withheld: 1 },
    "insufficient",
  ],
  ["statements", { shapes: { seen: 9, different: 1, uncompared: 0 } }, "fail"],
  ["statements", { shapes: { seen: 9, different: 1, uncompared: 1 } }, "fail"],
  [
    "statements",
    { shapes: { seen: 9, different: 0, uncompared: 1 } },
    "insufficient",
  ],
  ["statements", { shapes: { seen: 9, different: 0, uncompared: 0 } }, "pass"],
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

Deno.test("assess: what may stand behind differences is named, and changes nothing else", () => {
  const drift: Evidence["drift"] = [{
    database: "shop",
    mirror: "next",
    kind: "sequence_drift",
    relation: "public.jobs",
    column: "id",
    sequence: null,
    reason: "not returned",
    since: null,
    mismatches: 1_001,
    noise: 20_000,
    statements: 1,
    cure: "RETURNING id",
  }];
  const noise = drift.map((one) => ({ ...one, mismatches: 0 }));
  const cases: readonly [Partial<Evidence>, Evidence["drift"], string][] = [
    [{ mismatches: 1_001 }, drift, "NOT READY 1"],
    [{ mismatches: 900 }, drift, "READY 0"],
    [{ uncompared: 20_000 }, noise, "INCONCLUSIVE 1"],
    [{ activeHours: 1 }, noise, "INCONCLUSIVE 0"],
  ];
  for (const [changes, found, expected] of cases) {
    const evidence = { ...GOOD, ...changes };
    const { causes, ...verdict } = assess(
      { ...evidence, drift: found },
      THRESHOLDS,
    );
    assert.equal(`${verdict.state} ${causes.length}`, expected);
    const { causes: _none, ...without } = assess(evidence, THRESHOLDS);
    assert.deepEqual(verdict, without);
  }
});

const REGRESSIONS: readonly (readonly [
  what: string,
  latency: Partial<StatementSummary>,
  status: string,
])[] = [
  ["a slower statement", latencyOf([100, 10, 13.5]), "fail"],
  ["a ratio at the limit", latencyOf([100, 10, 12.5]), "pass"],
  ["a difference of 1.8 ms", latencyOf([100, 4, 5.8]), "pass"],
  ["a difference of 2.3 ms", latencyOf([100, 4, 6.3]), "fail"],
  ["what may be chance", latencyOf([30, 10, 10], [10, 10, 40]), "pass"],
  ["29 pairs", latencyOf([29, 10, 150]), "insufficient"],
  ["30 pairs", latencyOf([30, 10, 150]), "fail"],
  ["47 % ten times slower", latencyOf([530, 10, 10], [470, 10, 100]), "fail"],
  ["20 s in 5 %", latencyOf([950, 10, 10], [50, 10, 20_000]), "fail"],
  ["20 calls at 15 times", latencyOf([20, 10, 150]), "insufficient"],
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

Deno.test("assess: latency_regressions names the worst and what is not judged", () => {
  const statements = [
    statement({ text: "select 1" }),
    statement({ text: "select slow", ...latencyOf([100, 10, 30]) }),
    statement({
      text: "select slowest",
      ...latencyOf([940, 10, 10], [60, 10, 20_000]),
    }),
    statement({ text: "select monthly", ...latencyOf([20, 10, 150]) }),
    statement({ fingerprint: EVICTED, ...NO_LATENCY }),
  ];
  const gate = gateOf({ statements }, "latency_regressions");
  assert.deepEqual([gate.status, gate.observed, gate.samples], ["fail", 2, 3]);
  assert.equal(
    gate.sentence,
    "2 of 3 statements are slower on the mirror by more than a factor of 1.25, the worst: select slowest (more than 19610 ms in 6.0 % of the calls, the primary more than 15688 ms in 0.0 %). 1, with fewer than 30 pairs or slower within what chance may do, are not judged yet: select monthly.",
  );
  assert.equal(
    gateOf({ statements: statements.slice(3) }, "latency_regressions").sentence,
    "No statement could be judged yet. 1, with fewer than 30 pairs or slower within what chance may do, are not judged yet: select monthly.",
  );
});

Deno.test("assess: other limits judge the same pairs anew", () => {
  const statements = [statement(latencyOf([100, 10, 30]))];
  const status = (limits: Partial<Thresholds>) =>
    assess({ ...GOOD, statements }, { ...THRESHOLDS, ...limits }).gates
      .find(({ gate }) => gate === "latency_regressions")?.status;
  assert.equal(status({}), "fail");
  assert.equal(status({ maxLatencyRatio: 4 }), "pass");
  assert.equal(status({ min_difference_ms: 30 }), "pass");
  assert.equal(status({ min_pairs: 101 }), "insufficient");
  assert.equal(status({}), "fail");
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
    shapes: { seen: 0, different: 0, uncompared: 0 },
    statements: [],
  };
  for (
    const [changes, reason] of [
      [nothing, "there was no traffic"],
      ...[
        { driftedMismatches: 1_001 },
        { mismatches: 500, driftedMismatches: 501 },
        { driftedMismatches: 2, driftedShapes: 1 },
        { driftedMismatches: 9, driftedRequests: 3_001 },
      ].map((changes) =>
        [
          changes,
          `differences that may come of values which the mirror made by itself say nothing of it: ${changes.driftedMismatches}`,
        ] as const
      ),
      [
        { ...nothing, clientsInTransaction: 2 },
        "no transaction has ended, and 2 clients are idle in one",
      ],
      [
        { level: "ddl", untried: 255_000, seen: 555_000 },
        'it is about DDL only: 45.95 % of the requests were not tried (scope = "partial" in [plugins.readiness] accepts that)',
      ],
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
    // More of the same would not end them.
    assert.equal(
      verdict.recommendation.startsWith("Keep observing"),
      !reason.startsWith("differences"),
    );
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
    /7 that differ as well are accepted by rules/,
  );
});
