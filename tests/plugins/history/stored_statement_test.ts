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
  };
  const { results, masked, outcomes } = readStored(JSON.stringify(old));
  assert.equal(results.length, RESULTS.length);
  assert.equal(results[Result.match], 5);
  assert.equal(results[Result.noiseVolatile], 3);
  assert.equal(results[Result.mismatchRows], 3);
  assert.deepEqual(masked, {});
  assert.deepEqual(outcomes, [{
    result: "mismatch_rows",
    mirrorSqlstate: null,
    primarySqlstate: null,
    count: 3,
    requests: 0,
  }]);
});
