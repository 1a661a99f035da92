import { resolve } from "node:path";
import { pgdogKey } from "./pgdog_keys.ts";
import type { KeyPath } from "./positions.ts";
import { nearestName, type Problem } from "./problems.ts";
import { generalSchema } from "./schema.ts";
import { whyUnreadable } from "./unreadable.ts";

const PREFIX = "PGDOG_";
/** Keys whose value may be `${NAME}`. */
const SECRET_KEYS: ReadonlySet<unknown> = new Set([
  "password",
  "server_password",
  "stats_password",
  "http_token",
]);

/**
 * Lets `PGDOG_PORT=6433` stand for `port = 6433` in `[general]`. A value is
 * read as its key's type: number, true or false, else text.
 */
export function withEnvironment(
  raw: Record<string, unknown>,
  env: Readonly<Record<string, string>>,
  problems: Problem[],
  warnings: Problem[],
): Record<string, unknown> {
  const names = Object.keys(generalSchema.shape);
  const general = { ...(raw.general as Record<string, unknown> | undefined) };
  for (const [variable, text] of Object.entries(env)) {
    if (!variable.startsWith(PREFIX)) continue;
    const key = variable.slice(PREFIX.length).toLowerCase();
    const place = { file: "environment", line: 0, key: variable };
    if (!names.includes(key)) {
      const foreign = pgdogKey(["general", key], typed(text));
      if (foreign !== undefined) {
        const { severity, message } = foreign;
        (severity === "warning" ? warnings : problems)
          .push({ ...place, message });
        continue;
      }
      const nearest = nearestName(key, names);
      warnings.push({
        ...place,
        message: `overrides nothing${
          nearest ? `; did you mean "${PREFIX}${nearest.toUpperCase()}"?` : ""
        }`,
      });
      continue;
    }
    const value = typed(text);
    const field = generalSchema.shape[key as keyof typeof generalSchema.shape];
    const result = field.safeParse(value);
    const asText = result.success ? result : field.safeParse(text);
    if (asText.success) general[key] = asText.data;
    else {
      problems.push({
        ...place,
        message: asText.error.issues[0]?.message ?? "is not valid",
      });
    }
  }
  return { ...raw, general };
}

function typed(text: string): unknown {
  if (text === "true") return true;
  if (text === "false") return false;
  return text.trim() !== "" && Number.isFinite(Number(text))
    ? Number(text)
    : text;
}

/**
 * Replaces a password or token of the form `${NAME}` by the environment
 * variable's value, and one of the form `${file:PATH}` by the file's text
 * without the end of its last line.
 *
 * @param folder that paths are relative to.
 */
export function withSecrets(
  raw: Record<string, unknown>,
  env: Readonly<Record<string, string>>,
  folder: string,
  problem: (path: KeyPath, message: string) => void,
): Record<string, unknown> {
  return walk(raw, []) as Record<string, unknown>;

  function walk(value: unknown, path: KeyPath): unknown {
    if (Array.isArray(value)) return value.map((v, i) => walk(v, [...path, i]));
    if (
      typeof value === "object" && value !== null && !(value instanceof Date)
    ) {
      return Object.fromEntries(
        Object.entries(value).map(([k, v]) => [k, walk(v, [...path, k])]),
      );
    }
    if (!SECRET_KEYS.has(path.at(-1)) || typeof value !== "string") {
      return value;
    }
    const file = value.match(/^\$\{file:(.+)\}$/)?.[1];
    if (file !== undefined) {
      try {
        return Deno.readTextFileSync(resolve(folder, file))
          .replace(/\r?\n$/, "");
      } catch (error) {
        const found = resolve(folder, file);
        problem(path, `"${found}": ${whyUnreadable(error, found)}`);
        return "";
      }
    }
    const name = value.match(/^\$\{(\w+)\}$/)?.[1];
    if (name === undefined) return value;
    const secret = env[name];
    if (secret === undefined) {
      problem(path, `the environment variable ${name} is not set`);
      return "";
    }
    return secret;
  }
}
