import { dirname } from "node:path";
import { parse, TomlError } from "smol-toml";
import { withSecrets } from "./environment.ts";
import { type KeyPath, keyText, Positions } from "./positions.ts";
import { ConfigError, type Problem } from "./problems.ts";

/** A file's tables, its secrets filled in. */
export interface TomlFile {
  readonly raw: Record<string, unknown>;
  /** Secrets that are not there. */
  readonly problems: Problem[];
  /** What is to be said of a key, with its line. */
  at(path: KeyPath, message: string): Problem;
}

/**
 * Parses a TOML text.
 *
 * @param file for the problems' places, and what paths are relative to.
 * @throws {ConfigError} if it is not TOML.
 */
export function parseToml(
  text: string,
  file: string,
  env: Readonly<Record<string, string>>,
): TomlFile {
  const positions = new Positions(text);
  const problems: Problem[] = [];
  const at = (path: KeyPath, message: string): Problem => ({
    file,
    line: positions.line(path),
    key: keyText(path),
    message,
  });
  let tables: Record<string, unknown>;
  try {
    tables = parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const message = error.message.split("\n")[0] ?? "not TOML";
    throw new ConfigError([{ file, line: error.line, key: "", message }]);
  }
  const raw = withSecrets(
    tables,
    env,
    dirname(file),
    (path, message) => problems.push(at(path, message)),
  );
  return { raw, problems, at };
}
