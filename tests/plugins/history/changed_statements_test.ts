import assert from "node:assert/strict";
import { ChangedStatements } from "../../../plugins/history/changed_statements.ts";
import type { StatementSummary } from "../../../src/plugin/api.ts";

function called(
  fingerprint: string,
  calls: number,
  requests = 0,
): StatementSummary {
  return {
    database: "a",
    mirror: "b",
    fingerprint,
    calls,
    outcomes: [{ requests }],
  } as unknown as StatementSummary;
}

Deno.test("ChangedStatements: each is taken when it has changed, and again if that was not written", () => {
  const changed = new ChangedStatements();
  const take = (...all: StatementSummary[]) =>
    changed.take(all).changed.map(({ fingerprint }) => fingerprint);
  assert.deepEqual(take(called("x", 1), called("y", 1)), ["x", "y"]);
  assert.deepEqual(take(called("x", 1), called("y", 2)), ["y"]);
  // The request that it failed in is counted when that ends.
  assert.deepEqual(take(called("x", 1, 1), called("y", 2)), ["x"]);
  changed.forget();
  assert.deepEqual(take(called("x", 1, 1), called("y", 2)), ["x", "y"]);
});

Deno.test("ChangedStatements: what is gone is told once, and again if that was not written", () => {
  const changed = new ChangedStatements();
  const gone = (...all: StatementSummary[]) =>
    changed.take(all).gone.map(({ fingerprint }) => fingerprint);
  assert.deepEqual(gone(called("x", 1), called("y", 1)), []);
  assert.deepEqual(gone(called("x", 1)), ["y"]);
  changed.forget();
  assert.deepEqual(gone(called("x", 1)), ["y"]);
  assert.deepEqual(gone(called("x", 1)), []);
});
