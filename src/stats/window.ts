import type { StatsSnapshot } from "./snapshot.ts";
import { difference } from "./snapshot_difference.ts";
import type { StatementSummary } from "./statements.ts";

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
}

/**
 * The time whose evidence the verdict rests on: since the start, or since it was
 * begun anew. Counters go on; a window is what came to them since.
 */
export class EvidenceWindow {
  #start: WindowStart;
  #beganMs = 0;
  #baseline: StatsSnapshot | undefined;

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
    return this.#baseline === undefined
      ? total
      : difference(total, this.#baseline);
  }

  /** Begins anew with these totals. */
  begin(total: StatsSnapshot, start: WindowStart, uptimeMs: number): void {
    this.#baseline = total;
    this.#start = start;
    this.#beganMs = uptimeMs;
  }

  /** It is one with what earlier runs have counted. */
  continue(start: WindowStart): void {
    this.#start = start;
  }
}
