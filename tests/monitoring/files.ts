import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import type { Panel, RowPanel } from "@grafana/schema";
import dashboard from "../../monitoring/grafana-dashboard.json" with {
  type: "json",
};

export const MONITORING = fileURLToPath(
  new URL("../../monitoring/", import.meta.url),
);

/** A file of `monitoring/`. */
export function shipped(name: string): string {
  return Deno.readTextFileSync(MONITORING + name);
}

export interface Rule {
  readonly record?: string;
  readonly alert?: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** All rules of a file of `monitoring/`. */
export function rulesOf(name: string): Rule[] {
  const { groups } = parse(shipped(name)) as {
    groups: { rules: Rule[] }[];
  };
  return groups.flatMap(({ rules }) => rules);
}

export const RECORDING = rulesOf("prometheus-rules.yaml");
export const ALERTS = rulesOf("prometheus-alerts.yaml");

/** The dashboard's panels, headings left out. */
export const PANELS: readonly Panel[] =
  (dashboard.panels as unknown as (Panel | RowPanel)[])
    .filter((panel): panel is Panel => panel.type !== "row");

export const ANNOTATIONS = dashboard.annotations.list;
export const VARIABLES = dashboard.templating.list;

/** Every PromQL expression that the dashboard has, with where it stands. */
export function dashboardExpressions(): { where: string; expr: string }[] {
  return [
    ...PANELS.flatMap(({ title, targets = [] }) =>
      targets.map(({ expr }) => ({
        where: `panel "${title}"`,
        expr: String(expr),
      }))
    ),
    ...ANNOTATIONS.map(({ name, target }) => ({
      where: `annotation "${name}"`,
      expr: target.expr,
    })),
  ];
}
