import { LAG_BUCKETS, type MetricSpec } from "../../src/plugin/api.ts";
import type { Evidence } from "./evidence.ts";

type Counts = Omit<Evidence, "statements">;

/** Counts of a verdict's evidence by their names in metrics, which are those of Prometheus' rules. */
export const EVIDENCE = {
  seen: ({ seen }) => seen,
  excluded: ({ excluded }) => excluded,
  untried: ({ untried }) => untried,
  dropped: ({ dropped }) => dropped,
  withheld: ({ withheld }) => withheld,
  replayed: ({ replayed }) => replayed,
  failed: ({ failed }) => failed,
  pending: ({ pending }) => pending,
  requests_with_errors: ({ requestsWithErrors }) => requestsWithErrors,
  accepted_requests: ({ acceptedRequests }) => acceptedRequests,
  compared: ({ compared }) => compared,
  uncompared: ({ uncompared }) => uncompared,
  mismatches: ({ mismatches }) => mismatches,
  drifted_mismatches: ({ driftedMismatches }) => driftedMismatches,
  drifted_requests: ({ driftedRequests }) => driftedRequests,
  drifted_shapes: ({ driftedShapes }) => driftedShapes,
  accepted_mismatches: ({ ignored }) => ignored,
  mirror_statements: ({ mirrorStatements }) => mirrorStatements,
} satisfies Readonly<Record<string, (evidence: Counts) => number>>;

/** The same of times, in seconds. */
export const EVIDENCE_SECONDS = {
  mirror: ({ mirrorSeconds }) => mirrorSeconds,
  replayed: ({ replayedSeconds }) => replayedSeconds,
  compared: ({ comparedSeconds }) => comparedSeconds,
} satisfies Readonly<Record<string, (evidence: Counts) => number>>;

/** Upper bounds of the lag's buckets, as Prometheus writes them. */
export const LAG_BOUNDS = [...LAG_BUCKETS.map(String), "+Inf"];

/**
 * The evidence of each mirror as its verdict takes it: of the window, with
 * earlier runs, without what rules accept. Prometheus adds up these, so that
 * nobody works it out a second time.
 *
 * @param of the last evidence of a mirror, at most a second old.
 */
export function evidenceMetrics(
  mirrors: readonly Readonly<Record<string, string>>[],
  of: (
    set: Readonly<Record<string, string>> | undefined,
  ) => Evidence | undefined,
): MetricSpec[] {
  const gauge = (
    name: string,
    help: string,
    label: string,
    values: Readonly<Record<string, (evidence: Counts) => number>>,
  ): MetricSpec => ({
    name,
    help,
    type: "gauge",
    scope: "process",
    sets: mirrors,
    label: { name: label, values: Object.keys(values) },
    derive(_get, value, set) {
      const evidence = of(set);
      return evidence === undefined ? 0 : values[value ?? ""]?.(evidence) ?? 0;
    },
  });
  return [
    gauge(
      "mirror_readiness_evidence",
      "What the verdict's window has counted, earlier runs in the history included and what rules accept taken off",
      "kind",
      EVIDENCE,
    ),
    gauge(
      "mirror_readiness_evidence_seconds",
      "Time of the mirror for its statements, and of the primary for what was replayed and compared, in the verdict's window",
      "kind",
      EVIDENCE_SECONDS,
    ),
    gauge(
      "mirror_readiness_lag_requests",
      "Replays in the verdict's window that ended within so many seconds of the primary",
      "bound",
      Object.fromEntries(
        LAG_BOUNDS.map((bound, i) => [
          bound,
          ({ lagCounts }: Counts) =>
            lagCounts.slice(0, i + 1).reduce((sum, n) => sum + n, 0),
        ]),
      ),
    ),
    {
      name: "mirror_readiness_active_seconds",
      help:
        "Observed time with traffic: hours of the window in which replays came at a tenth of their usual rate at least",
      type: "gauge",
      scope: "process",
      sets: mirrors,
      derive: (_get, _label, set) => (of(set)?.activeHours ?? 0) * 3_600,
    },
    {
      name: "mirror_readiness_drifted_columns",
      help:
        "Columns that the mirror fills by itself, and behind which mismatches may stand that no rule accepts",
      type: "gauge",
      scope: "process",
      sets: mirrors,
      derive: (_get, _label, set) =>
        of(set)?.drift.filter(({ mismatches }) => mismatches > 0).length ?? 0,
    },
    {
      name: "mirror_readiness_consecutive_errors",
      help:
        "Errors in a row that no rule accepts, in the verdict's window and since the rules changed",
      type: "gauge",
      scope: "process",
      sets: mirrors,
      derive: (_get, _label, set) => of(set)?.consecutiveErrors ?? 0,
    },
  ];
}
