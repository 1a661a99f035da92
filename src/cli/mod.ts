/**
 * The command line.
 *
 * @module
 */

import {
  Command,
  CommanderError,
  InvalidArgumentError,
  Option,
} from "commander";
import { ConfigError, formatProblem } from "../config/mod.ts";
import type { Plugin } from "../plugin/mod.ts";
import { VERSION } from "../control/version.ts";
import { check } from "./check.ts";
import { EXIT_USAGE } from "./exit_codes.ts";
import type { AskOptions } from "./ask.ts";
import { fleetReadiness, type JudgeFleet } from "./fleet.ts";
import { readiness, report } from "./readiness.ts";
import { run } from "./run.ts";
import { Signals } from "./signals.ts";
import { top } from "./top/mod.ts";

const CONFIG_OPTION = [
  "--config <file>",
  "configuration",
  "pgdog.toml",
] as const;

const USERS_OPTION = [
  "--users <file>",
  "more [[users]], as PgDog's users.toml",
] as const;

const URL_OPTION = [
  "--url <url>",
  "the proxy's HTTP address; default: from the configuration",
] as const;

/** What `check` takes. */
interface CheckFlags {
  readonly users?: string;
  readonly config: string;
  readonly connect: boolean;
  readonly force: boolean;
  readonly format: "text" | "json";
  readonly user?: string;
  readonly passwordFile?: string;
}

const TOKEN_OPTION = [
  "--token <token>",
  "its http_token; better in PGDOG_HTTP_TOKEN, which no list of processes shows",
] as const;

/** What `readiness`, `report` and `top` have in common. */
interface AskFlags {
  readonly config: string;
  readonly url?: string;
  readonly token?: string;
}

/** Flags of `readiness`. */
interface ReadinessFlags extends AskFlags {
  readonly format: "text" | "json";
  readonly prometheus?: string;
  readonly job: string;
  readonly namespace: string;
}

function asking({ config, url, token }: AskFlags): AskOptions {
  return {
    configPath: config,
    ...(url === undefined ? {} : { url }),
    ...(token === undefined ? {} : { token }),
  };
}

/**
 * Runs the program and ends the process with its exit code.
 *
 * @param args without the program's name.
 * @param plugins the built-in ones.
 * @param judgeFleet the readiness plugin's; handed in, because `src` does not know plugins.
 * @param signals caught since the process began, if it is to run the proxy.
 */
export async function main(
  args: readonly string[],
  plugins: readonly Plugin[],
  judgeFleet: JudgeFleet,
  signals?: Signals,
): Promise<never> {
  let code = 0;
  const program = new Command("pgdog-mirror")
    .description("Relays PostgreSQL, replays the same transactions on a mirror")
    .version(VERSION, "--version")
    .helpOption("--help")
    .exitOverride();
  program.command("run", { isDefault: true })
    .description("run the proxy")
    .option(...CONFIG_OPTION)
    .option(...USERS_OPTION)
    .action(async ({ config, users }: { config: string; users?: string }) => {
      code = await run({
        configPath: config,
        usersPath: users,
        plugins,
        signals: signals ?? new Signals(),
      });
    });
  program.command("check")
    .description("check a configuration and say every problem with its line")
    .option(...CONFIG_OPTION)
    .option(...USERS_OPTION)
    .option(
      "--connect",
      "log in to primary and mirror and compare them: exit 0 alike, 1 warnings, 2 errors",
      false,
    )
    .option("--user <name>", "user for source databases, with --connect")
    .option("--password-file <file>", "its password, with --connect")
    .option("--force", "compare even a mirror that is the primary", false)
    .addOption(
      new Option("--format <format>").choices(["text", "json"])
        .default("text"),
    )
    .action(async ({ config, users, connect, ...options }: CheckFlags) => {
      if (!connect) {
        code = await check({ configPath: config, usersPath: users, plugins });
        return;
      }
      // Loaded here: a proxy that runs has no use for it.
      const { doctor } = await import("./doctor/mod.ts");
      code = await doctor({
        configPath: config,
        usersPath: users,
        ...options,
      });
    });
  program.command("readiness")
    .description(
      "ask a running proxy: exit 0 READY, 1 NOT READY, 3 INCONCLUSIVE",
    )
    .option(...CONFIG_OPTION)
    .option(...URL_OPTION)
    .option(...TOKEN_OPTION)
    .addOption(
      new Option("--format <format>").choices(["text", "json"])
        .default("text"),
    )
    .option(
      "--prometheus <url>",
      "judge all proxies that this Prometheus server scrapes, as one",
    )
    .option("--job <name>", "the scrape job of the proxies", "pgdog-mirror")
    .option(
      "--namespace <prefix>",
      "openmetrics_namespace of the proxies",
      metricPrefix,
      "pgdog_",
    )
    .action(async (options: ReadinessFlags) => {
      const { prometheus, format } = options;
      code = prometheus === undefined
        ? await readiness({ ...asking(options), format })
        : await fleetReadiness({ ...options, prometheus, judgeFleet });
    });
  program.command("report")
    .description("print a running proxy's document for the change ticket")
    .option(...CONFIG_OPTION)
    .option(...URL_OPTION)
    .option(...TOKEN_OPTION)
    .addOption(
      new Option("--format <format>").choices(["markdown", "html", "json"])
        .default("markdown"),
    )
    .action(
      async (options: AskFlags & { format: "markdown" | "html" | "json" }) => {
        code = await report({ ...asking(options), format: options.format });
      },
    );
  program.command("top")
    .description(
      "watch a running proxy: verdict, ledger, latencies, worst statements",
    )
    .option(...CONFIG_OPTION)
    .option(...URL_OPTION)
    .option(...TOKEN_OPTION)
    .action(async (options: AskFlags) => {
      code = await top(asking(options));
    });
  program.command("demo")
    .description("two real servers, a workload, a broken statement found")
    .option("--duration <seconds>", "how long", positiveNumber, 30)
    .option("--json", "the last line is one JSON object", false)
    .option("--keep", "leave it running until Ctrl-C", false)
    .action(async (
      options: { duration: number; json: boolean; keep: boolean },
    ) => {
      // Loaded here: a proxy that runs has no use for a driver and two servers.
      const { demo } = await import("./demo/command.ts");
      code = await demo({
        durationSeconds: options.duration,
        json: options.json,
        keep: options.keep,
        plugins,
      });
    });
  try {
    await program.parseAsync([...args], { from: "user" });
  } catch (error) {
    code = problemCode(error);
  }
  Deno.exit(code);
}

function positiveNumber(text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new InvalidArgumentError("It must be above 0.");
  return value;
}

function metricPrefix(text: string): string {
  if (/^([a-zA-Z_][a-zA-Z0-9_]*)?$/.test(text)) return text;
  throw new InvalidArgumentError("It must be the beginning of a metric name.");
}

/** Says what went wrong and gives the exit code. */
function problemCode(error: unknown): number {
  if (error instanceof CommanderError) {
    return error.exitCode === 0 ? 0 : EXIT_USAGE;
  }
  const text = error instanceof ConfigError
    ? error.problems.map(formatProblem).join("\n")
    : (error as Error).message;
  console.error(text);
  return EXIT_USAGE;
}
