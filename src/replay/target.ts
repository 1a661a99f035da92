import type { Reactor, SocketAddress } from "../io/mod.ts";
import type { ProbeSet } from "../plugin/mod.ts";
import type { ConnectionTable } from "../stats/connection_table.ts";
import type { ShapeCache } from "../sql/shape_cache.ts";
import type { Catalog } from "../catalog/mod.ts";
import type {
  ChanceColumns,
  Corrections,
  Giving,
  RowLockings,
} from "../given/mod.ts";
import type { LogMatcher, Placeholders } from "../decoding/mod.ts";
import type { Breaker } from "./breaker.ts";
import type { CommitOrder } from "./commit_order.ts";
import type { Footprints } from "./footprint.ts";
import type {
  ConnectionBounds,
  MirrorConnections,
} from "./mirror_connections.ts";
import type { SchemaState } from "./schema_state.ts";
import type { MirrorServer } from "./connection.ts";
import type { LoginOptions } from "../auth/mod.ts";
import type {
  createIgnore,
  DrawnColumns,
  JudgedMirror,
  KnownColumns,
  StatementTable,
} from "../judge/mod.ts";
import type { ExcludeRule, ExclusionCounts, IgnoreRule } from "../stats/mod.ts";
import type { ExcludeRules } from "./exclude_rules.ts";
import type { UnsafeStatements } from "./unsafe_statements.ts";
import type { QueueBudget } from "../record/mod.ts";

/** How a server is reached. */
export interface ServerWay {
  readonly address: SocketAddress;
  /** Undefined: in clear. */
  readonly tls: {
    /** Its name in the TLS material. */
    readonly server: string;
    /** Go on in clear if it has no TLS. */
    readonly clearAllowed: boolean;
    /** Another one if anything of its material is: connections begin anew. */
    readonly version: string;
  } | undefined;
  readonly login: LoginOptions;
}

/** The settings of one mirror of one source database. */
export interface TargetSettings extends ConnectionBounds, ServerWay {
  /** Its number: another server under the same name has another one. */
  readonly id: number;
  readonly sourceDatabase: string;
  /** The mirror's name: its destination database. */
  readonly name: string;
  /** For display. */
  readonly host: string;
  readonly port: number;
  /** The primary, if the configuration has a login for it. */
  readonly source: ServerWay | undefined;
  /** Transactions per lane. */
  readonly queueLength: number;
  /** Share of transactions to replay, 0 to 1. */
  readonly exposure: number;
  /** Every reply may take so long, beyond what the primary took. */
  readonly timeoutMs: number;
  readonly connectTimeoutMs: number;
  readonly pacing: "original" | "asap";
  /** "commit" keeps the primary's order among writers, "client" each client's own. */
  readonly order: "commit" | "client";
  /** "answers" gives the mirror the values that the primary generated and told its client, "log" those that its log tells, too; "own" leaves them to the mirror. */
  readonly values: "own" | "answers" | "log";
  /** Which transactions are replayed, by what they do. */
  readonly level: "all" | "dml" | "ddl" | "read";
  /** Whether examples hold the values that clients sent. */
  readonly examples: "redacted" | "clear";
  readonly ignore: readonly IgnoreRule[];
  /** Which transactions are not replayed, by rules of the configuration … */
  readonly exclude: readonly ExcludeRule[];
  /** … and what is replayed although it is unsafe: names of UNSAFE_KINDS. */
  readonly allowUnsafe: readonly string[];
  /** Nothing is queued for it; what is queued is still replayed. */
  readonly paused: boolean;
}

/** A lane that waits until the breaker lets it connect. */
export interface BreakerWaiter {
  /** The breaker has closed or opened: ask again. */
  breakerChanged(): void;
}

/** A lane with a deadline. */
export interface Timed {
  /** Looks whether it has passed. */
  checkDeadline(nowUs: number): void;
}

/** A mirror's view of its primary's log. */
export interface LogOfPrimary {
  readonly matcher: LogMatcher;
  readonly placeholders: Placeholders;
  /** Somebody waits for what is in the log. */
  want(): void;
  /** Whether it is to be read, and where, may have changed. */
  settingsChanged(): void;
  close(): void;
}

/** One mirror at work: what its lanes share. */
export interface Target {
  /** Those in force: a reload puts others in their place. */
  settings: TargetSettings;
  /** Where the settings lead. */
  server: MirrorServer;
  /** A reload has taken it out of the configuration, or put another server in its place. */
  removed: boolean;
  readonly breaker: Breaker;
  readonly reactor: Reactor;
  readonly probes: ProbeSet;
  readonly scratch: Uint8Array<ArrayBuffer>;
  readonly budget: QueueBudget;
  /** For SHOW SERVERS. */
  readonly laneTable: ConnectionTable;
  readonly shapes: ShapeCache;
  readonly columns: KnownColumns;
  /** What it has drawn by itself. */
  readonly drawn: DrawnColumns;
  readonly order: CommitOrder;
  readonly footprints: Footprints;
  /** Whether the catalog holds for what comes in. */
  readonly schema: SchemaState;
  /** What is known of its schema: nothing before it has answered. */
  catalog: Catalog;
  /** Its schema may have another state by now: it is asked again, at once if it answers again. */
  schemaChanged(isBack?: boolean): void;
  readonly table: StatementTable;
  /** SQLSTATEs with which it has refused session state, packed: each is told of once. */
  readonly refusals: Set<number>;
  /** What it is given of what the primary generated. */
  readonly giving: Giving;
  /** What came of that, by column. */
  readonly chanceColumns: ChanceColumns;
  /** See {@linkcode JudgedMirror.onDrawn}. */
  readonly onDrawn: NonNullable<JudgedMirror["onDrawn"]>;
  /** Which of the rows that it has drawn values for are corrected. */
  readonly corrections: Corrections;
  /** Of which rows it is told that the primary has locked them. */
  readonly rowLockings: RowLockings;
  /** What the primary's log tells of client transactions. */
  readonly primaryLog: LogOfPrimary;
  /** Whether a rule accepts this mismatch. */
  ignored: ReturnType<typeof createIgnore>;
  /** The rules of `[[exclude]]` … */
  exclude: ExcludeRules;
  /** … what is never replayed … */
  readonly unsafe: UnsafeStatements;
  /** … and how often either has spared the mirror a transaction. */
  readonly exclusions: ExclusionCounts;
  /** In [0, 1), for sampling. */
  readonly random: () => number;
  readonly connections: MirrorConnections;
  /** Lanes that wait until the breaker lets them connect. */
  readonly waiting: Set<BreakerWaiter>;
  /** Lanes with a deadline; the worker looks at them now and then. */
  readonly timed: Set<Timed>;
  /** Requests in the queues of all lanes of a series, for the gauge. */
  readonly queued: Map<number, number>;
  /**
   * Whether nobody but this lane's client is connected to the source database, or
   * all rest, and nothing of others is left to replay.
   *
   * @param isHere its own client is connected.
   */
  isAlone(lane: object, isHere: boolean): boolean;
  /** Nobody could connect: its name may have another address by now. */
  unreachable(): void;
  /** What the worker logs, once per change: no secrets. */
  log(
    level: "info" | "warn",
    message: string,
    properties: Record<string, unknown>,
  ): void;
}

/** Logs what our own code threw in a lane. */
export function logFault(target: Pick<Target, "log">, error: unknown): void {
  target.log("warn", "A replay failed inside the mirror worker", {
    error: String((error as Error)?.stack ?? error),
  });
}
