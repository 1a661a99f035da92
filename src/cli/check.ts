import { readMaterial } from "../control/certificates.ts";
import { ConfigError, formatProblem, loadConfig } from "../config/mod.ts";
import type { Plugin } from "../plugin/mod.ts";
import { EXIT_USAGE } from "./exit_codes.ts";

/** What `check` looks at. */
export interface CheckOptions {
  readonly configPath: string;
  /** More `[[users]]`. */
  readonly usersPath?: string | undefined;
  readonly plugins: readonly Plugin[];
}

/** Checks a configuration file: every problem and every warning, each with its line. */
export async function check(options: CheckOptions): Promise<number> {
  const { configPath: path, usersPath } = options;
  try {
    const { config, warnings } = await loadConfig({
      path,
      usersPath,
      env: Deno.env.toObject(),
    });
    for (const warning of warnings) {
      console.error(`warning: ${formatProblem(warning)}`);
    }
    const { version } = await readMaterial(config);
    if (version !== "") console.log(`${path}: TLS by ${version}`);
    console.log(`${path}: ok`);
    return 0;
  } catch (error) {
    if (!(error instanceof ConfigError)) {
      console.error(`${path}: ${(error as Error).message}`);
      return EXIT_USAGE;
    }
    for (const problem of error.problems) console.error(formatProblem(problem));
    return EXIT_USAGE;
  }
}
