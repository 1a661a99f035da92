import type { z } from "zod";
import { type PgdogKey, pgdogKey } from "./pgdog_keys.ts";
import type { KeyPath } from "./positions.ts";

/**
 * A copy of a file's tables without the keys that PgDog has and we have not, or
 * undefined if there are none.
 *
 * @param issues what our schema says of them.
 * @param found is told of each.
 */
export function withoutPgdogKeys(
  raw: Record<string, unknown>,
  issues: readonly z.core.$ZodIssue[],
  found: (path: KeyPath, key: PgdogKey) => void,
): Record<string, unknown> | undefined {
  const copy = structuredClone(raw);
  let stripped = false;
  for (const issue of issues) {
    if (issue.code !== "unrecognized_keys") continue;
    const path = issue.path as KeyPath;
    const table = path.reduce<unknown>(
      (value, name) => (value as Record<string | number, unknown>)[name],
      copy,
    ) as Record<string, unknown>;
    for (const key of issue.keys) {
      const known = pgdogKey(
        path.length === 0 ? [key] : [String(path[0]), key],
        table[key],
      );
      if (known === undefined) continue;
      delete table[key];
      stripped = true;
      found([...path, key], known);
    }
  }
  return stripped ? copy : undefined;
}
