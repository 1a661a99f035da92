import {
  fits,
  type IgnoreRule,
  isInForce,
  RESULTS,
  type StatementSummary,
} from "../../src/plugin/api.ts";

/** What the rules of `[[ignore]]` that are in force accept. */
export interface Accepted {
  readonly mismatches: number;
  /** Replayed requests whose first error on the mirror is accepted. */
  readonly requests: number;
  /** Statements whose noise is accepted. */
  readonly noise: number;
}

/** A rule of `[[ignore]]`, and what it comes to now. */
export interface RuleUse {
  readonly fingerprint: string | null;
  readonly sqlstate: string | null;
  readonly class: string | null;
  readonly reason: string;
  /** The first day on which it holds no longer, as `2030-01-01`; null: it has no end. */
  readonly until: string | null;
  /** `unused`: it holds, and fits nothing that was counted. */
  readonly state: "active" | "expired" | "unused";
  /** Results that it accepts; what several rules accept is the first one's. */
  readonly accepted: number;
  readonly requests: number;
}

type Rules = readonly IgnoreRule[];

/** Looked at anew for each verdict, so that a rule holds for what was counted before it, and ends with its day. */
export function acceptedOf(
  statements: readonly StatementSummary[],
  rules: Rules,
  now: number,
): Accepted {
  let mismatches = 0;
  let requests = 0;
  let noise = 0;
  const inForce = rules.filter((rule) => isInForce(rule, now));
  if (inForce.length === 0) return { mismatches, requests, noise };
  for (const statement of statements) {
    const { fingerprint, outcomes } = statement;
    noise += acceptedNoise(statement, inForce);
    for (const outcome of outcomes) {
      const of = { fingerprint, ...outcome };
      if (!inForce.some((rule) => fits(rule, of))) continue;
      mismatches += outcome.count;
      requests += outcome.requests;
    }
  }
  return { mismatches, requests, noise };
}

/** What may come of values that the mirror has drawn by itself, and no rule accepts. */
export interface Drifted {
  readonly mismatches: number;
  /** Replayed requests whose first error on the mirror is one of these. */
  readonly requests: number;
}

/** Counts it. */
export function driftedOf(
  statements: readonly StatementSummary[],
  rules: Rules,
  now: number,
): Drifted {
  const inForce = rules.filter((rule) => isInForce(rule, now));
  const open = statements.flatMap(({ fingerprint, outcomes }) =>
    outcomes.filter((outcome) =>
      outcome.mayBeDrift === true &&
      !inForce.some((rule) => fits(rule, { fingerprint, ...outcome }))
    )
  );
  return {
    mismatches: open.reduce((sum, { count }) => sum + count, 0),
    requests: open.reduce((sum, { requests }) => sum + requests, 0),
  };
}

/** Whether a rule accepts all that differs in a statement: it names the fingerprint, and nothing besides. */
function isAccepted(
  { fingerprint }: Pick<StatementSummary, "fingerprint">,
  inForce: Rules,
): boolean {
  return inForce.some((rule) =>
    rule.fingerprint === fingerprint && rule.class === undefined &&
    rule.sqlstate === undefined
  );
}

/** A statement without the mismatches that may be drift. @param rules those whose results are gone already. */
export function withoutDrift(
  summary: StatementSummary,
  rules: Rules,
  now: number,
): StatementSummary {
  const inForce = rules.filter((rule) => isInForce(rule, now));
  const { fingerprint, outcomes } = summary;
  const results = [...summary.results];
  for (const { result, count, mayBeDrift, ...outcome } of outcomes) {
    const of = { fingerprint, result, ...outcome };
    if (mayBeDrift !== true || inForce.some((rule) => fits(rule, of))) continue;
    const at = RESULTS.findIndex((name) => name === result);
    results[at] = Math.max(0, (results[at] ?? 0) - count);
  }
  return { ...summary, results };
}

/**
 * A statement without the results that rules in force accept: what remains is
 * judged. One that a rule accepts whole has none left.
 */
export function withoutAccepted(
  summary: StatementSummary,
  rules: Rules,
  now: number,
): StatementSummary {
  const inForce = rules.filter((rule) => isInForce(rule, now));
  if (inForce.length === 0) return summary;
  if (isAccepted(summary, inForce)) {
    return {
      ...summary,
      results: summary.results.map(() => 0),
      drifted: [],
    };
  }
  const { fingerprint, outcomes } = summary;
  const noise = noiseOf(summary.results)
    .map((one) => ({ ...one, ...NO_ERROR }));
  const results = [...summary.results];
  for (const { result, count, ...outcome } of [...outcomes, ...noise]) {
    const of = { fingerprint, result, ...outcome };
    if (!inForce.some((rule) => fits(rule, of))) continue;
    const at = RESULTS.findIndex((name) => name === result);
    results[at] = Math.max(0, (results[at] ?? 0) - count);
  }
  const drifted = summary.drifted.filter((one) =>
    !inForce.some((rule) => fits(rule, { fingerprint, ...one }))
  );
  return { ...summary, results, drifted };
}

/** How many pairs of a statement are noise that a rule accepts. @param inForce rules. */
function acceptedNoise(
  { fingerprint, results }: Pick<StatementSummary, "fingerprint" | "results">,
  inForce: Rules,
): number {
  const isWhole = isAccepted({ fingerprint }, inForce);
  return noiseOf(results).reduce((sum, { result, count }) => {
    const of = { fingerprint, result, ...NO_ERROR };
    const fit = isWhole || inForce.some((rule) => fits(rule, of));
    return sum + (fit ? count : 0);
  }, 0);
}

/** What each rule comes to, in the order of the configuration. */
export function ruleUses(
  statements: readonly StatementSummary[],
  rules: Rules,
  now: number,
): RuleUse[] {
  const counts = rules.map(() => ({ accepted: 0, requests: 0 }));
  for (const { fingerprint, outcomes, results } of statements) {
    const noise = noiseOf(results)
      .map((one) => ({ ...one, ...NO_ERROR, requests: 0 }));
    for (const outcome of [...outcomes, ...noise]) {
      const of = { fingerprint, ...outcome };
      const isNoise = outcome.result.startsWith("noise_");
      const first = counts[
        rules.findIndex((rule) =>
          isInForce(rule, now) &&
          (fits(rule, of) || isNoise && isAccepted({ fingerprint }, [rule]))
        )
      ];
      if (first === undefined) continue;
      first.accepted += outcome.count;
      first.requests += outcome.requests;
    }
  }
  return rules.map((rule, i) => {
    const { accepted, requests } = counts[i] as typeof counts[0]; // one for each
    return {
      fingerprint: rule.fingerprint ?? null,
      sqlstate: rule.sqlstate ?? null,
      class: rule.class ?? null,
      reason: rule.reason,
      until: Number.isFinite(rule.until)
        ? new Date(rule.until).toISOString().slice(0, 10)
        : null,
      state: !isInForce(rule, now)
        ? "expired"
        : accepted === 0
        ? "unused"
        : "active",
      accepted,
      requests,
    };
  });
}

/** What a rule is about, in words. */
export function ruleText(rule: RuleUse): string {
  const parts = (["fingerprint", "class", "sqlstate"] as const)
    .flatMap((key) => rule[key] === null ? [] : [`${key} ${rule[key]}`]);
  return parts.length === 0 ? "every difference" : parts.join(", ");
}

const NO_ERROR = { mirrorSqlstate: "00000", primarySqlstate: "00000" };

function noiseOf(results: readonly number[]) {
  return results.flatMap((count, i) => {
    const result = RESULTS[i] ?? "";
    return count > 0 && result.startsWith("noise_") ? [{ result, count }] : [];
  });
}
