import { z } from "zod";
import type { KeyPath } from "./positions.ts";
import { ConfigError, type Problem } from "./problems.ts";
import { type User, userSchema } from "./schema.ts";
import { withoutPgdogKeys } from "./strip_pgdog.ts";
import { parseToml } from "./toml_file.ts";

const schema = z.strictObject({ users: z.array(userSchema).default([]) });

/** A users.toml that can be used. */
export interface UsersFile {
  readonly users: readonly User[];
  readonly warnings: readonly Problem[];
  /** What is to be said of a key there. */
  at(path: KeyPath, message: string): Problem;
}

/**
 * Checks a users.toml: `[[users]]`, and nothing else.
 *
 * @throws {ConfigError} with every problem.
 */
export function parseUsers(
  text: string,
  file: string,
  env: Readonly<Record<string, string>>,
): UsersFile {
  const { raw, problems, at } = parseToml(text, file, env);
  const warnings: Problem[] = [];
  let parsed = schema.safeParse(raw);
  const stripped = withoutPgdogKeys(
    raw,
    parsed.error?.issues ?? [],
    (path, { severity, message }) =>
      (severity === "warning" ? warnings : problems).push(at(path, message)),
  );
  if (stripped !== undefined) parsed = schema.safeParse(stripped);
  for (const issue of parsed.error?.issues ?? []) {
    problems.push(
      at(
        issue.path as KeyPath,
        issue.message.replace(/^Invalid input: /, ""),
      ),
    );
  }
  if (!parsed.success || problems.length > 0) throw new ConfigError(problems);
  return { users: parsed.data.users, warnings, at };
}
