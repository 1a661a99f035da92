import {
  type ChanceColumn,
  type IgnoreRule,
  isAside,
  isCompared,
  isMismatch,
  LAG_BUCKETS,
  quantile,
  Result,
  RESULTS,
  type StatementSummary,
  type StatsSnapshot,
  UNTRIED,
  WITHHELD,
} from "../../src/plugin/api.ts";
import {
  acceptedOf,
  driftedOf,
  withoutAccepted,
  withoutDrift,
} from "./accepted.ts";
import { type DriftFinding, driftFindings } from "./drift.ts";
import {
  type NamedShapes,
  type ShapeCounts,
  shapeFindings,
} from "./shape_findings.ts";

/** What a verdict rests on: counts of one mirror, or of all. */
export interface Evidence {
  readonly seen: number;
  readonly excluded: number;
  /** Of these, what the configuration leaves out: by level, by exposure. */
  readonly untried: number;
  readonly dropped: number;
  /** Of these, what the operator withheld from the mirror: paused, shut down, removed. */
  readonly withheld: number;
  readonly replayed: number;
  readonly failed: number;
  readonly pending: number;
  /** Why requests of this run were not replayed, or failed, by `dropped queue_full` and the like. */
  readonly reasons: Readonly<Record<string, number>>;
  /** Replayed with a statement that failed on the mirror only, or failed. */
  readonly requestsWithErrors: number;
  readonly compared: number;
  /** Statements that were neither compared nor set aside: noise, skipped. */
  readonly uncompared: number;
  /** Those that speak against the mirror. */
  readonly mismatches: number;
  /** Those besides that may come of values which the mirror has drawn by itself, and the requests whose first error was one: they say nothing. */
  readonly driftedMismatches: number;
  readonly driftedRequests: number;
  /** Statements that differ as a whole only with these. */
  readonly driftedShapes: number;
  /** Those besides that a rule of the configuration accepts. */
  readonly ignored: number;
  /** Requests whose first error on the mirror a rule accepts: they are not among those with errors. */
  readonly acceptedRequests: number;
  readonly consecutiveErrors: number;
  /** Null without a replay. */
  readonly lagP99Seconds: number | null;
  /** Replays by lag: one for each of LAG_BUCKETS and the overflow. */
  readonly lagCounts: readonly number[];
  readonly mirrorStatements: number;
  readonly mirrorSeconds: number;
  readonly mirrorMeanMs: number | null;
  /** What the primary took for all statements of replayed requests, and for those that were compared. */
  readonly replayedSeconds: number;
  readonly comparedSeconds: number;
  /** What the shapes came to, each by itself. */
  readonly shapes: ShapeCounts;
  readonly named: NamedShapes;
  /** Columns that the mirror fills by itself, behind which differences may stand. */
  readonly drift: readonly DriftFinding[];
  /** Which transactions are mirrored: a value of `level`; of several mirrors with different ones `mixed`. */
  readonly level: string;
  /** Clients that are idle in a transaction now, of whatever database: it is seen when it ends. */
  readonly clientsInTransaction: number;
  /** For how long no request has found its outcome although some are pending. */
  readonly stalledSeconds: number;
  /** The window's begin, in milliseconds since the epoch. */
  readonly since: number;
  /** How much time was observed in it. */
  readonly observedHours: number;
  /** Those of them with traffic: see `activeMs`. */
  readonly activeHours: number;
  readonly metricsEnabled: boolean;
  readonly compareMode: string;
  /** The mirror is paused now: what it would do is not seen. */
  readonly paused: boolean;
  readonly statements: readonly StatementSummary[];
}

/** What the snapshot does not hold. */
export interface Surroundings {
  readonly statements: readonly StatementSummary[];
  /** Default: counted in `statements`. */
  readonly shapes?: ShapeCounts;
  readonly named?: NamedShapes;
  /** Of all mirrors. */
  readonly chanceColumns: readonly ChanceColumn[];
  /** `mirror_values`. */
  readonly values: string;
  readonly level: string;
  /** Default: the registry's. */
  readonly consecutiveErrors?: number;
  /** Those in force apply. */
  readonly ignoreRules: readonly IgnoreRule[];
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly stalledSeconds: number;
  readonly since: number;
  readonly observedHours: number;
  readonly activeHours: number;
  readonly metricsEnabled: boolean;
  readonly compareMode: string;
  /** The mirror is paused now: what it would do is not seen. */
  readonly paused: boolean;
}

/**
 * Gathers the evidence of one mirror, or of all without `of`. Earlier runs
 * count where a history plugin has declared what it knows of them; lag is of
 * this run.
 */
export function gather(
  snapshot: StatsSnapshot,
  around: Surroundings,
  of?: { readonly database: string; readonly mirror: string },
): Evidence {
  const mine = (labels: Readonly<Record<string, string>>) =>
    of === undefined ||
    (labels.database === of.database && labels.mirror === of.mirror);
  const series = (name: string, label?: string, value?: string) =>
    (snapshot.get(name)?.series ?? []).filter(({ labels }) =>
      mine(labels) && (label === undefined || labels[label] === value)
    );
  const sum = (name: string, label?: string, value?: string) =>
    series(name, label, value).reduce((total, s) => total + s.value, 0);
  const sumOf = (name: string, values: readonly string[]) =>
    values.reduce((total, value) => total + sum(name, "reason", value), 0);
  const seconds = (target: string) =>
    series("statement_duration_seconds", "target", target)
      .reduce((total, { histogram }) => total + (histogram?.sum ?? 0), 0);

  /** What a history plugin knows of earlier runs; 0 without one. */
  const earlier = (name: string) => sum(`history_${name}`);

  const failed = sum("mirror_requests_failed_total");
  const mirrorStatements =
    sum("statement_duration_seconds", "target", "mirror") +
    earlier("mirror_statements");
  const mirrorSeconds = seconds("mirror") +
    earlier("mirror_seconds");
  const { ignoreRules, now, chanceColumns, values, ...known } = around;
  const statements = around.statements.filter((summary) =>
    mine({ ...labelsOf(summary) })
  );
  const open = statements.map((statement) =>
    withoutAccepted(statement, ignoreRules, now)
  );
  const shapes = shapeFindings(
    open,
    (statement) => withoutDrift(statement, ignoreRules, now),
  );
  const comparedSeconds = sum("mirror_compared_seconds_total") +
    earlier("compared_seconds");
  const replayedSeconds = sum("mirror_replayed_seconds_total") +
    earlier("replayed_seconds");
  const accepted = acceptedOf(statements, ignoreRules, now);
  const drifted = driftedOf(statements, ignoreRules, now);
  const byResult = new Map<string, number>();
  for (const { labels, value } of series("mirror_statements_total")) {
    const { result = "" } = labels;
    byResult.set(result, (byResult.get(result) ?? 0) + value);
  }
  const results = RESULTS.map((result) => byResult.get(result) ?? 0);
  const uncompared = results.reduce(
    (total, n, i) => total + (isCompared(i) || isAside(i) ? 0 : n),
    earlier("uncompared"),
  );
  const noise = Math.min(uncompared, accepted.noise);
  const lagCounts = series("mirror_replay_lag_seconds")
    .map(({ histogram }) => histogram?.counts ?? [])
    .reduce<number[]>(
      (total, counts) => counts.map((n, i) => n + (total[i] ?? 0)),
      [],
    );
  const lagCount = lagCounts.reduce((total, n) => total + n, 0);
  return {
    seen: sum("mirror_requests_total") + earlier("seen"),
    excluded: sum("mirror_requests_excluded_total") + earlier("excluded"),
    untried: sumOf("mirror_requests_excluded_total", UNTRIED) +
      earlier("untried"),
    dropped: sum("mirror_requests_dropped_total") + earlier("dropped"),
    withheld: sumOf("mirror_requests_dropped_total", WITHHELD) +
      earlier("withheld"),
    replayed: sum("mirror_requests_mirrored_total") + earlier("replayed"),
    failed: failed + earlier("failed"),
    pending: sum("mirror_pending_requests"),
    reasons: reasonsOf(series),
    // What is known of statements may be half a second older than the counts.
    requestsWithErrors: Math.max(
      0,
      failed + sum("mirror_replays_with_errors_total") +
        earlier("requests_with_errors") - accepted.requests -
        drifted.requests,
    ),
    acceptedRequests: accepted.requests,
    compared: results.reduce(
      (total, n, i) => total + (isCompared(i) ? n : 0),
      earlier("compared"),
    ),
    uncompared: uncompared - noise,
    mismatches: Math.max(
      0,
      results.reduce(
        (total, n, i) => total + (isMismatch(i) ? n : 0),
        earlier("mismatches"),
      ) - accepted.mismatches - drifted.mismatches,
    ),
    driftedMismatches: drifted.mismatches,
    driftedRequests: drifted.requests,
    driftedShapes: shapeFindings(open).counts.different -
      shapes.counts.different,
    ignored: accepted.mismatches + (results[Result.skippedIgnored] ?? 0) +
      earlier("ignored"),
    consecutiveErrors: series("mirror_consecutive_errors")
      .reduce((max, { value }) => Math.max(max, value), 0),
    lagP99Seconds: lagCount === 0 ? null : quantile(
      { counts: lagCounts, sum: 0, count: lagCount },
      LAG_BUCKETS,
      0.99,
    ),
    lagCounts,
    mirrorStatements,
    mirrorSeconds,
    mirrorMeanMs: mirrorStatements === 0
      ? null
      : mirrorSeconds / mirrorStatements * 1e3,
    // Accepted noise took its part of the time that was not compared.
    replayedSeconds: uncompared === 0 ? replayedSeconds : replayedSeconds -
      (replayedSeconds - comparedSeconds) * noise / uncompared,
    comparedSeconds,
    shapes: shapes.counts,
    named: shapes.named,
    drift: driftFindings(open, chanceColumns, values),
    ...known,
    clientsInTransaction: (snapshot.get("clients_in_transaction")?.series ?? [])
      .reduce((total, { value }) => total + value, 0),
    statements,
  };
}

function reasonsOf(
  series: (name: string) => StatsSnapshot["metrics"][number]["series"],
): Record<string, number> {
  const reasons: Record<string, number> = {};
  for (const outcome of ["excluded", "dropped", "failed"]) {
    for (
      const { labels, value } of series(`mirror_requests_${outcome}_total`)
    ) {
      const name = `${outcome} ${labels.reason}`;
      if (value > 0) reasons[name] = (reasons[name] ?? 0) + value;
    }
  }
  return reasons;
}

/** Without what is long, and told otherwise. */
export function withoutStatements(
  { statements: _statements, lagCounts: _lagCounts, ...counts }: Evidence,
): Omit<Evidence, "statements" | "lagCounts"> {
  return counts;
}

function labelsOf({ database, mirror }: StatementSummary) {
  return { database, mirror };
}
