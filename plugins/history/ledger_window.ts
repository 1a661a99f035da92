import {
  type EndedWindow,
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

/** The window's ledgers and statements, as the store takes them. */
export class LedgerWindow {
  readonly #context: PluginContext;
  readonly #changed: ChangedStatements;

  constructor(context: PluginContext, changed: ChangedStatements) {
    this.#context = context;
    this.#changed = changed;
  }

  /** @param total the registry's counts now. */
  sample(total: StatsSnapshot): Sample {
    const { stats, window } = this.#context;
    const ledgers = ledgersOf(window.counted(total));
    return this.#sample(
      total.at,
      ledgers,
      stats.ownStatements(),
      window.ownHours,
    );
  }

  /** The last of a window. What was pending is the next one's, for its outcome will be. */
  ended({ counted, statements, hours }: EndedWindow): Sample {
    const ledgers = new Map(
      [...ledgersOf(counted)].map(([pair, totals]) => {
        const { excluded, dropped, replayed, failed } = totals;
        const seen = excluded + dropped + replayed + failed;
        return [pair, { ...totals, seen }];
      }),
    );
    const sample = this.#sample(counted.at, ledgers, statements, hours);
    this.#changed.clear();
    return sample;
  }

  #sample(
    at: number,
    ledgers: Ledgers,
    known: EndedWindow["statements"],
    hoursOf: EndedWindow["hours"],
  ): Sample {
    const { mirrors } = this.#context;
    const { changed, gone } = this.#changed.take(known);
    const all = new Map(ledgers);
    for (const { database, mirror } of mirrors) {
      const pair = `${database}/${mirror}`;
      if (!all.has(pair)) all.set(pair, NOTHING);
    }
    const hours = new Map(
      [...all.keys()].map((pair) => [pair, hoursOf(pair)]),
    );
    return { at, ledgers: all, hours, statements: changed, gone };
  }
}

const NOTHING = Object.fromEntries(
  TOTALS.map((name) => [name, 0]),
) as unknown as LedgerTotals; // all of them

/** The counts of every pair that has any. */
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
