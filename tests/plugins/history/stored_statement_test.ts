import assert from "node:assert/strict";
import {
  readStored,
  storedText,
} from "../../../plugins/history/stored_statement.ts";
import {
  Result,
  RESULTS,
  type StatementSummary,
} from "../../../src/stats/mod.ts";
import { latencyOf, NO_LATENCY } from "../../support/sketches.ts";

const summary = {
  fingerprint: "1",
  calls: 7,
  results: RESULTS.map((_, i) => i),
  outcomes: [{
    result: "mismatch_sqlstate",
    mirrorSqlstate: "22003",
    primarySqlstate: "22012",
    count: 17,
    requests: 0,
  }],
  masked: { "id (sequence)": 2 },
  drifted: [{
    column: "public.t.id",
    result: "mismatch_rows",
    mirrorSqlstate: "00000",
    primarySqlstate: "00000",
    count: 3,
  }],
  ...latencyOf([3, 1, 2], [1, 5, 5]),
  examples: [],
} as unknown as StatementSummary;

Deno.test("readStored: what was stored comes back", () => {
  assert.deepEqual(readStored(storedText(summary)), summary);
});

Deno.test("readStored: results of an older version are found by what they were called", () => {
  const old = {
    ...summary,
    results: [5, 0, 1, 0, 2, 0, 0, 3],
    outcomes: undefined,
    masked: undefined,
    drifted: undefined,
    sketch: undefined,
    latency: { pairs: 40, ratio: 1.5, pValue: 0.001 },
  };
  const { results, masked, drifted, outcomes, sketch, latency } = readStored(
    JSON.stringify(old),
  );
  assert.equal(results.length, RESULTS.length);
  assert.equal(results[Result.match], 5);
  assert.equal(results[Result.noiseVolatile], 3);
  assert.equal(results[Result.mismatchRows], 3);
  assert.deepEqual(masked, {});
  assert.deepEqual(drifted, []);
  // A sample's median can't be added: latency is counted anew.
  assert.deepEqual({ sketch, latency }, NO_LATENCY);
  assert.deepEqual(outcomes, [{
    result: "mismatch_rows",
    mirrorSqlstate: null,
    primarySqlstate: null,
    count: 3,
    requests: 0,
  }]);
});
