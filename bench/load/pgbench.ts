/**
 * pgbench against a target, with the target's CPU time meanwhile. Needs
 * Debian's postgresql-15.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { CpuWatch } from "./cpu_watch.ts";
import { quantile, readTimes } from "./latency.ts";
import { HOST, run, type Target } from "./support.ts";

export const MODES = ["simple", "extended", "prepared"] as const;
/** How pgbench sends statements (`-M`). */
export type Mode = typeof MODES[number];

/** Read-only (`-S`), TPC-B-like, and what the demo's shop does (`shop.sql`). */
export const WORKLOADS = ["select", "tpcb", "shop"] as const;
export type Workload = typeof WORKLOADS[number];

/** Each client of `shop.sql` owns a customer. */
export const MAX_SHOP_CLIENTS = 1_000;
const SHOP = fileURLToPath(new URL("shop.sql", import.meta.url));
/** Beyond what it was asked to run: logins, and the last transactions. */
const GRACE_MS = 180_000;
/** pgbench's clock runs while its clients connect: so many in a second, at least. */
const LOGINS_PER_SECOND = 100;

/** pgbench's time was over before a transaction was. */
export class NothingDoneError extends Error {
  override name = "NothingDoneError";
}

export interface PgbenchOptions {
  readonly clients: number;
  /** How long, in seconds … */
  readonly seconds: number;
  /** … or so many transactions of each client. */
  readonly transactions?: number;
  /** Default: "select". */
  readonly workload?: Workload;
  /** Default: "simple". */
  readonly mode?: Mode;
  /** Transactions per second; default 0: as many as go. */
  readonly rate?: number;
  /** A connection for each transaction (`-C`). */
  readonly reconnect?: boolean;
  /** Log every transaction, for quantiles. */
  readonly log?: boolean;
}

/** One run of pgbench. */
export interface Run {
  readonly transactions: number;
  /** Transactions per second; logins don't count, unless each has its own. */
  readonly tps: number;
  /** Average latency of a transaction in milliseconds. */
  readonly latencyMs: number;
  /** CPU time per transaction of the target's threads that count, in microseconds. */
  readonly cpuUs: number;
  /** The same of all its threads. */
  readonly processCpuUs: number;
  /** Milliseconds; only with `log`. */
  readonly p50Ms?: number;
  readonly p99Ms?: number;
}

/** Each run's rows of the shop get ids of their own. */
let runs = 0;

/**
 * Runs pgbench once.
 *
 * @throws {NothingDoneError}
 * @throws {Error} if pgbench is missing, fails, or reports a failed transaction.
 */
export async function pgbench(
  target: Target,
  options: PgbenchOptions,
): Promise<Run> {
  const { clients, transactions = 0, rate = 0 } = options;
  const seconds = options.seconds + Math.floor(clients / LOGINS_PER_SECOND);
  const folder = options.log ? await Deno.makeTempDir() : undefined;
  try {
    const watch = CpuWatch.start(target);
    let output: string;
    try {
      output = await run("pgbench", [
        ...["-h", HOST, "-p", `${target.port}`, "-U", "postgres", "-n"],
        ...["-c", `${clients}`, "-j", "1", "-M", options.mode ?? "simple"],
        ...(transactions > 0
          ? ["-t", `${transactions}`]
          : ["-T", `${seconds}`]),
        ...workloadArgs(options.workload ?? "select", clients),
        ...(rate > 0 ? ["-R", `${rate}`] : []),
        ...(options.reconnect ? ["-C"] : []),
        ...(folder === undefined ? [] : ["-l", `--log-prefix=${folder}/log`]),
        target.database ?? "postgres",
      ], { signal: AbortSignal.timeout(seconds * 1e3 + GRACE_MS) });
    } finally {
      watch.stop();
    }
    const done = Number(output.match(/processed: (\d+)/)?.[1]);
    const tps = Number(output.match(/tps = ([\d.]+)/)?.[1]);
    const failed = Number(output.match(/failed transactions: (\d+)/)?.[1]);
    if (done === 0) {
      throw new NothingDoneError(`Nothing was done in ${seconds} s`);
    }
    if (!(done > 0 && tps > 0)) throw new Error(`pgbench says: ${output}`);
    if (failed !== 0) throw new Error(`${failed} failed transactions`);
    // Logins of many clients take longer than a short run: they are left out.
    const used = watch.last(options.reconnect ? Infinity : done / tps * 1e3);
    return {
      transactions: done,
      tps,
      latencyMs: Number(output.match(/latency average = ([\d.]+)/)?.[1]),
      cpuUs: used.threads / done,
      processCpuUs: used.process / done,
      ...(folder === undefined ? {} : await latencies(folder)),
    };
  } finally {
    if (folder !== undefined) await Deno.remove(folder, { recursive: true });
  }
}

function workloadArgs(workload: Workload, clients: number): string[] {
  switch (workload) {
    case "select":
      return ["-S"];
    case "tpcb":
      return [];
    case "shop":
      return [
        ...["-f", SHOP, "-D", `run=${++runs}`],
        ...["-D", "n=0", "-D", `clients=${clients}`],
      ];
  }
}

async function latencies(
  folder: string,
): Promise<{ p50Ms: number; p99Ms: number }> {
  const times = await readTimes(folder);
  return { p50Ms: quantile(times, 0.5), p99Ms: quantile(times, 0.99) };
}
