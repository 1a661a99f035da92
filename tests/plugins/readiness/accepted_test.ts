import assert from "node:assert/strict";
import {
  acceptedOf,
  driftedOf,
  ruleText,
  ruleUses,
  withoutAccepted,
  withoutDrift,
} from "../../../plugins/readiness/accepted.ts";
import {
  EVICTED,
  type IgnoreRule,
  type MismatchCount,
  Result,
  RESULTS,
  type StatementSummary,
} from "../../../src/stats/mod.ts";

const NOW = Date.parse("2026-06-01T12:00:00Z");

const rule = (more: Partial<IgnoreRule>): IgnoreRule => ({
  fingerprint: undefined,
  sqlstate: undefined,
  class: undefined,
  reason: "known",
  until: Infinity,
  ...more,
});

const failed = (
  mirrorSqlstate: string | null,
  count: number,
  requests = count,
): MismatchCount => ({
  result: "mismatch_error_on_mirror",
  mirrorSqlstate,
  primarySqlstate: mirrorSqlstate === null ? null : "00000",
  count,
  requests,
});

function statement(
  fingerprint: string,
  outcomes: readonly MismatchCount[],
  noise = 0,
): StatementSummary {
  const results = RESULTS.map(() => 0);
  results[Result.noiseLimit] = noise;
  const drifted = outcomes.map(({ requests: _requests, ...kind }) => ({
    ...kind,
    column: "public.t.id",
  }));
  const known = { fingerprint, outcomes, results, drifted };
  return known as unknown as StatementSummary;
}

const STATEMENTS = [
  statement("a", [failed("22003", 5, 4), failed("42P01", 3)], 7),
  statement("b", [failed("22003", 11)]),
  statement(EVICTED, [failed(null, 20)]),
];

const CASES: readonly (readonly [
  what: string,
  rules: readonly IgnoreRule[],
  mismatches: number,
  requests: number,
])[] = [
  ["no rule", [], 0, 0],
  ["a fingerprint", [rule({ fingerprint: "a" })], 8, 7],
  ["a SQLSTATE", [rule({ sqlstate: "22003" })], 16, 15],
  ["both", [rule({ fingerprint: "b", sqlstate: "22003" })], 11, 11],
  ["a class, evicted included", [rule({ class: "error_on_mirror" })], 39, 38],
  ["another class", [rule({ class: "rows" })], 0, 0],
  ["nothing", [rule({})], 39, 38],
  [
    "what two rules accept counts once",
    [rule({ sqlstate: "22003" }), rule({ fingerprint: "a" })],
    19,
    18,
  ],
  ["its day is over", [rule({ until: NOW })], 0, 0],
  ["its day is not over", [rule({ until: NOW + 1 })], 39, 38],
];
for (const [what, rules, mismatches, requests] of CASES) {
  Deno.test(`acceptedOf: ${what}`, () => {
    const accepted = acceptedOf(STATEMENTS, rules, NOW);
    assert.equal(accepted.mismatches, mismatches);
    assert.equal(accepted.requests, requests);
  });
}

Deno.test("ruleUses: each rule has its state, and what no rule before it accepts", () => {
  const uses = ruleUses(STATEMENTS, [
    rule({ sqlstate: "22003", until: Date.parse("2026-07-01") }),
    rule({ class: "limit", reason: "few rows" }),
    rule({ fingerprint: "a" }),
    rule({ class: "rows" }),
    rule({ class: "error_on_mirror", until: Date.parse("2026-06-01") }),
  ], NOW);
  const [all] = ruleUses(STATEMENTS, [rule({ fingerprint: "a" })], NOW);
  assert.ok((all?.accepted ?? 0) >= 7, "noise of a whole statement counts");
  assert.deepEqual(
    uses.map(({ state, accepted, requests, until }) => [
      state,
      accepted,
      requests,
      until,
    ]),
    [
      ["active", 16, 15, "2026-07-01"],
      ["active", 7, 0, null],
      ["active", 3, 3, null],
      ["unused", 0, 0, null],
      ["expired", 0, 0, "2026-06-01"],
    ],
  );
  assert.equal(uses[1]?.reason, "few rows");
  assert.deepEqual(uses.map(ruleText), [
    "sqlstate 22003",
    "class limit",
    "fingerprint a",
    "class rows",
    "class error_on_mirror",
  ]);
});

/** What remains of a statement, by result. */
function remains(of: StatementSummary, rule: IgnoreRule) {
  const { results } = withoutAccepted(of, [rule], NOW);
  return Object.fromEntries(
    results.flatMap((n, i) => n > 0 ? [[RESULTS[i], n]] : []),
  );
}

Deno.test("withoutAccepted: by a rule for the whole statement nothing remains, by a narrower one the rest", () => {
  const [a] = STATEMENTS as [StatementSummary];
  const all = remains(a, rule({ fingerprint: "b" }));
  assert.equal(all.noise_limit, 7);
  assert.deepEqual(remains(a, rule({ fingerprint: "a" })), {});
  assert.deepEqual(remains(a, rule({ fingerprint: "a", until: NOW })), all);
  const { noise_limit: _noise, ...others } = all;
  assert.deepEqual(remains(a, rule({ class: "limit" })), others);
  assert.deepEqual(remains(a, rule({ class: "ties" })), all);
  const { mismatch_rows: _rows, ...noRows } = all;
  assert.deepEqual(
    remains(a, rule({ fingerprint: "a", class: "rows" })),
    noRows,
  );
});

Deno.test("withoutAccepted: drift stands behind what remains", () => {
  const [a] = STATEMENTS as [StatementSummary];
  const left = (more: Partial<IgnoreRule>) =>
    withoutAccepted(a, [rule(more)], NOW).drifted
      .map(({ mirrorSqlstate }) => mirrorSqlstate);
  assert.deepEqual(left({ fingerprint: "b" }), ["22003", "42P01"]);
  assert.deepEqual(left({ sqlstate: "22003" }), ["42P01"]);
  assert.deepEqual(left({ fingerprint: "a" }), []);
});

Deno.test("acceptedOf: noise of a class that a rule names, or of a statement that it accepts whole", () => {
  const noise = (of: IgnoreRule) => acceptedOf(STATEMENTS, [of], NOW).noise;
  assert.equal(noise(rule({ class: "limit" })), 7);
  assert.equal(noise(rule({ class: "ties" })), 0);
  assert.equal(noise(rule({ fingerprint: "a" })), 7);
  assert.equal(noise(rule({ fingerprint: "b" })), 0);
});

Deno.test("driftedOf: what may be drift and no rule accepts says nothing", () => {
  const drifted = { ...failed("23503", 5, 4), mayBeDrift: true };
  const one = statement("a", [drifted, failed("42P01", 3)]);
  one.results.forEach((_, i) => (one.results as number[])[i] = 0);
  (one.results as number[])[Result.mismatchErrorOnMirror] = 8;
  assert.deepEqual(driftedOf([one], [], NOW), { mismatches: 5, requests: 4 });
  assert.equal(
    withoutDrift(one, [], NOW).results[Result.mismatchErrorOnMirror],
    3,
  );
  // It is gone already.
  const rules = [rule({ sqlstate: "23503" })];
  assert.deepEqual(driftedOf([one], rules, NOW), {
    mismatches: 0,
    requests: 0,
  });
  const left = withoutDrift(withoutAccepted(one, rules, NOW), rules, NOW);
  assert.equal(left.results[Result.mismatchErrorOnMirror], 3);
});
