import type { Reactor, SocketAddress } from "../io/mod.ts";
import type { ProbeSet } from "../plugin/mod.ts";
import type { ClientTable } from "../stats/client_table.ts";
import type { Shape } from "../sql/shape.ts";
import type { ShapeCache } from "../sql/shape_cache.ts";
import type { Breaker } from "./breaker.ts";
import type { CommitOrder } from "./commit_order.ts";
import type { MirrorServer } from "./connection.ts";
import type { createIgnore } from "./ignore.ts";
import type { Lane } from "./lane.ts";
import type { LinkOwner } from "./lane_link.ts";
import type { LoginOptions } from "../auth/mod.ts";
import type { StatementTable } from "./statement_table.ts";

/** The settings of one mirror of one source database. */
export interface TargetSettings {
  /** Its number: another server under the same name has another one. */
  readonly id: number;
  readonly sourceDatabase: string;
  /** The mirror's name: its destination database. */
  readonly name: string;
  readonly address: SocketAddress;
  /** For display. */
  readonly host: string;
  readonly port: number;
  /** Undefined: the mirror is reached in clear. */
  readonly tls: {
    /** Its name in the TLS material. */
    readonly server: string;
    /** Go on in clear if it has no TLS. */
    readonly clearAllowed: boolean;
  } | undefined;
  readonly login: LoginOptions;
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
  /** Which transactions are replayed, by what they do. */
  readonly level: "all" | "dml" | "ddl" | "read";
  /** Whether examples hold the values that clients sent. */
  readonly examples: "redacted" | "clear";
  /** Ratio of mirror time to primary time above which a statement is slower. */
  readonly maxLatencyRatio: number;
  readonly ignore: readonly IgnoreRule[];
  /** Nothing is queued for it; what is queued is still replayed. */
  readonly paused: boolean;
}

/** A difference that somebody has looked at and accepted. */
export interface IgnoreRule {
  readonly fingerprint: string | undefined;
  readonly sqlstate: string | undefined;
  /** A class of mismatch, without its `mismatch_`. */
  readonly class: string | undefined;
  /** Milliseconds since the epoch from which it holds no longer. */
  readonly until: number;
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
  readonly laneTable: ClientTable;
  readonly shapes: ShapeCache;
  /** Output columns of statements with ORDER BY, as last described. */
  readonly columns: Map<Shape, readonly string[]>;
  readonly order: CommitOrder;
  readonly table: StatementTable;
  /** Whether a rule accepts this mismatch. */
  ignored: ReturnType<typeof createIgnore>;
  /** In [0, 1), for sampling. */
  readonly random: () => number;
  /** Lanes that wait until the breaker lets them connect. */
  readonly waiting: Set<LinkOwner>;
  /** Lanes with a deadline; the worker looks at them now and then. */
  readonly timed: Set<Lane>;
  /** Requests in the queues of all lanes of a series, for the gauge. */
  readonly queued: Map<number, number>;
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

/** The bytes of all transactions that wait in this worker, and their bound. */
export class QueueBudget {
  bytes = 0;
  maxBytes: number;

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  /** Takes `bytes` if there is room. */
  take(bytes: number): boolean {
    if (this.bytes + bytes > this.maxBytes) return false;
    this.bytes += bytes;
    return true;
  }

  give(bytes: number): void {
    this.bytes -= bytes;
  }
}
