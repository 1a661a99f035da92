import * as echarts from "echarts";
import { type CaseResult, type Metric, ratio } from "./figures.ts";
import { type TargetName, TARGETS } from "./field.ts";

/** What a plot shows: a metric of each target against one of them. */
export interface PlotOptions {
  readonly title: string;
  readonly metric: Metric;
  readonly baseline: string;
}

const COLUMNS = 3;
const PANEL = { width: 300, height: 230 };
/** Room for the legend in one line. */
const LEAST_WIDTH = 780;
const MARGIN = { left: 50, top: 90, right: 20, bottom: 85 };
const GAP = { x: 60, y: 80 };

/** Shown in dark pages, too. */
const BACKGROUND = "#ffffff";
/** The same in every panel, whoever is left out of it. */
const COLOURS: Readonly<Record<TargetName, string>> = {
  "direct": "#999999",
  "pgbouncer, session": "#1b7837",
  "pgbouncer, transaction": "#7fbf7b",
  "haproxy": "#e08214",
  "pgdog, transaction": "#b35806",
  "proxy": "#2166ac",
  "proxy, mirror": "#b2182b",
  "proxy, slow mirror": "#762a83",
  "proxy, dead mirror": "#000000",
};

/**
 * Draws ratios over the number of clients, a panel for each workload and mode.
 *
 * @returns SVG; undefined if nothing has the metric at two numbers of clients.
 */
export function plot(
  cases: readonly CaseResult[],
  { title, metric, baseline }: PlotOptions,
): string | undefined {
  const panels = Map.groupBy(
    cases.filter((each) =>
      each.labels.mode !== undefined &&
      ratio(each, baseline, baseline, metric) !== undefined
    ),
    ({ labels }) => `${labels.what}, ${labels.mode}`,
  );
  if (![...panels.values()].some((results) => results.length > 1)) {
    return undefined;
  }
  const columns = Math.min(COLUMNS, panels.size);
  const rows = Math.ceil(panels.size / columns);
  const around = MARGIN.left + MARGIN.right + (columns - 1) * GAP.x;
  const panel = {
    ...PANEL,
    width: Math.max(PANEL.width, (LEAST_WIDTH - around) / columns),
  };
  const width = around + columns * panel.width;
  const height = MARGIN.top + MARGIN.bottom + rows * PANEL.height +
    (rows - 1) * GAP.y;
  const all = [...panels].map(([name, results], index) => {
    const left = MARGIN.left + index % columns * (panel.width + GAP.x);
    const top = MARGIN.top +
      Math.floor(index / columns) * (PANEL.height + GAP.y);
    return { name, results, index, left, top };
  });
  const chart = echarts.init(null, null, {
    renderer: "svg",
    ssr: true,
    width,
    height,
  });
  chart.setOption({
    animation: false,
    backgroundColor: BACKGROUND,
    legend: { bottom: 10, type: "plain", itemGap: 30 },
    title: [
      { text: title, left: "center", top: 10 },
      ...all.map(({ name, left, top }) => ({
        text: name,
        left,
        top: top - 30,
        textStyle: { fontSize: 13 },
      })),
    ],
    grid: all.map(({ left, top }) => ({ left, top, ...panel })),
    xAxis: all.map(({ results, index }) => ({
      gridIndex: index,
      type: "category" as const,
      data: results.map(({ labels }) => `${labels.clients}`),
      name: "clients",
      nameLocation: "middle" as const,
      nameGap: 25,
    })),
    yAxis: all.map(({ index }) => ({
      gridIndex: index,
      type: "value" as const,
      min: 0,
    })),
    series: all.flatMap(({ results, index }) =>
      TARGETS.filter((target) =>
        results.some((result) =>
          ratio(result, target, baseline, metric) !== undefined
        )
      ).map((target) => ({
        type: "line" as const,
        name: target,
        color: COLOURS[target],
        xAxisIndex: index,
        yAxisIndex: index,
        symbolSize: 6,
        data: results.map((result) =>
          ratio(result, target, baseline, metric) ?? null
        ),
      }))
    ),
  });
  const svg = chart.renderToSVGString();
  chart.dispose();
  return svg;
}
