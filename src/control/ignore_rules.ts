import type { Config } from "../config/mod.ts";
import type { IgnoreRule } from "../stats/mod.ts";

/** The rules of `[[ignore]]`, as they are applied. */
export function ignoreRulesOf({ ignore }: Config): IgnoreRule[] {
  return ignore.map((rule) => ({
    fingerprint: rule.fingerprint,
    sqlstate: rule.sqlstate,
    class: rule.class,
    reason: rule.reason,
    until: rule.until === undefined ? Infinity : Date.parse(rule.until),
  }));
}
