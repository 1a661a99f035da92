import { isMismatch, RESULTS } from "./ledger.ts";

/** A difference that somebody has looked at and accepted: a rule of `[[ignore]]`. */
export interface IgnoreRule {
  readonly fingerprint: string | undefined;
  /** Of either side. */
  readonly sqlstate: string | undefined;
  /** A class of mismatch or of noise, without its `mismatch_` or `noise_`. */
  readonly class: string | undefined;
  readonly reason: string;
  /** Milliseconds since the epoch from which it holds no longer; Infinity: it always does. */
  readonly until: number;
}

/** A result that a rule may accept. Null: the sides had several SQLSTATEs, which are not known apart. */
export interface Difference {
  readonly fingerprint: string;
  /** One of RESULTS. */
  readonly result: string;
  readonly mirrorSqlstate: string | null;
  readonly primarySqlstate: string | null;
}

/** Whether the rule's day has not come. */
export function isInForce({ until }: IgnoreRule, now: number): boolean {
  return now < until;
}

/** Whether all that the rule names fits. Noise is accepted by a rule that names its class only. */
export function fits(rule: IgnoreRule, of: Difference): boolean {
  const { fingerprint, sqlstate } = rule;
  return (fingerprint === undefined || fingerprint === of.fingerprint) &&
    (sqlstate === undefined || sqlstate === of.mirrorSqlstate ||
      sqlstate === of.primarySqlstate) &&
    (rule.class === undefined
      ? isMismatch(RESULTS.findIndex((name) => name === of.result))
      : of.result === `mismatch_${rule.class}` ||
        of.result === `noise_${rule.class}`);
}
