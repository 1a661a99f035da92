import type { Shape } from "../sql/shape.ts";
import { fits, type IgnoreRule, isInForce, RESULTS } from "../stats/mod.ts";

/** Joins the `[[ignore]]` rules into one question, about a mismatch as it happens. */
export function createIgnore(rules: readonly IgnoreRule[]) {
  return (
    { fingerprint }: Shape,
    result: number,
    mirrorSqlstate: string,
    primarySqlstate: string,
  ): boolean =>
    rules.some((rule) =>
      isInForce(rule, Date.now()) &&
      fits(rule, {
        fingerprint,
        result: RESULTS[result] ?? "",
        mirrorSqlstate,
        primarySqlstate,
      })
    );
}
