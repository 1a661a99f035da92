import type { StatementName } from "./changed_statements.ts";
import type { StatementSummary, TrafficHour } from "../../src/plugin/api.ts";

/** One mirror's counts, cumulative since its run began. */
export interface LedgerTotals {
  readonly seen: number;
  readonly excluded: number;
  /** Of these, what the configuration leaves out: by level, by exposure. */
  readonly untried: number;
  readonly dropped: number;
  /** Of these, what the operator withheld: paused, shut down, removed. */
  readonly withheld: number;
  readonly replayed: number;
  readonly failed: number;
  readonly requestsWithErrors: number;
  readonly compared: number;
  /** Neither compared nor set aside: noise, skipped. */
  readonly uncompared: number;
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
  "untried",
  "withheld",
  "uncompared",
] as const;

/** One life of a proxy. Times are milliseconds since the epoch. */
export interface Run {
  /** A process's runs have one id with a `/` and a number of their own behind it: see {@linkcode processOf}. */
  readonly id: string;
  /** Whose life: its name in the store. */
  readonly proxy: string;
  readonly startedAt: number;
  readonly version: string;
  /** What mirroring was configured to: only equal runs add up. */
  readonly config: string;
  /** Why it began. No run before one that began by `reset` counts. */
  readonly because: "start" | "config" | "reset";
}

/** The process of a run. An id without `/` is of an old version that did not tell. */
export function processOf(runId: string): string {
  return runId.split("/", 1)[0] as string; // of one part at least
}

/** Observed time, oldest first, by `database/mirror`. */
export type Hours = ReadonlyMap<string, readonly TrafficHour[]>;

/** What is written in one transaction. */
export interface Sample {
  readonly at: number;
  /** By `database/mirror`. */
  readonly ledgers: ReadonlyMap<string, LedgerTotals>;
  /** Those that have changed since the last sample. */
  readonly statements: readonly StatementSummary[];
  /** The window's hours in this run, by `database/mirror`. */
  readonly hours: Hours;
  /** Those that are known no longer: their counts are another's. */
  readonly gone: readonly StatementName[];
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
    | "window"
    | "reset"
    | "pause"
    | "resume"
    | "verdict";
  readonly note: string;
}

/** The time that a run has observed, by a clock that nobody sets. */
export interface Span {
  readonly observedMs: number;
  /** Milliseconds since the epoch: the run's start and what has passed since. */
  readonly until: number;
}

/** The run that has a proxy's place in the store. */
export interface Holder {
  readonly runId: string;
  /** Goes up with each of its writes. */
  readonly beat: number;
  /** Between its writes. */
  readonly intervalMs: number;
}

/** A run that has written, and whether it said goodbye. */
export type LastRun = Run & {
  readonly lastWriteAt: number;
  readonly ended: boolean;
};

/** What earlier runs of the window came to, by `database/mirror`: of the proxy, with the same configuration. */
export interface Earlier {
  /** The first of them; the run itself if there is none. */
  readonly began: Pick<Run, "startedAt" | "because">;
  readonly observedMs: number;
  readonly ledgers: ReadonlyMap<string, LedgerTotals>;
  /** What old versions observed is of unknown traffic. */
  readonly hours: Hours;
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
  /** Makes the schema, or brings it up to date. What an older version left is `proxy`'s. */
  open(proxy: string): Promise<void>;
  /** Takes the proxy's place, if nobody has it or who had it has said goodbye. @returns who has it instead. */
  claim(run: Run, intervalMs: number): Promise<Holder | undefined>;
  /** Takes it from a run that has fallen silent. @returns false if that has written meanwhile. */
  takeOver(run: Run, from: Holder, intervalMs: number): Promise<boolean>;
  /** The proxy's run before this one. */
  lastRun(run: Run): Promise<LastRun | undefined>;
  /** Names of other proxies that have written here. */
  otherProxies(proxy: string): Promise<string[]>;
  earlier(run: Run, since: number): Promise<Earlier>;
  begin(run: Run, boundaries: readonly Boundary[]): Promise<void>;
  /** @throws {HeldError} if another run has taken the proxy's place. */
  write(run: Run, sample: Sample, span: Span): Promise<void>;
  end(run: Run, boundary: Boundary): Promise<void>;
  mark(run: Run, boundary: Boundary): Promise<void>;
  /** Latest first. */
  boundaries(proxy: string, limit: number): Promise<Boundary[]>;
  /** Oldest first. */
  points(proxy: string, since: number, limit: number): Promise<Point[]>;
  /** Forgets what is older. */
  prune(before: number): Promise<void>;
  close(): Promise<void>;
}

/** A value in SQL. */
export type Value = string | number | null;
/** By column. */
export type Row = Readonly<Record<string, Value>>;

/** Runs one statement with `$1`, `$2`, … and gives its rows. */
export type Execute = (
  sql: string,
  values?: readonly Value[],
) => Promise<Row[]>;

/** A connection to either kind of database. */
export interface SqlConnection {
  readonly execute: Execute;
  /** Runs `body` in one transaction. */
  transaction<T>(body: (execute: Execute) => Promise<T>): Promise<T>;
  /** Run first in a transaction, it makes others wait; undefined: every transaction does. */
  readonly lock?: string;
  close(): Promise<void>;
}
