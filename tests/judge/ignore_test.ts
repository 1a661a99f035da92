import assert from "node:assert/strict";
import { createIgnore } from "../../src/judge/ignore.ts";
import { OTHER_SHAPE } from "../../src/sql/shape.ts";
import { fits, type IgnoreRule, Result } from "../../src/stats/mod.ts";

const SHAPE = { ...OTHER_SHAPE, fingerprint: "0123456789abcdef" };
const ANY: IgnoreRule = {
  fingerprint: undefined,
  sqlstate: undefined,
  class: undefined,
  reason: "known",
  until: Infinity,
};

function ignores(rule: Partial<IgnoreRule>): boolean {
  const ignored = createIgnore([{ ...ANY, ...rule }]);
  return ignored(SHAPE, Result.mismatchSqlstate, "22003", "22012");
}

Deno.test("createIgnore: a rule fits if all that it names fits", () => {
  assert.ok(ignores({}));
  assert.ok(ignores({ fingerprint: SHAPE.fingerprint }));
  assert.ok(!ignores({ fingerprint: "fedcba9876543210" }));
  assert.ok(ignores({ sqlstate: "22003" }), "the mirror's");
  assert.ok(ignores({ sqlstate: "22012" }), "the primary's");
  assert.ok(!ignores({ sqlstate: "42P01" }));
  assert.ok(ignores({ class: "sqlstate" }));
  assert.ok(!ignores({ class: "rows" }));
  assert.ok(!ignores({ class: "sqlstate", sqlstate: "42P01" }));
});

Deno.test("createIgnore: a rule ends with its day, and none ignores nothing", () => {
  assert.ok(ignores({ until: Date.now() + 60_000 }));
  assert.ok(!ignores({ until: Date.now() - 1 }));
  const none = createIgnore([]);
  assert.ok(!none(SHAPE, Result.mismatchRows, "00000", "00000"));
});

Deno.test("fits: noise takes a rule that names its class, pooled SQLSTATEs one that names none", () => {
  const of = (result: string, sqlstate: string | null = "00000") => ({
    fingerprint: SHAPE.fingerprint,
    result,
    mirrorSqlstate: sqlstate,
    primarySqlstate: sqlstate,
  });
  const { fingerprint } = SHAPE;
  assert.ok(!fits({ ...ANY, fingerprint }, of("noise_limit")));
  assert.ok(fits({ ...ANY, class: "limit" }, of("noise_limit")));
  assert.ok(!fits({ ...ANY, class: "limit" }, of("noise_ties")));
  assert.ok(!fits(ANY, of("match")));
  assert.ok(fits({ ...ANY, class: "rows" }, of("mismatch_rows", null)));
  assert.ok(!fits({ ...ANY, sqlstate: "00000" }, of("mismatch_rows", null)));
});
