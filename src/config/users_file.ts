import { dirname } from "node:path";
import { parse, TomlError } from "smol-toml";
import { z } from "zod";
import { withSecrets } from "./environment.ts";
import { isPgdogKey } from "./pgdog_keys.ts";
import { type KeyPath, keyText, Positions } from "./positions.ts";
import { ConfigError, type Problem } from "./problems.ts";
import { type User, userSchema } from "./schema.ts";

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
  const positions = new Positions(text);
  const problems: Problem[] = [];
  const warnings: Problem[] = [];
  const at = (path: KeyPath, message: string): Problem => ({
    file,
    line: positions.line(path),
    key: keyText(path),
    message,
  });
  let raw: Record<string, unknown>;
  try {
    raw = parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const message = error.message.split("\n")[0] ?? "not TOML";
    throw new ConfigError([{ file, line: error.line, key: "", message }]);
  }
  raw = withSecrets(
    raw,
    env,
    dirname(file),
    (path, message) => problems.push(at(path, message)),
  );
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
