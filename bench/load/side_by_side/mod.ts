/**
 * This proxy beside its peers under load, a table and plots of it: direct,
 * PgBouncer, HAProxy, PgDog if it is there, and this proxy without a mirror and
 * with one that is healthy, slow or dead.
 *
 * ```sh
 * deno task bench:load --write  # a quiet machine and hours
 * deno task bench:load --short  # a look at everything in three minutes
 * ```
 *
 * The exit code is 1 if a client saw an error or a ledger did not close, never
 * because of a time; 2 if something is missing or the command line is wrong.
 * Needs Debian's postgresql-15 (pgbench), pgbouncer and haproxy.
 *
 * @module
 */

import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Field, missingPrograms, startField } from "./field.ts";
import { type Options, parseOptions, USAGE, UsageError } from "./options.ts";
import { plot } from "./plot.ts";
import {
  leftOutOf,
  markdown,
  type Origin,
  type ScenarioResult,
  tableOf,
} from "./report.ts";
import { runCase } from "./runner.ts";
import { SCENARIO } from "./scenarios.ts";
import { writeSection } from "../results.ts";
import { run } from "../support.ts";

const PLOTS = [
  {
    file: "throughput",
    title: "Transactions per second / direct",
    metric: "perSecond",
    baseline: "direct",
  },
  {
    file: "cpu",
    title: "CPU per transaction / PgBouncer in session mode",
    metric: "cpuUs",
    baseline: "pgbouncer, session",
  },
] as const;
const BENCH = fileURLToPath(new URL("../../", import.meta.url));
/** At once, where a scenario has a number of its own. */
const OTHER_CLIENTS = 64;

/** @returns the exit code. */
async function main(args: string[]): Promise<number> {
  let options: Options;
  try {
    options = parseOptions(args);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    console.error(`${error.message}\n\n${USAGE}`);
    return 2;
  }
  const scenarios = options.only.map((name) => ({ name, ...SCENARIO[name] }));
  const targets = new Set(scenarios.flatMap(({ targets }) => targets));
  const missing = await missingPrograms(targets);
  if (missing.length > 0) {
    for (const line of missing) console.error(line);
    return 2;
  }
  const remarks =
    options.pgdog === undefined && targets.has("pgdog, transaction")
      ? ["PgDog is left out: no `--pgdog PATH` was given."]
      : [];
  for (const remark of remarks) console.error(remark);

  const problems: string[] = [];
  const results: ScenarioResult[] = [];
  await using field = await startField({
    targets,
    clients: Math.max(...options.clients, OTHER_CLIENTS),
    scale: options.scale,
    pgdog: options.pgdog,
  });
  for (const scenario of scenarios) {
    const contenders = field.contenders.filter(({ name }) =>
      scenario.targets.includes(name)
    );
    const cases = [];
    for (const each of scenario.cases(options)) {
      cases.push(
        await runCase(
          each,
          contenders,
          options.rounds,
          (problem) => problems.push(problem),
        ),
      );
    }
    const result = { scenario, cases };
    results.push(result);
    console.log(`\n${scenario.title}\n\n${tableOf(result)}`);
    for (const line of leftOutOf(result)) console.log(line);
  }
  const origin = await originOf(options, field, remarks);
  await write(args, options.write, origin, results);
  for (const problem of problems) console.error(`FAILED: ${problem}`);
  console.log(
    problems.length === 0
      ? "No client saw an error, and every ledger closes."
      : `${problems.length} checks failed.`,
  );
  return problems.length === 0 ? 0 : 1;
}

async function originOf(
  { rounds, seconds }: Options,
  { slowness }: Field,
  remarks: readonly string[],
): Promise<Origin> {
  const [bouncer = ""] = (await run("pgbouncer", ["--version"]).catch(() => ""))
    .split("\n");
  const [haproxy = ""] = (await run("haproxy", ["-v"]).catch(() => ""))
    .match(/HAProxy version [\d.]+/) ?? [];
  const programs = [bouncer, haproxy].filter((text) => text !== "");
  return { programs, rounds, seconds, slowness, remarks };
}

/** Draws the plots, and writes the tables if that is wanted: a section for each scenario. */
async function write(
  args: readonly string[],
  isKept: boolean,
  origin: Origin,
  results: readonly ScenarioResult[],
): Promise<void> {
  let folder = isKept ? BENCH : undefined;
  for (const result of results) {
    const { name, title } = result.scenario;
    const plots: string[] = [];
    for (const { file, ...options } of PLOTS) {
      const svg = plot(result.cases, options);
      if (svg === undefined) continue;
      folder ??= await Deno.makeTempDir({ prefix: "pgdog-mirror-load-" });
      const path = join(folder, `load-${name}-${file}.svg`);
      await Deno.writeTextFile(path, svg);
      // As the tree is formatted.
      await run(Deno.execPath(), ["fmt", "--quiet", path]);
      console.log(path);
      plots.push(basename(path));
    }
    if (!isKept) continue;
    await writeSection(
      `Side by side: ${title}`,
      ["deno task bench:load", ...args].join(" "),
      markdown(origin, result, plots),
    );
  }
}

if (import.meta.main) Deno.exitCode = await main(Deno.args);
