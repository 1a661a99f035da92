import type { Reactor, SocketAddress } from "../io/mod.ts";
import type { ProbeSet } from "../plugin/mod.ts";
import type { ClientTable } from "../stats/client_table.ts";
import type { Breaker } from "./breaker.ts";
import type { Lane } from "./lane.ts";
import type { LoginOptions } from "./login.ts";

/** The settings of one mirror of one source database. */
export interface TargetSettings {
  readonly sourceDatabase: string;
  /** The mirror's name: its destination database. */
  readonly name: string;
  readonly address: SocketAddress;
  /** For display. */
  readonly host: string;
  readonly port: number;
  readonly login: LoginOptions;
  /** Transactions per lane. */
  readonly queueLength: number;
  /** Share of transactions to replay, 0 to 1. */
  readonly exposure: number;
  /** Every reply may take so long, beyond what the primary took. */
  readonly timeoutMs: number;
  readonly connectTimeoutMs: number;
  readonly pacing: "original" | "asap";
}

/** One mirror at work: what its lanes share. */
export interface Target {
  readonly settings: TargetSettings;
  readonly breaker: Breaker;
  readonly reactor: Reactor;
  readonly probes: ProbeSet;
  readonly scratch: Uint8Array<ArrayBuffer>;
  readonly budget: QueueBudget;
  /** For SHOW SERVERS. */
  readonly table: ClientTable;
  /** In [0, 1), for sampling. */
  readonly random: () => number;
  /** Lanes that wait until the breaker lets them connect. */
  readonly waiting: Set<Lane>;
  /** Lanes with a deadline; the worker looks at them now and then. */
  readonly timed: Set<Lane>;
  /** Requests that every lane's queue holds, for the gauge. */
  queued: number;
  /** What the worker logs, once per change: no secrets. */
  log(
    level: "info" | "warn",
    message: string,
    properties: Record<string, unknown>,
  ): void;
}

/** The bytes of all transactions that wait in this worker, and their bound. */
export class QueueBudget {
  bytes = 0;
  readonly maxBytes: number;

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
