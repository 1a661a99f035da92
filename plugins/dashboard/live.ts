import {
  DROPPED,
  type Example,
  EXCLUDED,
  FAILED,
  isMismatch,
  type LatencyComparison,
  type PluginContext,
  RESULTS,
  type StatementSummary,
  type StatsSnapshot,
  withoutValues,
} from "../../src/plugin/api.ts";
import { type Columns, quantileMs, type Recent } from "./recent.ts";
import { allPairs, type Pair, PairSeries } from "./series.ts";

/** Statements of each mirror, worst first. */
const MAX_STATEMENTS = 20;
/** Examples of each statement. */
const MAX_EXAMPLES = 3;
/** Characters of a statement's text. */
const MAX_TEXT = 4_000;

/** What `/live` answers; `plugins/README.md` describes it. Times are milliseconds since the epoch. */
export interface LiveDocument {
  readonly at: number;
  readonly startedAt: number;
  /** Of this program. */
  readonly version: string;
  /** `mirror_compare`. */
  readonly compare: string;
  /** Whether examples may have values. */
  readonly showsValues: boolean;
  /** Whether `/history` is there. */
  readonly hasHistory: boolean;
  readonly clients: number;
  /** Bytes that wait for the mirrors. */
  readonly queueBytes: number;
  /** Versions by the name of the database, as far as they are known. */
  readonly servers: Readonly<Record<string, string>>;
  readonly mirrors: readonly LiveMirror[];
}

/** One mirror, by what this process has counted in the window. */
export interface LiveMirror extends Pair {
  readonly ledger: LiveLedger;
  /** Statements by result, all of RESULTS. */
  readonly results: Readonly<Record<string, number>>;
  readonly consecutiveErrors: number;
  /** Null: never. */
  readonly lastSuccessAt: number | null;
  /** Later than the `since` of the query. */
  readonly recent: Columns;
  readonly statements: readonly LiveStatement[];
}

/** `seen = excluded + dropped + replayed + failed + pending`. */
export interface LiveLedger {
  readonly seen: number;
  readonly excluded: Reasons;
  readonly dropped: Reasons;
  readonly replayed: number;
  readonly failed: Reasons;
  readonly pending: number;
}

/** An outcome's sum, and its reasons that are not 0. */
export interface Reasons {
  readonly total: number;
  readonly reasons: Readonly<Record<string, number>>;
}

/** A fingerprint. */
export interface LiveStatement {
  readonly fingerprint: string;
  readonly text: string;
  readonly calls: number;
  readonly mismatches: number;
  /** Those that are not 0. */
  readonly results: Readonly<Record<string, number>>;
  readonly latency: LatencyComparison;
  readonly primaryP50Ms: number | null;
  readonly primaryP95Ms: number | null;
  readonly mirrorP50Ms: number | null;
  readonly mirrorP95Ms: number | null;
  readonly lastSeen: number;
  readonly examples: readonly Example[];
}

/** All that the page and `top` show, but for the verdict and the history. */
export function liveDocument(
  context: PluginContext,
  recent: Recent,
  since: number,
): LiveDocument {
  const { stats, general, httpProtected, window } = context;
  const snapshot = stats.snapshot();
  const statements = stats.statements();
  const process = (name: string) => snapshot.get(name)?.series[0]?.value ?? 0;
  return {
    at: snapshot.at,
    startedAt: context.startedAt,
    version: context.version,
    compare: String(general.mirror_compare ?? ""),
    showsValues: httpProtected,
    hasHistory: snapshot.get("history_write_errors_total") !== undefined,
    clients: process("clients"),
    queueBytes: process("mirror_queue_bytes"),
    servers: context.versions(),
    mirrors: allPairs(context.mirrors, snapshot).map((pair) => {
      const mine = statements.filter(({ database, mirror }) =>
        database === pair.database && mirror === pair.mirror
      );
      return {
        ...liveMirror(pair, window.counted(snapshot)),
        recent: recent.columns(pair, since),
        statements: worst(mine).map((s) => liveStatement(s, httpProtected)),
      };
    }),
  };
}

function liveMirror(pair: Pair, snapshot: StatsSnapshot) {
  const series = new PairSeries(snapshot, pair);
  const reasons = (name: string, values: readonly string[]): Reasons => {
    const counts = values.map((reason) =>
      [reason, series.sum(name, ["reason", reason])] as const
    );
    return {
      total: counts.reduce((sum, [, n]) => sum + n, 0),
      reasons: Object.fromEntries(counts.filter(([, n]) => n > 0)),
    };
  };
  const lastSuccess = series.max("mirror_last_success_timestamp_seconds");
  return {
    ...pair,
    ledger: {
      seen: series.sum("mirror_requests_total"),
      excluded: reasons("mirror_requests_excluded_total", EXCLUDED),
      dropped: reasons("mirror_requests_dropped_total", DROPPED),
      replayed: series.sum("mirror_requests_mirrored_total"),
      failed: reasons("mirror_requests_failed_total", FAILED),
      pending: series.sum("mirror_pending_requests"),
    },
    results: Object.fromEntries(RESULTS.map((result) => [
      result,
      series.sum("mirror_statements_total", ["result", result]),
    ])),
    consecutiveErrors: series.max("mirror_consecutive_errors"),
    lastSuccessAt: lastSuccess === 0 ? null : lastSuccess * 1e3,
  };
}

function liveStatement(
  summary: StatementSummary,
  showsValues: boolean,
): LiveStatement {
  const { primary, mirrorLatency } = summary;
  return {
    fingerprint: summary.fingerprint,
    text: summary.text.slice(0, MAX_TEXT),
    calls: summary.calls,
    mismatches: mismatchesOf(summary),
    results: Object.fromEntries(
      RESULTS.map((name, i) => [name, summary.results[i] ?? 0] as const)
        .filter(([, n]) => n > 0),
    ),
    latency: summary.latency,
    primaryP50Ms: quantileMs(primary, 0.5),
    primaryP95Ms: quantileMs(primary, 0.95),
    mirrorP50Ms: quantileMs(mirrorLatency, 0.5),
    mirrorP95Ms: quantileMs(mirrorLatency, 0.95),
    lastSeen: summary.lastSeen,
    examples: summary.examples.slice(0, MAX_EXAMPLES).map((example) =>
      showsValues ? example : withoutValues(example)
    ),
  };
}

/** By mismatches, then by how much slower the mirror is: as in the report. */
function worst(statements: readonly StatementSummary[]): StatementSummary[] {
  return statements.toSorted((a, b) =>
    mismatchesOf(b) - mismatchesOf(a) ||
    slowness(b) - slowness(a)
  ).slice(0, MAX_STATEMENTS);
}

/** At its median, or in sum; 0 while a median is not known. */
function slowness({ latency }: StatementSummary): number {
  const { ratio, totalRatio } = latency;
  return ratio === null ? 0 : Math.max(ratio, totalRatio ?? 0);
}

function mismatchesOf({ results }: StatementSummary): number {
  return results.reduce((sum, n, i) => sum + (isMismatch(i) ? n : 0), 0);
}
