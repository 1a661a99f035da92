import { dirname, resolve } from "node:path";
import { parse, TomlError } from "smol-toml";
import type { z } from "zod";
import { crossCheck } from "./cross_check.ts";
import { withEnvironment, withSecrets } from "./environment.ts";
import { isPgdogKey, PGDOG_TABLES } from "./pgdog_keys.ts";
import { type KeyPath, Positions } from "./positions.ts";
import { ConfigError, nearestName, type Problem } from "./problems.ts";
import { type Config, configSchema, TABLES } from "./schema.ts";
import { readTlsFiles } from "./tls_files.ts";
import { checkTlsKeys, withTlsPaths } from "./tls_settings.ts";

/** Where a configuration comes from. */
export interface LoadOptions {
  readonly path: string;
  /** Environment variables: `PGDOG_*` override `[general]`, `${NAME}` in passwords. */
  readonly env: Readonly<Record<string, string>>;
  /** False: certificates and keys are not read; who only asks a proxy need not be allowed to. */
  readonly tlsFiles?: boolean;
}

/** A configuration that can be run. */
export interface Loaded {
  readonly config: Config;
  readonly warnings: readonly Problem[];
}

/**
 * Reads and checks a configuration file.
 *
 * @throws {ConfigError} with every problem, each with its line.
 */
export async function loadConfig(options: LoadOptions): Promise<Loaded> {
  const { path, env, tlsFiles = true } = options;
  let text: string;
  try {
    text = await Deno.readTextFile(path);
  } catch (error) {
    const reason = error instanceof Deno.errors.NotFound
      ? "there is no such file"
      : (error as Error).message;
    throw new ConfigError([{ file: path, line: 0, key: "", message: reason }]);
  }
  const parsed = parseConfig(text, path, env);
  const loaded = tlsFiles ? await withTlsFiles(parsed, text, path) : parsed;
  const mode = (await Deno.stat(path)).mode;
  const hasSecret = /^\s*(password|http_token)\s*=/m.test(text);
  if (mode !== null && (mode & 0o044) !== 0 && hasSecret) {
    return {
      config: loaded.config,
      warnings: [...loaded.warnings, {
        file: path,
        line: 0,
        key: "",
        message:
          `holds a password and can be read by others; run: chmod 600 ${path}`,
      }],
    };
  }
  return loaded;
}

/** Adds what TLS has to say: its keys together, and its files. */
async function withTlsFiles(
  loaded: Loaded,
  text: string,
  file: string,
): Promise<Loaded> {
  const config = withTlsPaths(
    loaded.config,
    (path) => resolve(dirname(file), path),
  );
  const positions = new Positions(text);
  const problems: Problem[] = [];
  const warnings: Problem[] = [...loaded.warnings];
  const to = (list: Problem[]) => (place: KeyPath, message: string) => {
    list.push({
      file,
      line: positions.line(place),
      key: keyText(place),
      message,
    });
  };
  checkTlsKeys(config, to(problems), to(warnings));
  const files = await readTlsFiles(config);
  for (const { place, message } of files.problems) to(problems)(place, message);
  for (const { place, message } of files.warnings) to(warnings)(place, message);
  if (problems.length > 0) throw new ConfigError(problems);
  return { config, warnings };
}

/**
 * Checks a configuration's text.
 *
 * @param file for the problems' places.
 * @throws {ConfigError} with every problem.
 */
export function parseConfig(
  text: string,
  file: string,
  env: Readonly<Record<string, string>>,
): Loaded {
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
    (path, message) => problems.push(at(path, message)),
  );
  raw = withEnvironment(raw, env, problems, warnings);

  let parsed = configSchema.safeParse(raw);
  if (!parsed.success) {
    // PgDog's own keys are dropped with a warning, then the rest is judged.
    const stripped = stripPgdogKeys(
      raw,
      parsed.error.issues,
      (path) =>
        warnings.push(
          at(path, "is a key of PgDog's that PgDog Mirror does not use"),
        ),
    );
    if (stripped !== undefined) parsed = configSchema.safeParse(stripped);
  }
  if (!parsed.success) {
    for (const issue of parsed.error.issues) {
      problems.push(...describe(issue, at));
    }
    throw new ConfigError(problems);
  }
  crossCheck(
    parsed.data,
    (path, message) => problems.push(at(path, message)),
    (path, message) => warnings.push(at(path, message)),
  );
  if (problems.length > 0) throw new ConfigError(problems);
  return { config: parsed.data, warnings };
}

type Issue = z.core.$ZodIssue;

/** A copy without the keys that PgDog knows, or undefined if there are none. */
function stripPgdogKeys(
  raw: Record<string, unknown>,
  issues: readonly Issue[],
  found: (path: KeyPath) => void,
): Record<string, unknown> | undefined {
  const copy = structuredClone(raw);
  let stripped = false;
  for (const issue of issues) {
    if (issue.code !== "unrecognized_keys") continue;
    const path = issue.path as KeyPath;
    for (const key of issue.keys) {
      const known = path.length === 0
        ? PGDOG_TABLES.has(key)
        : isPgdogKey(String(path[0]), key);
      if (!known) continue;
      const table = path.reduce<unknown>(
        (value, name) => (value as Record<string | number, unknown>)[name],
        copy,
      );
      delete (table as Record<string, unknown>)[key];
      stripped = true;
      found([...path, key]);
    }
  }
  return stripped ? copy : undefined;
}

function describe(
  issue: Issue,
  at: (path: KeyPath, message: string) => Problem,
): Problem[] {
  const path = issue.path as KeyPath;
  if (issue.code === "unrecognized_keys") {
    const table = path[0];
    const names = table === undefined
      ? Object.keys(configSchema.shape)
      : Object.keys(TABLES[table as keyof typeof TABLES]?.shape ?? {});
    return issue.keys.map((key) => {
      const nearest = nearestName(key, names);
      return at(
        [...path, key],
        `unknown key${nearest ? `; did you mean "${nearest}"?` : ""}`,
      );
    });
  }
  if (issue.code === "invalid_type" && issue.input === undefined) {
    return [at(path, `is missing; it must be a ${issue.expected}`)];
  }
  return [at(path, issue.message.replace(/^Invalid input: /, ""))];
}

function keyText(path: KeyPath): string {
  return path.reduce<string>(
    (text, part) =>
      typeof part === "number"
        ? `${text}[${part}]`
        : text === ""
        ? part
        : `${text}.${part}`,
    "",
  );
}
