import {
  DROPPED,
  EXCLUDED,
  FAILED,
  isMismatch,
  RESULTS,
  type StatsSnapshot,
} from "../../src/plugin/api.ts";

/** What a line says of one mirror; counts without a change are left out. */
export interface Change {
  readonly database: string;
  readonly mirror: string;
  readonly seen: number;
  readonly replayed: number;
  readonly excluded: Readonly<Record<string, number>>;
  readonly dropped: Readonly<Record<string, number>>;
  readonly failed: Readonly<Record<string, number>>;
  /** By class. */
  readonly mismatches: Readonly<Record<string, number>>;
  /** Now, not the change. */
  readonly pending: number;
  /** Of the last replay; the longest of all users. */
  readonly lagSeconds: number;
}

/** The reasons and classes that are told apart, by metric and label. */
const GROUPS = {
  excluded: ["mirror_requests_excluded_total", "reason", EXCLUDED],
  dropped: ["mirror_requests_dropped_total", "reason", DROPPED],
  failed: ["mirror_requests_failed_total", "reason", FAILED],
  mismatches: [
    "mirror_statements_total",
    "result",
    RESULTS.filter((_, i) => isMismatch(i)),
  ],
} as const;

/** Counts of one mirror since the start, by `group.name`. */
type Counts = ReadonlyMap<string, number>;

/** Tells what has changed in the ledger of each mirror since it was last asked. */
export class LedgerChanges {
  #last = new Map<string, Counts>();

  /** The mirrors whose ledger has changed. */
  take(snapshot: StatsSnapshot): Change[] {
    const changes: Change[] = [];
    const last = this.#last;
    this.#last = new Map();
    for (const { key, database, mirror } of mirrorsOf(snapshot)) {
      const counts = countsOf(snapshot, database, mirror);
      const before = last.get(key);
      this.#last.set(key, counts);
      const change = (name: string) =>
        (counts.get(name) ?? 0) - (before?.get(name) ?? 0);
      if (![...counts.keys()].some((name) => change(name) !== 0)) continue;
      const group = (name: keyof typeof GROUPS) =>
        Object.fromEntries(
          GROUPS[name][2].map((value) => [
            value.replace(/^mismatch_/, ""),
            change(`${name}.${value}`),
          ]).filter(([, n]) => n !== 0),
        );
      const values = (name: string) =>
        valuesOf(snapshot, name, database, mirror);
      changes.push({
        database,
        mirror,
        seen: change("seen"),
        replayed: change("replayed"),
        excluded: group("excluded"),
        dropped: group("dropped"),
        failed: group("failed"),
        mismatches: group("mismatches"),
        pending: sum(values("mirror_pending_requests")),
        lagSeconds: Math.max(0, ...values("mirror_lag_seconds")),
      });
    }
    return changes;
  }
}

/** Those that have series: the shared "other" may be among them. */
function mirrorsOf(snapshot: StatsSnapshot) {
  const found = new Map<string, { database: string; mirror: string }>();
  for (
    const { labels } of snapshot.get("mirror_requests_total")?.series ?? []
  ) {
    const { database = "", mirror = "" } = labels;
    found.set(JSON.stringify([database, mirror]), { database, mirror });
  }
  return [...found].map(([key, names]) => ({ key, ...names }));
}

function countsOf(
  snapshot: StatsSnapshot,
  database: string,
  mirror: string,
): Counts {
  const counts = new Map([
    ["seen", "mirror_requests_total"],
    ["replayed", "mirror_requests_mirrored_total"],
  ].map(([name, metric]) => [
    name as string,
    sum(valuesOf(snapshot, metric as string, database, mirror)),
  ]));
  for (const [group, [metric, label, names]] of Object.entries(GROUPS)) {
    for (const name of names) {
      counts.set(
        `${group}.${name}`,
        sum(valuesOf(snapshot, metric, database, mirror, [label, name])),
      );
    }
  }
  return counts;
}

function valuesOf(
  snapshot: StatsSnapshot,
  metric: string,
  database: string,
  mirror: string,
  [label, name]: readonly [string?, string?] = [],
): number[] {
  return (snapshot.get(metric)?.series ?? []).filter(({ labels }) =>
    labels.database === database && labels.mirror === mirror &&
    (label === undefined || labels[label] === name)
  ).map(({ value }) => value);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, n) => total + n, 0);
}
