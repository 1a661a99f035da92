import type { StatsSnapshot } from "./snapshot.ts";
import { difference } from "./snapshot_difference.ts";
import type { StatementSummary } from "./statements.ts";
import { type TrafficHour, TrafficHours } from "./traffic_hours.ts";

type Hours = ReadonlyMap<string, readonly TrafficHour[]>;

/** When a window begins, and why. */
export interface WindowStart {
  /** Milliseconds since the epoch. */
  readonly since: number;
  /** In words, to stand behind "because": `the proxy was started`. */
  readonly because: string;
}

/** A window that is over. */
export interface EndedWindow {
  /** What was counted in it. */
  readonly counted: StatsSnapshot;
  /** All that this process had counted when it ended. */
  readonly total: StatsSnapshot;
  /** Of this process. */
  readonly statements: readonly StatementSummary[];
  /** Its hours in this process, of one `database/mirror`. */
  hours(pair: string): readonly TrafficHour[];
}

/** What hours with traffic are told by. */
const REPLAYED = "mirror_requests_mirrored_total";

/**
 * The time whose evidence the verdict rests on: since the start, or since it was
 * begun anew. Counters go on; a window is what came to them since.
 */
export class EvidenceWindow {
  #start: WindowStart;
  #beganMs = 0;
  #baseline: StatsSnapshot | undefined;
  #counted = new WeakMap<StatsSnapshot, StatsSnapshot>();
  #hours = new TrafficHours();
  /** Of earlier runs, by `database/mirror`. */
  #earlier: Hours = new Map();

  /** @param startedAt of the process. */
  constructor(startedAt: number) {
    this.#start = { since: startedAt, because: "the proxy was started" };
  }

  /** That of earlier runs, if they count. */
  get start(): WindowStart {
    return this.#start;
  }

  /** When this process began to count for it, by the process's uptime. */
  get beganMs(): number {
    return this.#beganMs;
  }

  /** What came to the counters since it began. */
  counted(total: StatsSnapshot): StatsSnapshot {
    if (this.#baseline === undefined) return total;
    // Everybody asks for the second's snapshot.
    let counted = this.#counted.get(total);
    if (counted === undefined) {
      counted = difference(total, this.#baseline);
      this.#counted.set(total, counted);
    }
    return counted;
  }

  /** Takes the second's totals, for the hours. */
  sample(total: StatsSnapshot, uptimeMs: number): void {
    const replayed = new Map<string, number>();
    const { series } = this.counted(total).get(REPLAYED) ?? { series: [] };
    for (const { labels: { database, mirror }, value } of series) {
      const pair = `${database}/${mirror}`;
      replayed.set(pair, (replayed.get(pair) ?? 0) + value);
    }
    this.#hours.look(uptimeMs - this.#beganMs, replayed);
  }

  /** Its hours in this process, of one pair of databases. */
  ownHours(pair: string): TrafficHour[] {
    return this.#hours.of(pair);
  }

  /** The same, for when another window has begun. */
  endedHours(): EndedWindow["hours"] {
    const hours = this.#hours;
    return (pair) => hours.of(pair);
  }

  /** Those of earlier runs, too. */
  hours(pair: string): TrafficHour[] {
    return [...this.#earlier.get(pair) ?? [], ...this.ownHours(pair)];
  }

  /** Begins anew with these totals. */
  begin(total: StatsSnapshot, start: WindowStart, uptimeMs: number): void {
    this.#baseline = total;
    this.#start = start;
    this.#beganMs = uptimeMs;
    this.#counted = new WeakMap();
    this.#hours = new TrafficHours();
    this.#earlier = new Map();
  }

  /** What came to the counters until then is none of it: the mirror worker took its time. */
  beginLater(total: StatsSnapshot): void {
    this.#baseline = total;
    this.#counted = new WeakMap();
  }

  /** It is one with what earlier runs have counted. */
  continue(start: WindowStart, earlier: Hours): void {
    this.#start = start;
    this.#earlier = earlier;
  }
}
