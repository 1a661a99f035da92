import {
  isAside,
  isCompared,
  isMismatch,
  type PluginContext,
  Result,
  RESULTS,
  type StatsSnapshot,
  UNTRIED,
  WITHHELD,
} from "../../src/plugin/api.ts";
import type { ChangedStatements } from "./changed_statements.ts";
import { type LedgerTotals, type Sample, TOTALS } from "./store.ts";

type Ledgers = ReadonlyMap<string, LedgerTotals>;

/**
 * The ledger since the last change of configuration: the registry counts from
 * the process's start, and its counts go on.
 */
export class LedgerWindow {
  readonly #context: PluginContext;
  readonly #changed: ChangedStatements;
  /** When it began, by `database/mirror`. */
  #baseline: Ledgers = new Map();

  constructor(context: PluginContext, changed: ChangedStatements) {
    this.#context = context;
    this.#changed = changed;
  }

  /** Begins anew. What is pending is the new window's, for its outcome will be. */
  begin(snapshot: StatsSnapshot): void {
    this.#baseline = new Map(
      [...ledgersOf(snapshot)].map(([pair, totals]) => {
        const { excluded, dropped, replayed, failed } = totals;
        const seen = excluded + dropped + replayed + failed;
        return [pair, { ...totals, seen }];
      }),
    );
    // Statements have no windows: what is known of them goes on.
    this.#changed.forget();
  }

  /** What this process had counted before the window began. */
  before(pair: string, total: keyof LedgerTotals): number {
    return this.#baseline.get(pair)?.[total] ?? 0;
  }

  /** The window's counts. */
  sample(snapshot: StatsSnapshot): Sample {
    const { mirrors, stats } = this.#context;
    const now = ledgersOf(snapshot);
    const ledgers = new Map<string, LedgerTotals>();
    for (const { database, mirror } of mirrors) {
      const pair = `${database}/${mirror}`;
      const totals = TOTALS.map((total) => [
        total,
        (now.get(pair)?.[total] ?? 0) - this.before(pair, total),
      ]);
      ledgers.set(pair, Object.fromEntries(totals));
    }
    const { changed, gone } = this.#changed.take(stats.ownStatements());
    return { at: snapshot.at, ledgers, statements: changed, gone };
  }
}

/** The registry's counts of every pair that has any. */
function ledgersOf(snapshot: StatsSnapshot): Ledgers {
  const series = snapshot.get("mirror_requests_total")?.series ?? [];
  const ledgers = new Map<string, LedgerTotals>();
  for (const { labels: { database, mirror } } of series) {
    const sum = (name: string, value?: string) =>
      (snapshot.get(name)?.series ?? []).filter(({ labels }) =>
        labels.database === database && labels.mirror === mirror &&
        (value === undefined || labels.result === value ||
          labels.reason === value)
      ).reduce((total, series) => total + series.value, 0);
    const sumOf = (name: string, values: readonly string[]) =>
      values.reduce((total, value) => total + sum(name, value), 0);
    const results = RESULTS.map((result) =>
      sum("mirror_statements_total", result)
    );
    const failed = sum("mirror_requests_failed_total");
    const onMirror = (snapshot.get("statement_duration_seconds")?.series ?? [])
      .filter(({ labels }) =>
        labels.database === database && labels.mirror === mirror &&
        labels.target === "mirror"
      ).map(({ histogram }) => histogram);
    ledgers.set(`${database}/${mirror}`, {
      seen: sum("mirror_requests_total"),
      excluded: sum("mirror_requests_excluded_total"),
      untried: sumOf("mirror_requests_excluded_total", UNTRIED),
      dropped: sum("mirror_requests_dropped_total"),
      withheld: sumOf("mirror_requests_dropped_total", WITHHELD),
      replayed: sum("mirror_requests_mirrored_total"),
      failed,
      requestsWithErrors: failed + sum("mirror_replays_with_errors_total"),
      compared: results.reduce(
        (total, n, i) => total + (isCompared(i) ? n : 0),
        0,
      ),
      uncompared: results.reduce(
        (total, n, i) => total + (isCompared(i) || isAside(i) ? 0 : n),
        0,
      ),
      mismatches: results.reduce(
        (total, n, i) => total + (isMismatch(i) ? n : 0),
        0,
      ),
      ignored: results[Result.skippedIgnored] ?? 0,
      mirrorStatements: onMirror.reduce((n, h) => n + (h?.count ?? 0), 0),
      mirrorMicroseconds: microseconds(
        onMirror.reduce((n, h) => n + (h?.sum ?? 0), 0),
      ),
      replayedMicroseconds: microseconds(sum("mirror_replayed_seconds_total")),
      comparedMicroseconds: microseconds(sum("mirror_compared_seconds_total")),
    });
  }
  return ledgers;
}

function microseconds(seconds: number): number {
  return Math.round(seconds * 1e6);
}
