import { dirname, join, resolve } from "node:path";
import type { z } from "zod";
import { crossCheck } from "./cross_check.ts";
import { withEnvironment } from "./environment.ts";
import { type KeyPath, keyText, Positions } from "./positions.ts";
import { ConfigError, nearestName, type Problem } from "./problems.ts";
import { type Config, configSchema, TABLES } from "./schema.ts";
import { readTlsFiles } from "./tls_files.ts";
import { checkTlsKeys, withTlsPaths } from "./tls_settings.ts";
import { parseToml } from "./toml_file.ts";
import { withoutPgdogKeys } from "./strip_pgdog.ts";
import { whyUnreadable } from "./unreadable.ts";
import { parseUsers, type UsersFile } from "./users_file.ts";

/** Where a configuration comes from. */
export interface LoadOptions {
  readonly path: string;
  /** More `[[users]]`, in a file of their own as PgDog has it. */
  readonly usersPath?: string | undefined;
  /** Environment variables: `PGDOG_*` override `[general]`, `${NAME}` in passwords. */
  readonly env: Readonly<Record<string, string>>;
  /** Who only asks a proxy need not be allowed to read its certificates, nor know its users. */
  readonly asking?: boolean;
}

/** A configuration that can be run. */
export interface Loaded {
  readonly config: Config;
  readonly warnings: readonly Problem[];
  /** A problem that others find, at its place in the file. */
  at(path: KeyPath, message: string): Problem;
}

/**
 * Reads and checks a configuration file.
 *
 * @throws {ConfigError} with every problem, each with its line.
 */
export async function loadConfig(options: LoadOptions): Promise<Loaded> {
  const { path, usersPath, env, asking = false } = options;
  const text = await read(path);
  const more = usersPath === undefined
    ? undefined
    : parseUsers(await read(usersPath), usersPath, env);
  if (asking) return parseConfig(text, path, env, "elsewhere");
  const loaded = await withTlsFiles(
    parseConfig(text, path, env, more),
    text,
    path,
  );
  return {
    ...loaded,
    warnings: [
      ...loaded.warnings,
      ...more?.warnings ?? await unreadUsers(path),
      ...await readableByOthers(path),
      ...usersPath === undefined ? [] : await readableByOthers(usersPath),
    ],
  };
}

/** @throws {ConfigError} */
async function read(file: string): Promise<string> {
  try {
    return await Deno.readTextFile(file);
  } catch (error) {
    const message = whyUnreadable(error, file);
    throw new ConfigError([{ file, line: 0, key: "", message }]);
  }
}

/** A warning if there is a list of users that nobody named. */
async function unreadUsers(configFile: string): Promise<Problem[]> {
  const file = join(dirname(configFile), "users.toml");
  try {
    await Deno.stat(file);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
  const message =
    `lies beside the configuration and is not read; name it with --users ${file}`;
  return [{ file, line: 0, key: "", message }];
}

/** A warning if a file holds a secret and others may read it. */
async function readableByOthers(file: string): Promise<Problem[]> {
  const { mode } = await Deno.stat(file);
  const hasSecret = /^\s*((server_|stats_)?password|http_token)\s*=/m
    .test(await read(file));
  if (mode === null || (mode & 0o044) === 0 || !hasSecret) return [];
  const message =
    `holds a password and can be read by others; run: chmod 600 ${file}`;
  return [{ file, line: 0, key: "", message }];
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
  return { ...loaded, config, warnings };
}

/**
 * Checks a configuration's text.
 *
 * @param file for the problems' places.
 * @param more `[[users]]` from a file of their own, which is perhaps not known here.
 * @throws {ConfigError} with every problem.
 */
export function parseConfig(
  text: string,
  file: string,
  env: Readonly<Record<string, string>>,
  more?: UsersFile | "elsewhere",
): Loaded {
  const { raw: tables, problems, at } = parseToml(text, file, env);
  const warnings: Problem[] = [];
  const raw = withEnvironment(tables, env, problems, warnings);

  let parsed = configSchema.safeParse(raw);
  if (!parsed.success) {
    // PgDog's own keys are told of, then the rest is judged.
    const stripped = withoutPgdogKeys(
      raw,
      parsed.error.issues,
      (path, { severity, message }) =>
        (severity === "warning" ? warnings : problems).push(at(path, message)),
    );
    if (stripped !== undefined) parsed = configSchema.safeParse(stripped);
  }
  if (!parsed.success) {
    for (const issue of parsed.error.issues) {
      problems.push(...describe(issue, at));
    }
    throw new ConfigError(problems);
  }
  const theirs = more === "elsewhere" ? undefined : more;
  const config = {
    ...parsed.data,
    users: [...parsed.data.users, ...theirs?.users ?? []],
  };
  const own = parsed.data.users.length;
  const said = (path: KeyPath, message: string): Problem => {
    const [table, index, ...rest] = path;
    return theirs !== undefined && table === "users" &&
        typeof index === "number" && index >= own
      ? theirs.at([table, index - own, ...rest], message)
      : at(path, message);
  };
  crossCheck(
    config,
    (path, message) => problems.push(said(path, message)),
    (path, message) => warnings.push(said(path, message)),
    { usersElsewhere: more === "elsewhere" },
  );
  if (problems.length > 0) throw new ConfigError(problems);
  return { config, warnings, at };
}

type Issue = z.core.$ZodIssue;

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
