import type { Shape } from "../sql/shape.ts";
import { RESULTS } from "../stats/mod.ts";

/** A difference that somebody has looked at and accepted. */
export interface IgnoreRule {
  readonly fingerprint: string | undefined;
  readonly sqlstate: string | undefined;
  /** A class of mismatch, without its `mismatch_`. */
  readonly class: string | undefined;
  /** Milliseconds since the epoch from which it holds no longer. */
  readonly until: number;
}

/** Joins the `[[ignore]]` rules into one question; the first rule that fits answers. */
export function createIgnore(rules: readonly IgnoreRule[]) {
  return (
    shape: Shape,
    result: number,
    mirrorSqlstate: string,
    primarySqlstate: string,
  ): boolean =>
    rules.some((rule) =>
      (rule.fingerprint === undefined ||
        rule.fingerprint === shape.fingerprint) &&
      (rule.sqlstate === undefined ||
        rule.sqlstate === mirrorSqlstate ||
        rule.sqlstate === primarySqlstate) &&
      (rule.class === undefined ||
        `mismatch_${rule.class}` === RESULTS[result]) &&
      Date.now() < rule.until
    );
}
