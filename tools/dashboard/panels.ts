import {
  BigValueColorMode,
  BigValueGraphMode,
  BigValueJustifyMode,
  BigValueTextMode,
  type DataSourceRef,
  FieldColorModeId,
  type FieldConfig,
  GraphDrawStyle,
  LegendDisplayMode,
  MappingType,
  type Panel,
  PercentChangeColorMode,
  SortOrder,
  StackingMode,
  type ThresholdsConfig,
  ThresholdsMode,
  TooltipDisplayMode,
  type ValueMapping,
  VisibilityMode,
  VizOrientation,
} from "@grafana/schema";
import type { Options as StatOptions } from "@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen";
import type {
  FieldConfig as TimelineFieldConfig,
  Options as TimelineOptions,
} from "@grafana/schema/dist/esm/raw/composable/statetimeline/panelcfg/x/StateTimelinePanelCfg_types.gen";
import type { Options as TableOptions } from "@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen";
import type {
  FieldConfig as TimeSeriesFieldConfig,
  Options as TimeSeriesOptions,
} from "@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen";

/** One expression, and what its series are called. */
export interface Query {
  readonly expr: string;
  /** `{{label}}` is the label's value. */
  readonly legend: string;
}

/** What every panel must say. */
export interface PanelText {
  readonly title: string;
  /** What is seen, what is normal. */
  readonly description: string;
  /** Grafana's id of the unit. */
  readonly unit: string;
  readonly queries: readonly Query[];
  /** Of the 24 columns. */
  readonly width: number;
  readonly height: number;
}

/** A panel before it has a place. */
export type Unplaced = Omit<Panel, "id" | "gridPos"> & {
  readonly width: number;
  readonly height: number;
};

/** The variable that holds the data source. */
export const DATASOURCE: DataSourceRef = {
  type: "prometheus",
  uid: "${datasource}",
};

/** Texts and colours of values. */
export type Meanings = Readonly<
  Record<string, { readonly text: string; readonly color: string }>
>;

/** Big values. */
export function stat(
  text: PanelText & {
    readonly meanings?: Meanings;
    readonly thresholds?: ThresholdsConfig;
    readonly decimals?: number;
  },
): Unplaced {
  const options: StatOptions = {
    colorMode: text.meanings === undefined && text.thresholds === undefined
      ? BigValueColorMode.Value
      : BigValueColorMode.Background,
    graphMode: BigValueGraphMode.None,
    justifyMode: BigValueJustifyMode.Auto,
    orientation: VizOrientation.Auto,
    percentChangeColorMode: PercentChangeColorMode.Standard,
    reduceOptions: { calcs: ["lastNotNull"], values: false },
    showPercentChange: false,
    textMode: text.queries.length > 1 || text.meanings !== undefined
      ? BigValueTextMode.ValueAndName
      : BigValueTextMode.Auto,
    wideLayout: true,
  };
  return panel("stat", text, { ...options }, {
    ...(text.meanings ? { mappings: [mapping(text.meanings)] } : {}),
    ...(text.thresholds ? { thresholds: text.thresholds } : {}),
    ...(text.decimals === undefined ? {} : { decimals: text.decimals }),
    noValue: "no data",
  }, { instant: true });
}

/** Lines over time, or areas that add up. */
export function timeSeries(
  text: PanelText & { readonly stacked?: boolean; readonly max?: number },
): Unplaced {
  const options: TimeSeriesOptions = {
    legend: {
      calcs: ["lastNotNull", "max"],
      displayMode: LegendDisplayMode.Table,
      placement: "bottom",
      showLegend: true,
    },
    tooltip: { mode: TooltipDisplayMode.Multi, sort: SortOrder.Descending },
  };
  const custom: TimeSeriesFieldConfig = {
    drawStyle: GraphDrawStyle.Line,
    fillOpacity: text.stacked ? 30 : 5,
    lineWidth: 1,
    showPoints: VisibilityMode.Never,
    stacking: {
      group: "A",
      mode: text.stacked ? StackingMode.Normal : StackingMode.None,
    },
  };
  return panel("timeseries", text, { ...options }, {
    color: { mode: FieldColorModeId.PaletteClassicByName },
    custom: { ...custom },
    min: 0,
    ...(text.max === undefined ? {} : { max: text.max }),
  });
}

/** A row for each series, coloured by its value over time. */
export function stateTimeline(
  text: PanelText & { readonly meanings: Meanings },
): Unplaced {
  const options: TimelineOptions = {
    legend: {
      calcs: [],
      displayMode: LegendDisplayMode.List,
      placement: "bottom",
      showLegend: true,
    },
    mergeValues: true,
    rowHeight: 0.9,
    showValue: VisibilityMode.Auto,
    tooltip: { mode: TooltipDisplayMode.Single, sort: SortOrder.None },
  };
  const custom: TimelineFieldConfig = { fillOpacity: 70, lineWidth: 0 };
  return panel("state-timeline", text, { ...options }, {
    custom: { ...custom },
    mappings: [mapping(text.meanings)],
  });
}

/** The series of all queries as columns, joined by their labels. */
export function table(
  text: PanelText & {
    /** What becomes of a column: its title, or null to leave it out. */
    readonly columns: Readonly<Record<string, string | null>>;
    /** A column's title; the highest value comes first. */
    readonly sortBy?: string;
  },
): Unplaced {
  const options: TableOptions = {
    frameIndex: 0,
    showHeader: true,
    ...(text.sortBy === undefined
      ? {}
      : { sortBy: [{ displayName: text.sortBy, desc: true }] }),
  };
  const entries = Object.entries(text.columns);
  const renamed = entries.filter(([, title]) => title !== null);
  return {
    ...panel("table", text, { ...options }, { noValue: "-" }, {
      instant: true,
      format: "table",
    }),
    transformations: [
      { id: "merge", options: {} },
      {
        id: "organize",
        options: {
          excludeByName: Object.fromEntries(
            entries.filter(([, title]) => title === null)
              .map(([name]) => [name, true]),
          ),
          indexByName: Object.fromEntries(
            renamed.map(([name], position) => [name, position]),
          ),
          renameByName: Object.fromEntries(renamed),
        },
      },
    ],
  };
}

/** From green to red at these values. */
export function thresholds(
  steps: readonly (readonly [value: number | null, color: string])[],
): ThresholdsConfig {
  return {
    mode: ThresholdsMode.Absolute,
    steps: steps.map(([value, color]) => ({ value, color })),
  };
}

function mapping(meanings: Meanings): ValueMapping {
  return {
    type: MappingType.ValueToText,
    options: Object.fromEntries(
      Object.entries(meanings).map(([value, { text, color }], index) => [
        value,
        { text, color, index },
      ]),
    ),
  };
}

function panel(
  type: string,
  { title, description, unit, queries, width, height }: PanelText,
  options: Record<string, unknown>,
  defaults: FieldConfig,
  query: Record<string, unknown> = { range: true },
): Unplaced {
  return {
    type,
    title,
    description,
    datasource: DATASOURCE,
    fieldConfig: { defaults: { unit, ...defaults }, overrides: [] },
    options,
    targets: queries.map(({ expr, legend }, i) => ({
      datasource: DATASOURCE,
      editorMode: "code",
      expr,
      legendFormat: legend,
      refId: String.fromCharCode(65 + i),
      ...query,
    })),
    width,
    height,
  };
}
