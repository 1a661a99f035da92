import { z } from "zod";
import { isPgdogKey } from "./pgdog_keys.ts";
import type { KeyPath } from "./positions.ts";
import { ConfigError, type Problem } from "./problems.ts";
import { type User, userSchema } from "./schema.ts";
import { parseToml } from "./toml_file.ts";

const schema = z.strictObject({ users: z.array(userSchema).default([]) });

/**
 * Checks a users.toml: `[[users]]`, and nothing else. Keys that PgDog has and
 * we have not are left out, with a warning.
 *
 * @throws {ConfigError} with every problem.
 */
export function parseUsers(
  text: string,
  file: string,
  env: Readonly<Record<string, string>>,
): { readonly users: readonly User[]; readonly warnings: readonly Problem[] } {
  const { raw, problems, at } = parseToml(text, file, env);
  const warnings: Problem[] = [];
  if (Array.isArray(raw.users)) {
    raw.users = raw.users.map((user, i) => {
      const known = Object.entries(user).filter(([key]) => {
        if (!isPgdogKey("users", key)) return true;
        const what = "is a key of PgDog's that PgDog Mirror does not use";
        warnings.push(at(["users", i, key], what));
        return false;
      });
      return Object.fromEntries(known);
    });
  }
  const parsed = schema.safeParse(raw);
  for (const issue of parsed.error?.issues ?? []) {
    problems.push(
      at(
        issue.path as KeyPath,
        issue.message.replace(/^Invalid input: /, ""),
      ),
    );
  }
  if (!parsed.success || problems.length > 0) throw new ConfigError(problems);
  return { users: parsed.data.users, warnings };
}
