import assert from "node:assert/strict";
import { MismatchCounts } from "../../src/judge/mismatch_counts.ts";

const kind = (mirrorSqlstate: string, result = "mismatch_error_on_mirror") => ({
  result,
  mirrorSqlstate,
  primarySqlstate: "00000",
});

Deno.test("MismatchCounts: kinds are told apart by result and both SQLSTATEs", () => {
  const counts = new MismatchCounts();
  counts.add(kind("22003"), 1, 0);
  counts.add(kind("22003"), 1, 1);
  counts.add(kind("42P01"), 1, 0);
  counts.add(kind("22003", "mismatch_sqlstate"), 1, 0);
  assert.deepEqual(counts.snapshot(), [
    { ...kind("22003"), count: 2, requests: 1 },
    { ...kind("42P01"), count: 1, requests: 0 },
    { ...kind("22003", "mismatch_sqlstate"), count: 1, requests: 0 },
  ]);
});

Deno.test("MismatchCounts: what may be drift is told apart, pooled or not", () => {
  const counts = new MismatchCounts();
  const drifted = (code: string) => ({ ...kind(code), mayBeDrift: true });
  counts.add(kind("23503"), 1, 1);
  counts.add(drifted("23503"), 2, 1);
  for (let i = 10; i < 40; i++) counts.add(drifted(`420${i}`), 1, 0);
  counts.add(kind("42099"), 1, 0);
  const pooled = { mirrorSqlstate: null, primarySqlstate: null };
  const shown = counts.snapshot();
  assert.deepEqual(shown.slice(0, 2), [
    { ...kind("23503"), count: 1, requests: 1 },
    { ...drifted("23503"), count: 2, requests: 1 },
  ]);
  assert.deepEqual(shown.slice(20), [
    { ...drifted(""), ...pooled, count: 12, requests: 0 },
    { ...kind(""), ...pooled, count: 1, requests: 0 },
  ]);
});

Deno.test("MismatchCounts: beyond 20 kinds those of a class are pooled, and no count is lost", () => {
  const counts = new MismatchCounts();
  for (let i = 10; i < 60; i++) counts.add(kind(`420${i}`), 1, 1);
  counts.add(kind("00000", "mismatch_rows"), 1, 0);
  // Told apart before: still is.
  counts.add(kind("42010"), 1, 0);
  const shown = counts.snapshot();
  assert.equal(shown.length, 22);
  assert.deepEqual(shown.slice(20), [
    {
      result: "mismatch_error_on_mirror",
      mirrorSqlstate: null,
      primarySqlstate: null,
      count: 30,
      requests: 30,
    },
    {
      result: "mismatch_rows",
      mirrorSqlstate: null,
      primarySqlstate: null,
      count: 1,
      requests: 0,
    },
  ]);
  assert.equal(shown[0]?.count, 2);
  const other = new MismatchCounts();
  other.fold(counts);
  assert.deepEqual(other.snapshot(), shown);
  assert.equal(other.requests, 50);
});
