/**
 * All that a plugin may import from PgDog Mirror.
 *
 * Life of a plugin:
 *
 * 1. `parseConfig` checks its table `[plugins.<id>]`; pure.
 * 2. `create` declares metrics and returns the instance; no I/O, no timers.
 * 3. `needs` are checked against everything declared; the registry freezes.
 * 4. Every worker loads the module at `probe` and calls its default export.
 * 5. `start` runs, one plugin after the other: now I/O and timers are allowed.
 * 6. `onSample` is called once a second, synchronously.
 * 7. `reconfigure` takes a new table after RELOAD; `general` and `mirrors` change in place.
 * 8. `onWindow` is called when the window of the evidence begins anew, synchronously.
 * 9. `close` ends it, also after a start that failed or is not done.
 *
 * What a hook throws after `create` is named in the log and counted in
 * `plugin_errors_total`, and everything else goes on; a `start` or `close` that
 * takes more than 5 seconds is given up. A probe that throws is off from then on.
 *
 * @module
 */

import type {
  ChanceColumn,
  EndedWindow,
  ExcludeRule,
  Exclusion,
  IgnoreRule,
  MetricSpec,
  StatementSummary,
  StatsSnapshot,
  Stripe,
  TrafficHour,
  WindowStart,
} from "../stats/mod.ts";

export {
  activeMs,
  chanceColumnName,
  DROPPED,
  Dropped,
  DURATION_BUCKETS,
  EVICTED,
  EXCLUDED,
  Excluded,
  excludeRuleText,
  FAILED,
  Failed,
  fits,
  isAside,
  isCompared,
  isEqual,
  isInForce,
  isMismatch,
  isNoise,
  isNote,
  isSystematic,
  LAG_BUCKETS,
  latencyComparison,
  MAX_STATEMENTS,
  MISMATCH_SHARE,
  NO_SKETCH,
  observedMs,
  quantile,
  Result,
  RESULTS,
  slower,
  UNTRIED,
  WITHHELD,
  withoutValues,
} from "../stats/mod.ts";
export type {
  ChanceColumn,
  DriftCount,
  EndedWindow,
  Example,
  ExcludeRule,
  Exclusion,
  HistogramHandle,
  HistogramSnapshot,
  IgnoreRule,
  LabelSet,
  LatencyComparison,
  LatencySketch,
  MaximumHandle,
  MetricSnapshot,
  MetricSpec,
  MismatchCount,
  Outcome,
  SeriesSnapshot,
  Slower,
  StatementSummary,
  StatsSnapshot,
  Stripe,
  TrafficHour,
  WindowStart,
} from "../stats/mod.ts";

/** A plugin: an id and a constructor without side effects. */
export interface Plugin<C = unknown> {
  /** Also its table in the configuration: `[plugins.<id>]`. */
  readonly id: string;
  /** Metrics of other plugins that it reads; a missing one stops the start with a clear error. */
  readonly needs?: readonly string[];
  /** Checks the raw table, `undefined` if there is none. Pure; an unknown key is an error. */
  parseConfig(raw: unknown): C;
  create(config: C, context: PluginContext): PluginInstance<C>;
  /** A module whose default export is a {@linkcode ProbeFactory}; loaded in every worker. */
  readonly probe?: URL;
}

/** A plugin at work. Every member is optional. */
export interface PluginInstance<C = unknown> {
  /** Asynchronous. @param signal aborted when the process begins to end. */
  start?(signal: AbortSignal): Promise<void>;
  /**
   * Synchronous: another window of the evidence has begun, by RESET MIRROR WINDOW
   * or because mirroring is configured otherwise.
   */
  onWindow?(ended: EndedWindow): void;
  /** Synchronous, once a second. */
  onSample?(snapshot: StatsSnapshot): void;
  /** Asynchronous; called once, at any time after `create`. */
  close?(): Promise<void>;
  /**
   * Synchronous: RELOAD has a new table for it, which `parseConfig` has taken.
   * Without this hook the table needs a restart.
   */
  reconfigure?(config: C): void;
  readonly commands?: readonly AdminCommand[];
  readonly routes?: readonly HttpRoute[];
}

/** What the host gives to `create`. */
export interface PluginContext {
  readonly stats: {
    /** Only within `create`. */
    declare(spec: MetricSpec): void;
    snapshot(): StatsSnapshot;
    /** What the window knows of each fingerprint, with what was restored; at most a second old. */
    statements(): readonly StatementSummary[];
    /** Of the columns that chance fills, where mirrors have their values from, since the process began; at most a second old. */
    chanceColumns(): readonly ChanceColumn[];
    /** How often rules of `[[exclude]]`, and what is unsafe, have spared mirrors a transaction, since the process began; at most a second old. */
    exclusions(): readonly Exclusion[];
    /** The same without what was restored: of this process only. */
    ownStatements(): readonly StatementSummary[];
    /** Adds what an earlier process knew of fingerprints; replaces what was restored before. */
    restoreStatements(summaries: readonly StatementSummary[]): void;
    /** Begins a new window: maxima start over in every stripe. */
    resetWindow(): void;
    /** Goes up by one with each `resetWindow`, whoever called it. */
    resetEpoch(): number;
  };
  /** The time whose evidence the verdict rests on. */
  readonly window: {
    /** When and why it began; earlier runs that count included. */
    start(): WindowStart;
    /** When this process began to count for it, of its uptime. */
    beganMs(): number;
    /** What has come to the counters of a snapshot since it began; gauges are as they are. */
    counted(total: StatsSnapshot): StatsSnapshot;
    /** Observed time of one `database/mirror` by hours, with what was replayed in each: of this process. */
    ownHours(pair: string): readonly TrafficHour[];
    /** Those of earlier runs, too. */
    hours(pair: string): readonly TrafficHour[];
    /** Earlier runs count, too: it began with them. @param earlier their hours, by `database/mirror`. */
    continue(
      start: WindowStart,
      earlier: ReadonlyMap<string, readonly TrafficHour[]>,
    ): void;
  };
  readonly log: Logger;
  /** The `[general]` table after defaults; no secrets are in it. Its values change with a reload: read them when they are needed. */
  readonly general: Readonly<Record<string, unknown>>;
  /**
   * Whether the HTTP port asks for a token. Only then may a route's answer hold
   * values of statements (`Example.values`).
   */
  readonly httpProtected: boolean;
  readonly version: string;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  /** Milliseconds since then, by a clock that nobody sets: spans of time are counted in these. */
  uptimeMs(): number;
  /** Versions of the servers by the name of their database, as far as they have said them. */
  versions(): Readonly<Record<string, string>>;
  /** The folder of the configuration file: relative paths are relative to it. */
  readonly configFolder: string;
  /** What mirroring is configured to (addresses, levels, what is compared …), as one text without secrets: evidence of equal ones may be added up. */
  mirroringConfig(): string;
  /** The configured pairs of source database and destination database; the list changes with a reload. */
  readonly mirrors: readonly {
    readonly database: string;
    readonly mirror: string;
  }[];
  /** Which transactions are mirrored: `all`, `dml`, `ddl` or `read`. */
  levelOf(pair: {
    readonly database: string;
    readonly mirror: string;
  }): string;
  /** The rules of `[[ignore]]`; the list changes with a reload. */
  readonly ignoreRules: readonly IgnoreRule[];
  /** The rules of `[[exclude]]`; the list changes with a reload. */
  readonly excludeRules: readonly ExcludeRule[];
  /** PAUSE MIRROR is in force. */
  isPaused(pair: {
    readonly database: string;
    readonly mirror: string;
  }): boolean;
}

/** A structured log: the message is constant, what varies is a property. */
export interface Logger {
  debug(message: string, properties?: Record<string, unknown>): void;
  info(message: string, properties?: Record<string, unknown>): void;
  warn(message: string, properties?: Record<string, unknown>): void;
  error(message: string, properties?: Record<string, unknown>): void;
}

/** What a worker gives to a probe. */
export interface ProbeContext {
  readonly role: "proxy" | "mirror";
  readonly stripe: Stripe;
}

/** The default export of a probe module. */
export type ProbeFactory = (context: ProbeContext) => Probe;

/**
 * Counts what happens in one worker: synchronous, once per request or
 * statement, never per byte. It allocates nothing. `series` is what
 * `Stripe.series` gave for the session's labels.
 */
export interface Probe {
  /** Proxy worker: a transaction has finished on the primary. */
  requestSeen?(series: number): void;
  /** Either role. @param reason position in `EXCLUDED`. */
  requestExcluded?(series: number, reason: number): void;
  /** Either role. @param reason position in `DROPPED`. */
  requestDropped?(series: number, reason: number): void;
  /** Mirror worker. @param reason position in `FAILED`. */
  requestFailed?(series: number, reason: number): void;
  /**
   * Mirror worker.
   *
   * @param lagSeconds end of the replay minus end on the primary.
   * @param errorsOnMirror statements that failed on the mirror only.
   * @param openErrors those of them that no rule of `[[ignore]]` accepts.
   */
  requestReplayed?(
    series: number,
    latencySeconds: number,
    lagSeconds: number,
    errorsOnMirror: number,
    openErrors: number,
  ): void;
  /** Proxy worker: from the last byte sent to ReadyForQuery. */
  primaryStatement?(series: number, latencySeconds: number): void;
  /** Mirror worker: the same on the mirror. */
  mirrorStatement?(series: number, latencySeconds: number): void;
  /** Mirror worker, before `requestReplayed`: the first statement that failed on the mirror only, and that no rule of `[[ignore]]` accepts. */
  errorOnMirror?(series: number, sqlstate: string): void;
  /**
   * Mirror worker: a pair of statements was compared.
   *
   * @param result position in `RESULTS`.
   * @param primarySeconds what the primary took.
   */
  statementCompared?(
    series: number,
    result: number,
    primarySeconds: number,
  ): void;
  /** Mirror worker: a transaction went ahead of one that committed before it, because waiting led nowhere. */
  orderBroken?(series: number): void;
  /** Mirror worker: rows were inserted with values that the primary had generated. */
  rowsGiven?(series: number, rows: number): void;
  /** Mirror worker: it was told to take so many rows that a statement took on the primary. */
  rowsTaken?(series: number, rows: number): void;
  /** Mirror worker: a transaction goes to the mirror without what the primary's log would have told of it: it did not tell in time, or not for sure. */
  logMissed?(series: number): void;
  /** Mirror worker: requests that wait in all lanes of the series, and bytes that wait in all lanes. */
  queue?(series: number, length: number, bytes: number): void;
}

/** A row's value in a result of the admin console. */
export type Cell = string | number | bigint | boolean | null | Date;

/** A column of a command's result. */
export interface AdminColumn {
  readonly name: string;
  readonly type: "text" | "int8" | "float8" | "bool" | "timestamptz";
  readonly help: string;
}

/** A command of the admin console. */
export interface AdminCommand {
  /** `SHOW MIRROR_STATS`; matched without regard to case. */
  readonly words: string;
  readonly help: string;
  readonly columns: readonly AdminColumn[];
  rows(): readonly (readonly Cell[])[];
}

/** A path of the HTTP port. */
export interface HttpRoute {
  readonly path: string;
  handle(request: Request): Response | Promise<Response>;
}
