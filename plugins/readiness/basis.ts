import type {
  MetricSpec,
  PluginContext,
  StatsSnapshot,
} from "../../src/plugin/api.ts";
import type { ReadinessDocument } from "./document.ts";
import { assess, GATES } from "./score.ts";
import { latencyFindings } from "./latency_regressions.ts";
import { gather, type Surroundings } from "./evidence.ts";
import { evidenceMetrics } from "./evidence_metrics.ts";
import { LIMIT_KEYS, limitOf, type Thresholds } from "./thresholds.ts";

/** Values of `mirror_compare`. */
export const COMPARE_MODES = ["rows", "shape", "off"] as const;

/** Values of `level`. */
export const LEVELS = ["all", "dml", "ddl", "read"] as const;
const SHAPE_KINDS = ["seen", "different", "uncompared"] as const;
type ShapeKind = typeof SHAPE_KINDS[number];

const NOTHING: StatsSnapshot = { at: 0, metrics: [], get: () => undefined };
const NOWHERE: Surroundings = {
  statements: [],
  since: 0,
  observedHours: 0,
  activeHours: 0,
  metricsEnabled: true,
  compareMode: "rows",
  chanceColumns: [],
  values: "",
  ignoreRules: [],
  now: 0,
  stalledSeconds: 0,
  level: "all",
  paused: false,
};

/**
 * What a verdict rests on, as metrics: with them Prometheus knows all that this
 * process knows, so that several proxies can be judged as one (`fleet.ts`).
 *
 * @param last the last document, at most a second old.
 */
export function basisMetrics(
  context: PluginContext,
  thresholds: () => Thresholds,
  last: () => ReadinessDocument | undefined,
): MetricSpec[] {
  const { mirrors, general } = context;
  // Limits are there before there is anything to judge.
  const gates = () => assess(gather(NOTHING, NOWHERE), thresholds()).gates;
  const of = (set: Readonly<Record<string, string>> | undefined) =>
    last()?.mirrors.find(({ database, mirror }) =>
      database === set?.database && mirror === set?.mirror
    );
  const latency = (set: Readonly<Record<string, string>> | undefined) =>
    latencyFindings(of(set)?.evidence.statements ?? [], thresholds());
  return [
    ...evidenceMetrics(mirrors, (set) => of(set)?.evidence),
    {
      name: "mirror_readiness_observed_seconds",
      help:
        "How much time was observed, with traffic or without, earlier runs in the history included",
      type: "gauge",
      scope: "process",
      derive: () => (last()?.evidence.observedHours ?? 0) * 3_600,
    },
    {
      name: "mirror_readiness_statements",
      help:
        "Statement shapes whose latency was judged, those slower on the mirror beyond chance, and those with too few pairs",
      type: "gauge",
      scope: "process",
      sets: mirrors,
      label: { name: "latency", values: ["tested", "slower", "unjudged"] },
      derive: (_get, which, set) => {
        const { tested, slower, unjudged } = latency(set);
        return which === "tested"
          ? tested
          : which === "slower"
          ? slower
          : unjudged;
      },
    },
    {
      name: "mirror_readiness_shapes",
      help:
        "Statement shapes that could be evidence, those compared twice or more and never equal, those never compared",
      type: "gauge",
      scope: "process",
      sets: mirrors,
      label: { name: "comparison", values: SHAPE_KINDS },
      derive: (_get, which, set) =>
        of(set)?.evidence.shapes[which as ShapeKind] ?? 0,
    },
    {
      name: "mirror_readiness_level",
      help: "1 for the configured level of mirroring, 0 for the others",
      type: "gauge",
      scope: "process",
      sets: mirrors,
      label: { name: "level", values: LEVELS },
      derive: (_get, level, set) => of(set)?.evidence.level === level ? 1 : 0,
    },
    {
      name: "mirror_readiness_stalled_seconds",
      help:
        "For how long no request has found its outcome although some are pending",
      type: "gauge",
      scope: "process",
      derive: () => last()?.evidence.stalledSeconds ?? 0,
    },
    {
      name: "mirror_readiness_gate_limit",
      help: "What is allowed, or needed, at each gate",
      type: "gauge",
      scope: "process",
      label: { name: "gate", values: GATES },
      derive: (_get, name) =>
        gates().find(({ gate }) => gate === name)?.limit ?? 0,
    },
    {
      name: "mirror_readiness_limit",
      help: "Configured limits and weights that the verdict is judged by",
      type: "gauge",
      scope: "process",
      label: { name: "limit", values: LIMIT_KEYS },
      derive: (_get, key) => limitOf(thresholds(), key ?? ""),
    },
    {
      name: "mirror_compare_mode",
      help: "1 for the configured way of comparing, 0 for the others",
      type: "gauge",
      scope: "process",
      label: { name: "mode", values: COMPARE_MODES },
      derive: (_get, mode) => general.mirror_compare === mode ? 1 : 0,
    },
    {
      name: "mirror_metrics_enabled",
      help: "1 if the ledger is counted, 0 if mirror_metrics_enabled is false",
      type: "gauge",
      scope: "process",
      derive: () => general.mirror_metrics_enabled === false ? 0 : 1,
    },
  ];
}
