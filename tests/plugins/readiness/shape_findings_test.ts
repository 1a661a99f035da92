import assert from "node:assert/strict";
import { shapeFindings } from "../../../plugins/readiness/shape_findings.ts";
import { RESULTS, type StatementSummary } from "../../../src/stats/mod.ts";
import { NO_LATENCY } from "../../support/sketches.ts";

type Counts = Readonly<Partial<Record<typeof RESULTS[number], number>>>;

function shape(counts: Counts): StatementSummary {
  const none = { counts: [], sum: 0, count: 0 };
  return {
    database: "shop",
    mirror: "next",
    fingerprint: "1",
    text: "select 1",
    outcomes: [],
    calls: Object.values(counts).reduce((sum, n) => sum + n, 0),
    results: RESULTS.map((name) => counts[name] ?? 0),
    rows: 0,
    primary: none,
    mirrorLatency: none,
    ...NO_LATENCY,
    firstSeen: 0,
    lastSeen: 0,
    masked: {},
    drifted: [],
    examples: [],
  };
}

/** What becomes of a shape. */
const CASES: readonly (readonly [Counts, string])[] = [
  [{ match: 1 }, "equal"],
  [{ match_masked: 1 }, "equal"],
  [{ match_unordered: 1, mismatch_rows: 1 }, "equal"],
  // Once may be chance; in two calls, and in half of them, it is the shape.
  [{ mismatch_rows: 1 }, "uncompared"],
  [{ match: 3, mismatch_rows: 1 }, "equal"],
  [{ match: 3, mismatch_rows: 2 }, "equal"],
  [{ match: 2, mismatch_rows: 2 }, "different"],
  [{ match: 1, mismatch_rows: 3 }, "different"],
  [{ mismatch_rows: 2 }, "different"],
  [{ mismatch_rows: 1, mismatch_error_on_mirror: 1 }, "different"],
  // Among calls that are equal: chance has no part in mismatches.
  [{ match: 1_000_000, mismatch_rows: 1_000 }, "equal"],
  [{ match: 1_000_000, mismatch_rows: 1_500 }, "different"],
  [{ match: 1_000, mismatch_rows: 5 }, "equal"],
  [{ match: 1_000, mismatch_rows: 20 }, "different"],
  // A report that was wrong in a third of few calls.
  [{ match: 7, mismatch_rows: 3 }, "equal"],
  [{ match: 6, mismatch_rows: 3 }, "different"],
  [{ match: 1_000, mismatch_rows: 50 }, "different"],
  [{ match: 20, mismatch_rows: 8 }, "different"],
  // Nothing is known of these.
  [{ noise_limit: 1_000 }, "uncompared"],
  [{ skipped_cascade: 1 }, "uncompared"],
  [{ skipped_too_large: 1, note_catalog: 7 }, "uncompared"],
  // They are no evidence, and lack none.
  [{ match_control: 1_000 }, "not seen"],
  [{ match_control: 1_000, skipped_cascade: 2 }, "not seen"],
  [{ match_control: 1_000, mismatch_error_on_mirror: 2 }, "different"],
  [{ note_catalog: 7, note_plan: 1 }, "not seen"],
  [{ skipped_ignored: 7 }, "not seen"],
  // Chance and bounds take a part, and no more.
  [{ match: 990, noise_concurrent_write: 10 }, "equal"],
  [{ match: 900, noise_concurrent_write: 100 }, "equal"],
  [{ match: 700, noise_concurrent_write: 300 }, "uncompared"],
  [{ match: 700, noise_time_boundary: 300 }, "uncompared"],
  [{ match: 1, noise_concurrent_write: 10 }, "uncompared"],
  [{ match: 1, noise_ties: 999 }, "uncompared"],
  [{ match: 700, noise_limit: 300 }, "uncompared"],
  [{ match: 700, skipped_too_large: 300 }, "uncompared"],
  [{ mismatch_rows: 1, noise_limit: 1_000 }, "uncompared"],
  [{ mismatch_rows: 2, noise_limit: 1_000 }, "different"],
];
for (const [counts, expected] of CASES) {
  Deno.test(`shapeFindings: ${JSON.stringify(counts)}`, () => {
    assert.equal(found(counts), expected);
  });
}

Deno.test("shapeFindings: a shape of which nothing says anything is not known", () => {
  const { counts, named } = shapeFindings(
    [shape({ mismatch_rows: 1 }), shape({ match: 1 })],
    (one) => ({
      ...one,
      results: one.results.map((n, i) => RESULTS[i] === "match" ? n : 0),
    }),
  );
  assert.deepEqual(counts, { seen: 2, different: 0, uncompared: 1 });
  assert.deepEqual(named.uncompared, ["select 1"]);
});

function found(counts: Counts): string {
  const summary = shape(counts);
  const { counts: { seen, different, uncompared } } = shapeFindings([summary]);
  if (different === 1) return "different";
  if (uncompared === 1) return "uncompared";
  return seen === 1 ? "equal" : "not seen";
}
