import type { Config } from "../config/mod.ts";
import type { ExcludeRule } from "../stats/mod.ts";

/** The rules of `[[exclude]]`, as they are applied. */
export function excludeRulesOf({ exclude }: Config): ExcludeRule[] {
  return exclude.map((rule) => ({
    user: rule.user,
    database: rule.database,
    applicationName: rule.application_name,
    fingerprint: rule.fingerprint,
    pattern: rule.pattern,
    reason: rule.reason,
  }));
}
