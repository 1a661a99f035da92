import type {
  PluginContext,
  SeriesSnapshot,
  StatsSnapshot,
} from "../../src/plugin/api.ts";

/** One metric family, as both formats can say it. */
export interface Family {
  /** With the namespace; a counter's ends in `_total`, an info's in `_info`. */
  readonly name: string;
  readonly help: string;
  /** The text format has no name for the last two and calls them gauges. */
  readonly type: "counter" | "gauge" | "histogram" | "info" | "stateset";
  /** Histograms only: upper bounds, ascending, without +Inf. */
  readonly buckets?: readonly number[];
  /** State sets only: the label that has the state. */
  readonly stateLabel?: string;
  readonly series: readonly SeriesSnapshot[];
}

/** Metrics of which exactly one series is 1: it names a state. */
const STATE_SETS: readonly string[] = ["mirror_readiness_state"];

/** The registry's metrics of one snapshot, so that they agree with each other. */
export function registryFamilies(
  snapshot: StatsSnapshot,
  namespace: string,
): Family[] {
  return snapshot.metrics.filter(({ spec }) => spec.internal !== true)
    .map(({ spec, series }): Family => {
      const { help, type, buckets, label } = spec;
      const name = namespace + spec.name;
      if (label !== undefined && STATE_SETS.includes(spec.name)) {
        return { name, help, type: "stateset", stateLabel: label.name, series };
      }
      return buckets === undefined
        ? { name, help, type, series }
        : { name, help, type, buckets, series };
    });
}

/** What runs, as a label. */
export function buildInfo(
  { version }: PluginContext,
  namespace: string,
): Family {
  return {
    name: `${namespace}build_info`,
    help: "Always 1; the version is a label",
    type: "info",
    series: [{ labels: { version }, value: 1 }],
  };
}
