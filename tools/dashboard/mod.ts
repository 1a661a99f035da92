/**
 * Writes `monitoring/grafana-dashboard.json`: `deno task dashboard`. It is made
 * here, because the compiler then holds it against Grafana's own types.
 *
 * @module
 */

import {
  type Dashboard,
  DashboardCursorSync,
  type DataQuery,
  type Panel,
  type RowPanel,
  type VariableModel,
  VariableRefresh,
  VariableSort,
} from "@grafana/schema";
import { DATASOURCE } from "./panels.ts";
import { type Section, SECTIONS } from "./sections.ts";

const COLUMNS = 24;
/** Grafana's version of the format: 12's. */
const SCHEMA_VERSION = 41;

/** Prometheus' part of an annotation's query; Grafana's type knows the rest only. */
const VERDICT_CHANGES: DataQuery & { readonly expr: string } = {
  refId: "verdict",
  expr: "changes(mirror:pgdog_verdict:fleet[$__interval]) > 0",
};

/** The dashboard as its file has it. */
export function dashboardJson(): string {
  return JSON.stringify(dashboard(), undefined, 2) + "\n";
}

function dashboard() {
  return {
    uid: "pgdog-mirror",
    title: "PgDog Mirror",
    description:
      "May the mirror take over? The verdict and its gates, and what they rest on. monitoring/README.md explains each number.",
    tags: ["pgdog-mirror", "postgresql"],
    editable: true,
    graphTooltip: DashboardCursorSync.Crosshair,
    refresh: "30s",
    schemaVersion: SCHEMA_VERSION,
    time: { from: "now-6h", to: "now" },
    timezone: "browser",
    templating: { list: variables() },
    annotations: {
      list: [
        {
          name: "Verdict changed",
          datasource: DATASOURCE,
          enable: true,
          iconColor: "purple",
          target: VERDICT_CHANGES,
        },
      ],
    },
    panels: placed(SECTIONS),
  } satisfies Dashboard;
}

function variables(): VariableModel[] {
  return [
    {
      name: "datasource",
      label: "Data source",
      type: "datasource",
      query: "prometheus",
      current: { text: "", value: "" },
    },
    labelVariable("instance", "Proxy", "pgdog_build_info"),
    labelVariable(
      "database",
      "Source database",
      'pgdog_mirror_readiness_statements{instance=~"$instance"}',
    ),
    labelVariable(
      "mirror",
      "Mirror",
      'pgdog_mirror_readiness_statements{instance=~"$instance",database=~"$database"}',
    ),
  ];
}

function labelVariable(
  name: string,
  label: string,
  series: string,
): VariableModel {
  const query = `label_values(${series}, ${name})`;
  return {
    name,
    label,
    type: "query",
    datasource: DATASOURCE,
    query: { query, refId: name },
    refresh: VariableRefresh.onTimeRangeChanged,
    sort: VariableSort.naturalAsc,
    includeAll: true,
    allValue: ".*",
    multi: true,
    current: { text: "All", value: "$__all" },
  };
}

/** Panels from left to right, each section below its heading. */
function placed(sections: readonly Section[]): (Panel | RowPanel)[] {
  const result: (Panel | RowPanel)[] = [];
  let y = 0;
  for (const { title, panels } of sections) {
    result.push({
      type: "row",
      id: result.length + 1,
      title,
      collapsed: false,
      panels: [],
      gridPos: { x: 0, y, w: COLUMNS, h: 1 },
    });
    y += 1;
    let x = 0;
    let rowHeight = 0;
    for (const { width, height, ...panel } of panels) {
      if (x + width > COLUMNS) {
        y += rowHeight;
        x = 0;
        rowHeight = 0;
      }
      const gridPos = { x, y, w: width, h: height };
      result.push({
        ...panel,
        id: result.length + 1,
        gridPos,
      });
      x += width;
      rowHeight = Math.max(rowHeight, height);
    }
    y += rowHeight;
  }
  return result;
}

if (import.meta.main) {
  const file = new URL(
    "../../monitoring/grafana-dashboard.json",
    import.meta.url,
  );
  await Deno.writeTextFile(file, dashboardJson());
}
