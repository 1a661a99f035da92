import type { StatementSummary } from "../../src/plugin/api.ts";

/** One mirror's counts, cumulative since its run began. */
export interface LedgerTotals {
  readonly seen: number;
  readonly excluded: number;
  readonly dropped: number;
  readonly replayed: number;
  readonly failed: number;
  readonly requestsWithErrors: number;
  readonly compared: number;
  readonly mismatches: number;
  readonly ignored: number;
  readonly mirrorStatements: number;
  readonly mirrorMicroseconds: number;
  readonly replayedMicroseconds: number;
  readonly comparedMicroseconds: number;
}

/** The columns of {@linkcode LedgerTotals}, in order. */
export const TOTALS = [
  "seen",
  "excluded",
  "dropped",
  "replayed",
  "failed",
  "requestsWithErrors",
  "compared",
  "mismatches",
  "ignored",
  "mirrorStatements",
  "mirrorMicroseconds",
  "replayedMicroseconds",
  "comparedMicroseconds",
] as const;

/** One life of the process. Times are milliseconds since the epoch. */
export interface Run {
  readonly id: string;
  readonly startedAt: number;
  readonly version: string;
  /** What mirroring was configured to, hashed: only equal runs add up. */
  readonly config: string;
}

/** What is written in one transaction. */
export interface Sample {
  readonly at: number;
  /** By `database/mirror`. */
  readonly ledgers: ReadonlyMap<string, LedgerTotals>;
  /** Those that have changed since the last sample. */
  readonly statements: readonly StatementSummary[];
  /** The readiness plugin's verdict on all mirrors; left out if there is none yet. */
  readonly verdict?: string;
}

/** A moment at which the window begins, ends, has a hole, or the verdict is another. */
export interface Boundary {
  readonly at: number;
  readonly kind:
    | "start"
    | "stop"
    | "crash"
    | "config"
    | "reset"
    | "pause"
    | "resume"
    | "verdict";
  readonly note: string;
}

/** What earlier runs with the same configuration came to, by `database/mirror`. */
export interface Earlier {
  readonly observedMs: number;
  readonly ledgers: ReadonlyMap<string, LedgerTotals>;
  /** One for each run and fingerprint. */
  readonly statements: readonly StatementSummary[];
}

/** Totals at one moment, over all mirrors. */
export interface Point {
  readonly at: number;
  readonly seen: number;
  readonly replayed: number;
  readonly compared: number;
  readonly mismatches: number;
}

/** Where history is kept. Every method may fail: a full disk, a database that is away. */
export interface HistoryStore {
  /** Makes the schema if it is not there. */
  open(): Promise<void>;
  /** The run that wrote last, and whether it said goodbye. */
  lastRun(): Promise<
    (Run & { lastWriteAt: number; ended: boolean }) | undefined
  >;
  earlier(config: string, since: number): Promise<Earlier>;
  begin(run: Run, boundaries: readonly Boundary[]): Promise<void>;
  write(run: Run, sample: Sample): Promise<void>;
  end(run: Run, boundary: Boundary): Promise<void>;
  mark(boundary: Boundary): Promise<void>;
  /** Latest first. */
  boundaries(limit: number): Promise<Boundary[]>;
  /** Oldest first. */
  points(since: number, limit: number): Promise<Point[]>;
  /** Forgets what is older. */
  prune(before: number): Promise<void>;
  close(): Promise<void>;
}
