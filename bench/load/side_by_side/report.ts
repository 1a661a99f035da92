import type { Slowness } from "./field.ts";
import {
  type CaseResult,
  type Metric,
  METRICS,
  middle,
  ratio,
} from "./figures.ts";
import { describe } from "./runner.ts";
import type { ScenarioName } from "./options.ts";
import type { Scenario } from "./scenarios.ts";

/** A scenario, and what came of it. */
export interface ScenarioResult {
  readonly scenario: Scenario & { readonly name: ScenarioName };
  readonly cases: readonly CaseResult[];
}

/** What the figures depend on. */
export interface Origin {
  readonly programs: readonly string[];
  readonly rounds: number;
  readonly seconds: number;
  readonly slowness: Slowness | undefined;
  /** One sentence each. */
  readonly remarks: readonly string[];
}

const NONE = "–";

/** One table: a row for each case and target, medians and ratios. */
export function tableOf({ scenario, cases }: ScenarioResult): string {
  const metrics = (Object.keys(METRICS) as Metric[]).filter((metric) =>
    cases.some((result) =>
      [...result.rounds.keys()].some((target) =>
        middle(result, target, metric) !== undefined
      )
    )
  );
  const ratios = scenario.ratios.filter(([metric]) => metrics.includes(metric));
  const header = [
    "case",
    "target",
    ...metrics.map((metric) => METRICS[metric].title),
    ...ratios.map(([metric, baseline]) =>
      `${METRICS[metric].title} / ${baseline}`
    ),
  ];
  const rows = cases.flatMap((result) =>
    [...result.rounds.keys()].map((target) => [
      describe(result.labels),
      target,
      ...metrics.map((metric) =>
        middle(result, target, metric)?.toFixed(METRICS[metric].digits) ?? NONE
      ),
      ...ratios.map(([metric, baseline]) =>
        ratio(result, target, baseline, metric)?.toFixed(2) ?? NONE
      ),
    ])
  );
  return markdownTable(header, rows);
}

/** Why targets are missing in a scenario's table. */
export function leftOutOf({ cases }: ScenarioResult): string[] {
  const lines = new Set<string>();
  for (const { leftOut, labels } of cases) {
    for (const [target, reason] of leftOut) {
      lines.add(`${target} is left out of "${labels.mode}": ${reason}.`);
    }
  }
  return [...lines];
}

/** A scenario's section of bench/RESULTS.md below its title and command. */
export function markdown(
  { programs, rounds, seconds, slowness, remarks }: Origin,
  result: ScenarioResult,
  plots: readonly string[],
): string {
  const { targets } = result.scenario;
  const lines = [
    "PostgreSQL 15, the load, the proxies and the mirror (PostgreSQL 18) share " +
    `the machine. ${programs.join(", ")}; ${rounds} ` +
    `${
      rounds === 1 ? "round" : "rounds"
    } of ${seconds} s. Ratios are medians ` +
    "of the ratios of each round.",
    ...(slowness !== undefined && targets.includes("proxy, slow mirror")
      ? [slownessLine(slowness)]
      : []),
    ...remarks,
  ];
  return [
    lines.join(" "),
    ...plots.map((plot) => `![${plot}](${plot})`),
    tableOf(result),
    leftOutOf(result).join("\n"),
  ].filter((part) => part !== "").join("\n\n");
}

function slownessLine({ healthyMs, slowMs }: Slowness): string {
  return "The slow mirror hands on what it says after ten times as long; its " +
    "timers have whole milliseconds. A short query takes " +
    `${slowMs.toFixed(2)} ms on it, ${
      healthyMs.toFixed(2)
    } ms on the healthy one.`;
}

function markdownTable(
  header: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const all = [header, ...rows];
  const widths = header.map((_, column) =>
    Math.max(...all.map((row) => row[column]?.length ?? 0))
  );
  const isText = (column: number) => column < 2;
  const line = (cells: readonly string[]) =>
    `| ${
      cells.map((cell, column) =>
        isText(column)
          ? cell.padEnd(widths[column] ?? 0)
          : cell.padStart(widths[column] ?? 0)
      ).join(" | ")
    } |`;
  const rule = `| ${
    widths.map((width, column) =>
      isText(column) ? "-".repeat(width) : "-".repeat(width - 1) + ":"
    ).join(" | ")
  } |`;
  return [line(header), rule, ...rows.map(line)].join("\n");
}
